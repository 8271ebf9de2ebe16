"""How many records of real data each rule matches: the strongest evidence that it can."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec

from osdetect.cloudtrail import BadRecord, Digest, FoundFile, LeftOut, iter_files, read_file
from osdetect.errors import InputError, OsdetectError, RecordError, Where
from osdetect.expr.engine import Engine
from osdetect.sigma import Rule

Progress = Callable[[int, int], None]


class Fired(msgspec.Struct, frozen=True):
    """What the rules matched in some files."""

    records: int
    counts: Mapping[str, int]
    """For each rule's id the records that it matches; a record that stands twice counts twice."""
    refused: tuple[OsdetectError, ...]
    """Files and records that could not be read."""


def fired(
    rules: Sequence[Rule], paths: Sequence[Path], on_progress: Progress = lambda _done, _total: None
) -> Fired:
    """Judge CloudTrail files by the rules.

    Raises:
        InputError: there is no file to read behind any of the paths.
    """
    engine = Engine.of([(rule.id, rule.tree) for rule in rules])
    seen = list(iter_files(paths))
    files = [one.path for one in seen if isinstance(one, FoundFile)]
    refused: list[OsdetectError] = [
        RecordError("this file was not read", cause=one.reason, where=Where(str(one.path)))
        for one in seen
        if isinstance(one, LeftOut) and not one.ignored
    ]
    if not files:
        raise InputError(
            "no CloudTrail files found", cure="--data names CloudTrail files, or a folder of them"
        )
    counts: Counter[str] = Counter()
    records = 0
    for done, file in enumerate(files):
        on_progress(done, len(files))
        try:
            records += _judge(engine, file, counts, refused)
        except OsdetectError as error:
            refused.append(error)
    return Fired(records, counts, tuple(refused))


def _judge(engine: Engine, file: Path, counts: Counter[str], refused: list[OsdetectError]) -> int:
    """How many records of the file were judged."""
    delivery = read_file(file)
    if isinstance(delivery, Digest):
        return 0
    judged = 0
    for record in delivery.records():
        if isinstance(record, BadRecord):
            refused.append(
                RecordError(
                    f"record {record.number} cannot be read", cause=record.reason, where=Where(str(file))
                )
            )
            continue
        judged += 1
        counts.update(engine.match(record.content))
    return judged
