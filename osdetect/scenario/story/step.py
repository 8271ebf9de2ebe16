"""What one step of the attack is."""

from datetime import timedelta

import msgspec

from osdetect.scenario.call import Call
from osdetect.scenario.cast import GLOBAL_REGION, MAIN_ACCOUNT, Actor
from osdetect.scenario.records import Place

MAIN = Place(MAIN_ACCOUNT, GLOBAL_REGION)
"""Where a step takes place unless it says otherwise."""


class Step(msgspec.Struct, frozen=True):
    """One step: who does what, when and where, and the rule that is written to see it."""

    title: str
    """What happens, in words; no two steps share one."""
    at: timedelta
    """How long after the scenario's start."""
    actor: Actor
    call: Call
    rule: str
    """The file name, without its end, of the project's own rule that must match; others may match too."""
    place: Place = MAIN


def first_day(clock: str) -> timedelta:
    """The offset of a time of day ("13:40:05") on the first day."""
    hours, minutes, seconds = (int(part) for part in clock.split(":"))
    return timedelta(hours=hours, minutes=minutes, seconds=seconds)


def second_day(clock: str) -> timedelta:
    """The offset of a time of day on the second day."""
    return timedelta(days=1) + first_day(clock)
