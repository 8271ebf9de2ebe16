"""Rules that match very much: put off until the other rules have seen every new event, and owed with the cursor.

Storing an alert is dearer than judging an event. A rule that matches most events would keep the alerts of all other rules
waiting; so it is judged for what is left of the range when the live lane has caught up.
"""

from collections import Counter

from osdetect.documents.state import Owed

SHARE = 0.2
"""Of a batch's events. A rule that matches more of them is put off behind the batch."""
FEWEST = 500
"""Never with fewer matches than this."""
MOST = 5_000
"""With more matches than this in a batch it is put off within it, and owes the whole batch again."""


class Flood:
    """Which rules of a range are put off, and since where."""

    def __init__(self, before: tuple[Owed, ...]) -> None:
        self._before = before
        self._since: dict[str, int] = {}
        self._matches: Counter[str] = Counter()
        self._after = -1

    def begin(self, after: int) -> None:
        """A batch behind the sequence number `after` comes."""
        self._after = after
        self._matches.clear()

    def matched(self, rule_id: str) -> None:
        """The rule matched an event of the batch."""
        self._matches[rule_id] += 1
        if self._matches[rule_id] > MOST:
            self._since.setdefault(rule_id, self._after)

    def end(self, upto: int, events: int) -> None:
        """The batch ended at `upto` and had so many events."""
        most = max(FEWEST, int(events * SHARE))
        for rule_id, matches in self._matches.items():
            if matches > most:
                self._since.setdefault(rule_id, upto)

    def puts_off(self, rule_id: str) -> bool:
        """Whether the rule is not to be judged now."""
        return rule_id in self._since

    @property
    def rules(self) -> frozenset[str]:
        """The rules that are put off."""
        return frozenset(self._since)

    def owed(self, upto: int) -> tuple[Owed, ...]:
        """What is owed when the cursor moves to `upto`.

        >>> flood = Flood(())
        >>> flood.begin(after=9)
        >>> for _ in range(FEWEST + 1): flood.matched("noisy")
        >>> flood.end(600, events=591)
        >>> flood.owed(600), flood.owed(700)
        ((), (Owed(rules=('noisy',), after=600, upto=700),))
        """
        owed = list(self._before)
        for rule_id, after in self._since.items():
            if after >= upto:
                continue
            joins = next((one for one in owed if one.rules == (rule_id,) and one.upto == after), None)
            if joins is not None:
                owed.remove(joins)
            owed.append(Owed((rule_id,), joins.after if joins else after, upto))
        return tuple(owed)
