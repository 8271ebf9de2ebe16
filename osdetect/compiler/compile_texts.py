"""Texts of rule files to what they come to; many of them on every processor."""

import os
import signal
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from functools import partial
from multiprocessing import get_context

from osdetect.compiler.compiled_file import CompiledFile, Notice, compiled_rule
from osdetect.compiler.kept_documents import kept
from osdetect.schema.event_fields import EventFields
from osdetect.sigma import ReadOptions
from osdetect.sigma.files import read_file
from osdetect.source import SourceText

MANY = 500
"""Files that are worth other processes: one starts in half a second and compiles 1,000 files in about one."""
SHARE = 50
"""Files that a process takes at a time."""


def compile_text(source: SourceText, options: ReadOptions, fields: EventFields) -> CompiledFile:
    """What the text of a rule file comes to. The name that it has does not matter."""
    read = read_file(source, options)
    return CompiledFile(
        rules=tuple(compiled_rule(rule, fields).kept for rule in read.rules),
        filters=tuple(map(kept, read.filters)),
        correlations=tuple(map(kept, read.correlations)),
        refused=tuple(map(Notice.of, read.refused)),
        warnings=tuple(map(Notice.of, read.warnings)),
        other_sources=read.other_sources,
    )


def compile_texts(
    sources: Sequence[SourceText], options: ReadOptions, fields: EventFields
) -> Iterator[CompiledFile]:
    """What each of the texts comes to, in their order: the same whether one process does it or several."""
    done = 0
    if len(sources) >= MANY and processors() > 1 and options.pipeline is None:  # a pipeline cannot be sent
        try:
            for compiled in _in_processes(sources, options, fields):
                yield compiled
                done += 1
        except BrokenProcessPool:  # one was killed, for example for want of memory: this one does the rest
            pass
    for source in sources[done:]:
        yield compile_text(source, options, fields)


def processors() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _in_processes(
    sources: Sequence[SourceText], options: ReadOptions, fields: EventFields
) -> Iterator[CompiledFile]:
    work = partial(_encoded, replace(options, placeholders=dict(options.placeholders)), fields)
    shares = [sources[start : start + SHARE] for start in range(0, len(sources), SHARE)]
    # A forked process would inherit the locks of this one's threads as they are at that moment.
    pool = ProcessPoolExecutor(processors(), mp_context=get_context("spawn"), initializer=_deaf)
    try:
        for encoded in pool.map(work, shares):
            yield from map(CompiledFile.decode, encoded)
    finally:
        pool.shutdown(cancel_futures=True)


def _deaf() -> None:
    """Ctrl-C is for the process that waits for this one."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _encoded(options: ReadOptions, fields: EventFields, sources: Sequence[SourceText]) -> list[bytes]:
    return [compile_text(source, options, fields).encode() for source in sources]
