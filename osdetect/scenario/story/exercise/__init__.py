"""The exercise, on Tuesday: a tester walks through the account, call by call, to see what is noticed.

It was agreed after the attack, and brings one call for each rule that the attack left out.
"""

from datetime import timedelta

from osdetect.scenario.story.exercise.credentials import CREDENTIALS
from osdetect.scenario.story.exercise.damage import DAMAGE
from osdetect.scenario.story.exercise.defences import DEFENCES
from osdetect.scenario.story.exercise.discovery import DISCOVERY
from osdetect.scenario.story.exercise.footholds import FOOTHOLDS
from osdetect.scenario.story.exercise.reach import REACH
from osdetect.scenario.story.exercise.rights import RIGHTS
from osdetect.scenario.story.exercise.theft import THEFT
from osdetect.scenario.story.exercise.turn import in_turn
from osdetect.scenario.story.exercise.watchers import WATCHERS
from osdetect.scenario.story.step import second_day

_PAUSE = timedelta(seconds=100)

EXERCISE = in_turn(
    (*REACH, *DISCOVERY, *CREDENTIALS, *FOOTHOLDS, *RIGHTS, *WATCHERS, *DEFENCES, *THEFT, *DAMAGE),
    second_day("09:00:00"),
    _PAUSE,
)
"""The exercise's steps in the order of time."""
