"""Changes written by compare-and-set: what somebody else wrote meanwhile is read again, and never written over."""

import random
import time
from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from itertools import islice

import msgspec

from osdetect.alerts.changes import Change, Refusal, State, Write, decide, known_by
from osdetect.alerts.reading import FoundAlert, read_again
from osdetect.cluster import Cluster, replace_action

BATCH = 500
ATTEMPTS = 8
"""How often a change is tried on an alert that others change all the time, a detector's counts among them."""
_PAUSE_S = 0.05


class Outcome(StrEnum):
    """What became of a change."""

    CHANGED = "changed"
    UNCHANGED = "unchanged"
    """The alert was already as it was to be."""
    REFUSED = "refused"


class Result(msgspec.Struct, frozen=True):
    """What became of a change to one alert, and why."""

    alert: FoundAlert
    outcome: Outcome
    why: str = ""


class _Waiting(msgspec.Struct, frozen=True):
    alert: FoundAlert
    seen: State


def apply(cluster: Cluster, alerts: Iterable[FoundAlert], change: Change) -> Iterator[Result]:
    """Make the change to each of the alerts, and tell what became of it; good ones are done whatever others are.

    Args:
        cluster: where.
        alerts: as the change's author saw them.
        change: what is wanted.

    Raises:
        ClusterUnavailable: the cluster went away; what was told until then is done.
    """
    coming = iter(alerts)
    while batch := list(islice(coming, BATCH)):
        yield from _batch(cluster, batch, change)


def _batch(cluster: Cluster, alerts: Sequence[FoundAlert], change: Change) -> Iterator[Result]:
    waiting = [_Waiting(alert, State.of(alert.source)) for alert in alerts]
    for attempt in range(ATTEMPTS):
        if attempt:
            time.sleep(random.uniform(0, _PAUSE_S * 2**attempt))  # noqa: S311  # to meet less, not to hide
            results, waiting = _read_again(cluster, waiting, change)
            yield from results
        results, waiting = _write(cluster, waiting, change)
        yield from results
        if not waiting:
            return
    for one in waiting:
        yield Result(one.alert, Outcome.REFUSED, f"others changed it {ATTEMPTS} times meanwhile")


def _write(
    cluster: Cluster, waiting: Sequence[_Waiting], change: Change
) -> tuple[list[Result], list[_Waiting]]:
    """What is settled, and the alerts that somebody else wrote since they were read."""
    results: list[Result] = []
    sent: list[tuple[_Waiting, bytes]] = []
    for one in waiting:
        alert = one.alert
        match decide(change, alert.source, one.seen, seq_no=alert.version.seq_no):
            case Write(source=source):
                sent.append((one, replace_action(alert.index, alert.id, source, alert.version)))
            case Refusal(why=why):
                results.append(Result(alert, Outcome.REFUSED, why))
            case nothing:
                results.append(Result(alert, Outcome.UNCHANGED, nothing.why))
    outcomes = cluster.bulk([action for _, action in sent]) if sent else ()
    met: list[_Waiting] = []
    for (one, _), outcome in zip(sent, outcomes, strict=True):
        if outcome.exists:  # the version is no longer the one that was read
            met.append(one)
        elif outcome.created:
            results.append(Result(one.alert, Outcome.CHANGED))
        else:
            results.append(
                Result(
                    one.alert,
                    Outcome.REFUSED,
                    f"the cluster refused it: {outcome.error_type}: {outcome.reason}",
                )
            )
    return results, met


def _read_again(
    cluster: Cluster, waiting: Sequence[_Waiting], change: Change
) -> tuple[list[Result], list[_Waiting]]:
    """The alerts as they are now; some are gone, and some were written by us, and only the answer was lost."""
    results: list[Result] = []
    left: list[_Waiting] = []
    for one, now in zip(waiting, read_again(cluster, [one.alert for one in waiting]), strict=True):
        if now is None:
            results.append(Result(one.alert, Outcome.REFUSED, "it is no longer there"))
        elif known_by(change, now.source):
            results.append(Result(now, Outcome.CHANGED))
        else:
            left.append(_Waiting(now, one.seen))
    return results, left
