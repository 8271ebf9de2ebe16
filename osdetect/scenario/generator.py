"""Puts the scenario together: the background and the story, in order of time, and the folder of files."""

import heapq
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from random import Random
from typing import TypeAlias

import msgspec

from osdetect.errors import UsageError
from osdetect.scenario.background import background
from osdetect.scenario.call import Json
from osdetect.scenario.delivery import Delivery, LogFile, digest_file, log_file
from osdetect.scenario.records import Place, record
from osdetect.scenario.story import STORY, Step

START = datetime(2026, 3, 2, tzinfo=UTC)
"""The scenario's first moment, a Monday; it never depends on the clock."""
DAYS = 2

_Timed: TypeAlias = tuple[datetime, dict[str, Json]]


class ScenarioSummary(msgspec.Struct, frozen=True):
    """What `generate` wrote."""

    folder: Path
    files: int
    """Log files; the digest file, which holds no records, is not counted."""
    records: int
    malicious: int
    """How many of the records tell the story."""
    expected: tuple[tuple[str, str], ...]
    """eventID and story step title of each record that one of the project's rules must match."""


def iter_records(
    *, seed: int = 1, background_count: int = 3000, start: datetime = START, story: bool = True
) -> Iterator[dict[str, Json]]:
    """The scenario's records, oldest first: `background_count` ordinary ones, and the story's unless `story` is false.

    Records are made one at a time, so that a benchmark can ask for many; ids, times, principals and
    addresses vary with `seed`.
    """
    for _, made in _merged(seed, background_count, start, _told(seed, start) if story else ()):
        yield made


def generate(
    folder: Path, *, seed: int = 1, background: int = 3000, start: datetime = START
) -> ScenarioSummary:
    """Write the scenario below `folder` as AWS delivers it, and say what was written.

    The same `seed`, `background` (number of ordinary records) and `start` (UTC) give the same bytes; a second call
    writes the same files again.

    Raises:
        UsageError: the folder cannot be written, or holds log files of another scenario.
    """
    told = _told(seed, start)
    logs = _log_files(_merged(seed, background, start, told), seed)
    deliveries = [file.delivery for file in logs]
    _write(folder, (*deliveries, digest_file(logs[0])))
    expected = tuple((str(made["eventID"]), step.title) for step, (_, made) in zip(STORY, told, strict=True))
    return ScenarioSummary(folder, len(logs), background + len(told), len(told), expected)


def _told(seed: int, start: datetime) -> tuple[_Timed, ...]:
    rng = Random(f"{seed}:story")  # noqa: S311  (made-up records, repeatable by seed)
    return tuple(_tell(step, start, rng) for step in STORY)


def _tell(step: Step, start: datetime, rng: Random) -> _Timed:
    at = start + step.at
    return at, record(step.call, step.actor, step.place, at, rng)


def _merged(seed: int, count: int, start: datetime, told: Sequence[_Timed]) -> Iterator[_Timed]:
    rng = Random(f"{seed}:background")  # noqa: S311  (made-up records, repeatable by seed)
    ordinary = background(count, start=start, days=DAYS, rng=rng)
    return heapq.merge(ordinary, told, key=itemgetter(0))


def _log_files(timed: Iterator[_Timed], seed: int) -> tuple[LogFile, ...]:
    """The records grouped to one file for each account, region and hour."""
    rng = Random(f"{seed}:names")  # noqa: S311  (made-up names, repeatable by seed)
    keyed = sorted(((_drawer(item), item) for item in timed), key=itemgetter(0))
    return tuple(
        log_file(Place(account, region), hour, [item for _, item in group], rng)
        for (account, region, hour), group in groupby(keyed, key=itemgetter(0))
    )


def _drawer(item: _Timed) -> tuple[str, str, datetime]:
    at, made = item
    hour = at.replace(minute=0, second=0, microsecond=0)
    return str(made["recipientAccountId"]), str(made["awsRegion"]), hour


def _write(folder: Path, deliveries: Sequence[Delivery]) -> None:
    wanted = {folder / delivery.path: delivery.data for delivery in deliveries}
    try:
        strangers = sorted(path for path in (folder / "AWSLogs").rglob("*.json.gz") if path not in wanted)
        if strangers:
            raise UsageError(
                f"{folder} already holds other log files, such as {strangers[0].name}",
                cause="a scenario in the same folder would mix with them",
                cure="name an empty folder, or remove the old one",
            )
        for path, data in wanted.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
    except OSError as failure:
        raise UsageError(
            f"the scenario cannot be written to {folder}",
            cause=failure.strerror or str(failure),
            cure="name a folder that you may write to",
        ) from failure
