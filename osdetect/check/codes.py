"""What `osdetect check` can find: a code for each, how grave it is, and what it is called.

A code keeps its meaning for ever: users switch it off by its name. docs/check.md explains each with an example.
"""

from collections.abc import Mapping
from enum import StrEnum

import msgspec


class Severity(StrEnum):
    """How grave a finding is. The words are those of SARIF 2.1.0, section 3.27.10 ("level")."""

    ERROR = "error"
    """The rule cannot be used, or can never match as it stands."""
    WARNING = "warning"
    """Most likely a mistake; the rule runs."""
    NOTE = "note"
    """A habit that has a better form."""

    @property
    def rank(self) -> int:
        """0 for a note up to 2 for an error."""
        return (Severity.NOTE, Severity.WARNING, Severity.ERROR).index(self)


class Code(msgspec.Struct, frozen=True):
    """One kind of finding."""

    id: str
    name: str
    """The code in words, for machines: no blanks (SARIF 2.1.0, section 3.49.7)."""
    severity: Severity
    summary: str
    """One sentence about every finding of this kind."""


def _table(*codes: Code) -> Mapping[str, Code]:
    return {code.id: code for code in codes}


_E, _W, _N = Severity.ERROR, Severity.WARNING, Severity.NOTE

CODES = _table(
    Code("OSD001", "RuleRefused", _E, "The file, document or rule cannot be used by osdetect."),
    Code("OSD002", "ReaderWarning", _W, "Something in the rule has no effect."),
    Code("OSD101", "KeyMissing", _E, "A key that the Sigma specification requires is missing."),
    Code("OSD102", "WrongKind", _E, "A value is of another kind than the Sigma specification says."),
    Code("OSD103", "UnknownWord", _E, "A value is none of the words that the Sigma specification lists."),
    Code("OSD104", "DateForm", _W, "A date is not written YYYY-MM-DD."),
    Code("OSD105", "TooLong", _W, "A text is longer than the Sigma specification allows."),
    Code("OSD106", "ItemTwice", _W, "A list that must not repeat itself has an item twice."),
    Code("OSD107", "TagForm", _W, "A tag is not written namespace.name in lower case."),
    Code("OSD108", "NotAUuid", _E, "An id is not a UUID."),
    Code("OSD109", "TooShort", _W, "An item of a list is shorter than two characters."),
    Code("OSD110", "SelectionShape", _W, "A part of the detection is neither a map nor a list."),
    Code("OSD111", "EmptyKey", _W, "A key has no value."),
    Code("OSD201", "UnknownEventSource", _W, "No AWS service known to osdetect has this eventSource."),
    Code("OSD202", "UnknownEventName", _W, "No event known to osdetect has this eventName."),
    Code("OSD203", "EventOfAnotherSource", _W, "The eventName belongs to another eventSource."),
    Code(
        "OSD204", "RecordedUnderAnotherName", _W, "CloudTrail records this API call under another eventName."
    ),
    Code("OSD205", "UnknownField", _W, "No CloudTrail record has this field."),
    Code("OSD206", "FieldLetterCase", _E, "CloudTrail writes this field with other letter case."),
    Code("OSD207", "ImpossibleValue", _W, "The field never has this value."),
    Code("OSD208", "BlankAtTheEnd", _W, "A value begins or ends with a blank."),
    Code("OSD301", "NeverHolds", _E, "Tests that must hold together exclude each other."),
    Code("OSD302", "ConstantCondition", _E, "The condition holds for every event, or for none."),
    Code("OSD303", "UnusedSelection", _W, "A selection is not used by the condition."),
    Code("OSD304", "ValueTwice", _W, "A value stands twice in a list."),
    Code("OSD305", "SameAsAnotherRule", _W, "Another rule matches exactly the same events."),
    Code("OSD306", "NullTest", _N, "A test for null also holds where the field is absent."),
    Code("OSD307", "WildcardForModifier", _N, "A modifier says it better than a wildcard."),
    Code("OSD308", "FilterNarrows", _W, "A filter keeps what it describes instead of leaving it out."),
    Code("OSD401", "WordsMissing", _N, "Words that an analyst needs are missing."),
    Code("OSD402", "UnknownAttackTag", _W, "ATT&CK has no such tactic or technique."),
    Code("OSD403", "RetiredAttackTag", _N, "ATT&CK replaced this technique by another."),
)
