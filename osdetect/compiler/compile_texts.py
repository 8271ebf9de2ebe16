"""Texts of rule files to what they come to; many of them on every processor.

The other processes are programs of their own that get texts on standard input and give results on standard output: they
inherit no lock of this process's threads (as a forked one does) and do not run its main module again (as a spawned one).
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from tempfile import TemporaryFile
from typing import IO

import msgspec

from osdetect.compiler.compiled_file import CompiledFile, Notice, compiled_rule
from osdetect.compiler.kept_documents import kept
from osdetect.schema.event_fields import EventFields
from osdetect.sigma import ReadOptions
from osdetect.sigma.files import read_file
from osdetect.source import SourceText

MANY = 500
"""Texts that are worth another process: to start one takes as long as to compile some 300."""
_PROGRAM = "import sys, json; sys.path[:] = json.loads(sys.argv[1]); import osdetect.compiler.compile_texts as c; c.serve()"
"""Started with -I, and with this process's path: what lies in the current folder is not imported."""


def compile_text(source: SourceText, options: ReadOptions, fields: EventFields) -> CompiledFile:
    """What the text of a rule file comes to. The name that it has does not matter."""
    read = read_file(source, options)
    return CompiledFile(
        rules=tuple(compiled_rule(rule, fields).kept for rule in read.rules),
        filters=tuple(map(kept, read.filters)),
        correlations=tuple(map(kept, read.correlations)),
        refused=tuple(map(Notice.of, read.refused)),
        warnings=tuple(map(Notice.of, read.warnings)),
        elsewhere=read.elsewhere,
    )


class Share(msgspec.Struct, frozen=True):
    """Work for another process: texts, and all that their result depends on."""

    texts: tuple[str, ...]
    every_log_source: bool
    placeholders: Mapping[str, tuple[str, ...]]
    keywords: tuple[str, ...]
    ips: Mapping[str, str]
    ignore_above: int
    hollow: tuple[str, ...]

    @staticmethod
    def of(sources: Sequence[SourceText], options: ReadOptions, fields: EventFields) -> "Share":
        """These texts."""
        return Share(
            tuple(source.text for source in sources),
            options.every_log_source,
            dict(options.placeholders),
            tuple(fields.keywords),
            dict(fields.ips),
            fields.ignore_above,
            tuple(fields.hollow),
        )

    def compiled(self) -> Iterator[CompiledFile]:
        """What each of the texts comes to."""
        options = ReadOptions(every_log_source=self.every_log_source, placeholders=self.placeholders)
        fields = EventFields(frozenset(self.keywords), self.ips, self.ignore_above, frozenset(self.hollow))
        return (compile_text(SourceText("", text), options, fields) for text in self.texts)


def compile_texts(
    sources: Sequence[SourceText],
    options: ReadOptions,
    fields: EventFields,
    on_progress: Callable[[int, int], None],
) -> tuple[CompiledFile, ...]:
    """What each of the texts comes to, in their order: the same whether one process does it or several.

    Args:
        sources: the texts.
        options: how they are read; with a pipeline one process does it all, as a pipeline cannot be sent to another.
        fields: what the event index knows of each field.
        on_progress: told the number of texts done by this process, and of all.
    """
    processes = processors() if len(sources) >= MANY and options.pipeline is None else 1
    shares = [sources[number::processes] for number in range(processes)]
    with ExitStack() as opened:
        others = [_Other(Share.of(share, options, fields), opened) for share in shares[1:]]
        results = [_here(shares[0], options, fields, on_progress, processes)]
        for share, other in zip(shares[1:], others, strict=True):
            done = other.results()
            # A process that was killed, for example for want of memory, has given nothing: this one does its work.
            complete = done is not None and len(done) == len(share)
            results.append(done if done and complete else _here(share, options, fields, on_progress, 1))
    return tuple(results[number % processes][number // processes] for number in range(len(sources)))


def _here(
    sources: Sequence[SourceText],
    options: ReadOptions,
    fields: EventFields,
    on_progress: Callable[[int, int], None],
    processes: int,
) -> Sequence[CompiledFile]:
    done = []
    for source in sources:
        done.append(compile_text(source, options, fields))
        on_progress(len(done) * processes, len(sources) * processes)
    return done


def processors() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class _Other:
    """Another process at work on a share; ended with the stack that it is given."""

    def __init__(self, share: Share, opened: ExitStack) -> None:
        self._out: IO[bytes] = opened.enter_context(TemporaryFile())  # noqa: SIM115  # closed with the stack
        self._process = self._started(msgspec.msgpack.encode(share), opened)

    def _started(self, work: bytes, opened: ExitStack) -> subprocess.Popen[bytes] | None:
        given = opened.enter_context(TemporaryFile())  # noqa: SIM115  # as above
        given.write(work)
        given.seek(0)
        command = [sys.executable, "-I", "-c", _PROGRAM, json.dumps(sys.path)]
        try:
            process = subprocess.Popen(command, stdin=given, stdout=self._out, stderr=subprocess.DEVNULL)  # noqa: S603  # this Python, on a program of ours
        except OSError:  # no memory or no process left: then there is one process less
            return None
        opened.enter_context(process)
        opened.callback(process.kill)
        return process

    def results(self) -> Sequence[CompiledFile] | None:
        """What it came to, once it has ended; None if it did not start, was killed, or gave something else."""
        if self._process is None or self._process.wait():
            return None
        self._out.seek(0)
        try:
            return _RESULTS.decode(self._out.read())
        except ValueError:
            return None


_RESULTS = msgspec.msgpack.Decoder(tuple[CompiledFile, ...])


def serve() -> None:
    """The other process: a share on standard input, results on standard output."""
    share = msgspec.msgpack.decode(sys.stdin.buffer.read(), type=Share)
    sys.stdout.buffer.write(msgspec.msgpack.encode(tuple(share.compiled())))
