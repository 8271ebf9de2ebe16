"""One turn of the exercise, and the steps that turns make."""

from collections.abc import Iterable
from datetime import timedelta

import msgspec

from osdetect.scenario.call import Call
from osdetect.scenario.cast import TESTER, Actor
from osdetect.scenario.story.step import Step


class Turn(msgspec.Struct, frozen=True):
    """What the tester does, and the rule that is to notice it; when, the place in the row says."""

    title: str
    rule: str
    call: Call
    actor: Actor = TESTER


def in_turn(turns: Iterable[Turn], begin: timedelta, pause: timedelta) -> tuple[Step, ...]:
    """The turns as steps, the first at `begin` and each `pause` after the one before."""
    return tuple(
        Step(turn.title, begin + number * pause, turn.actor, turn.call, turn.rule)
        for number, turn in enumerate(turns)
    )
