"""Which row of the ATT&CK table each technique of a rule stands in."""

from collections.abc import Iterable

import msgspec

from osdetect.schema.attack import Tactic, Technique, tactic, tactic_of_tag, technique, technique_of_tag


class TechniqueCell(msgspec.Struct, frozen=True):
    """A technique in a row; with its successor where ATT&CK retired it."""

    id: str
    name: str
    successor: str
    successor_name: str

    @property
    def label(self) -> str:
        """As it is shown: "T1098.001 Account Manipulation: Additional Cloud Credentials"."""
        now = f" (retired, now {self.successor} {self.successor_name})" if self.successor else ""
        return f"{self.id} {self.name}{now}"


class TacticRow(msgspec.Struct, frozen=True):
    """A tactic with the rule's techniques that serve it."""

    tactic: str
    tactic_id: str
    tagged: str
    """How the rule's tag calls the tactic, where that is another name; "-" where no tag names it."""
    now: str
    """For a tactic that ATT&CK gave up: those of today that the techniques serve."""
    techniques: tuple[TechniqueCell, ...]

    @property
    def note(self) -> str:
        """What is to be said of the tactic's name."""
        if self.tagged == "-":
            return "no tag of the rule names this tactic"
        if self.now:
            return f"retired, now {self.now}"
        return f"tagged as {self.tagged}" if self.tagged else ""


def coverage(tags: Iterable[str]) -> tuple[TacticRow, ...]:
    """The rows of a rule's table, in the order in which its tags first ask for them.

    A technique stands under those of its own tactics that are among the tags; when none is, under all of its own. A tactic
    that no technique of the rule serves is no row.
    """
    given = tuple(tags)
    tagged = [named for tag in given if (named := tactic_of_tag(tag))]
    rows: dict[str, tuple[str, dict[str, TechniqueCell]]] = {}
    for one in (known for tag in given if (known := technique_of_tag(tag))):
        own = [
            (stands, named.name if named.tag != stands.tag else "")
            for named in tagged
            for stands in _stands_in(one, named)
        ]
        for stands, said in own or [(found, "-") for tag in one.tactics if (found := tactic(tag))]:
            rows.setdefault(stands.tag, (said, {}))[1].setdefault(one.id, _cell(one))
    return tuple(
        TacticRow(shown.name, shown.id, said, _today(shown, cells), tuple(cells.values()))
        for tag, (said, cells) in rows.items()
        if (shown := tactic(tag))
    )


def _stands_in(one: Technique, tagged: Tactic) -> Iterable[Tactic]:
    """The technique's own tactics that a tag means: the one that it names, or those that took its place."""
    for tag in (tagged.tag, *tagged.now):
        if tag in one.tactics and (found := tactic(tag)):
            yield found


def _today(given: Tactic, cells: Iterable[str]) -> str:
    """The tactics that took the place of one, as far as the techniques serve them today; all of them if none does."""
    known = [found for identity in cells if (found := technique(identity))]
    serving = {
        tag for one in known for tag in ((technique(one.successor) if one.successor else one) or one).tactics
    }
    tags = [tag for tag in given.now if tag in serving] or given.now
    return ", ".join(stands.name for tag in tags if (stands := tactic(tag)))


def _cell(one: Technique) -> TechniqueCell:
    later = technique(one.successor) if one.successor else None
    return TechniqueCell(one.id, one.name, one.successor, later.name if later else "")


def techniques_of(tags: Iterable[str]) -> tuple[Technique, ...]:
    """The techniques that are in use today for a rule's tags: retired ones by their successors, each once."""
    found: dict[str, Technique] = {}
    for tag in tags:
        one = technique_of_tag(tag)
        if one is not None and one.successor:
            one = technique(one.successor)
        if one is not None:
            found.setdefault(one.id, one)
    return tuple(found.values())


def tactics_of(tags: Iterable[str]) -> tuple[Tactic, ...]:
    """The tactics of today that a rule's tags mean, each once.

    A tactic that was given up means those of its successors that a technique of the rule serves; all of them if none does.
    """
    given = tuple(tags)
    serving = {tag for one in techniques_of(given) for tag in one.tactics}
    found: dict[str, Tactic] = {}
    for one in (named for tag in given if (named := tactic_of_tag(tag))):
        meant = [tag for tag in one.now if tag in serving] or one.now or (one.tag,)
        for tag in meant:
            if stands := tactic(tag):
                found.setdefault(stands.tag, stands)
    return tuple(found.values())
