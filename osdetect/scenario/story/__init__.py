"""The attack, told as a table of steps: getting in, taking over, and what it was done for; then an exercise.

docs/scenario.md tells the same in prose.
"""

from osdetect.scenario.story.entry import ENTRY
from osdetect.scenario.story.exercise import EXERCISE
from osdetect.scenario.story.harvest import HARVEST
from osdetect.scenario.story.step import Step
from osdetect.scenario.story.takeover import TAKEOVER

STORY: tuple[Step, ...] = (*ENTRY, *TAKEOVER, *HARVEST, *EXERCISE)
"""All steps in the order of time. Each gives one record."""

__all__ = ["STORY", "Step"]
