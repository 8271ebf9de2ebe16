"""How many live rules a deploy may take away: a folder that was named by mistake must not empty a cluster."""

import re

import msgspec

from osdetect.errors import Guarded, UsageError

_WRITTEN = re.compile(r"(\d{1,9})(%?)", re.ASCII)
_NAMED = 5
_FEW = 3


class Limit(msgspec.Struct, frozen=True):
    """So many rules, or such a share of the live ones, whichever is more."""

    rules: int = 10
    percent: int = 25
    every: bool = False
    """Whether every live rule may go, if there are three or more; else that is too much whatever the numbers say."""

    @staticmethod
    def written(text: str) -> "Limit":
        """As it is given on the command line: a number, or a share such as 50%.

        Raises:
            UsageError: it is neither.

        >>> Limit.written("50%"), Limit.written("3")
        (Limit(rules=0, percent=50, every=True), Limit(rules=3, percent=0, every=True))
        """
        found = _WRITTEN.fullmatch(text)
        if found is None or (found[2] and int(found[1]) > 100):
            raise UsageError(
                f"{text!r} is no number of rules", cure="write --max-delete 20, or a share: --max-delete 50%"
            )
        return Limit(0, int(found[1]), every=True) if found[2] else Limit(int(found[1]), 0, every=True)

    def allowed(self, live: int) -> int:
        """How many of so many live rules may go."""
        allowed = max(self.rules, live * self.percent // 100)
        return allowed if self.every or live < _FEW else min(allowed, live - 1)

    def check(self, removed: dict[str, str], live: int) -> None:
        """Refuse to take away more.

        Args:
            removed: id and title of each rule that would go.
            live: number of live rules.

        Raises:
            Guarded: it is more.
        """
        allowed = self.allowed(live)
        if len(removed) <= allowed:
            return
        some = [title or rule_id for rule_id, title in removed.items()][:_NAMED]
        more = f" and {len(removed) - len(some)} more" if len(removed) > len(some) else ""
        raise Guarded(
            f"this would take away {len(removed)} of {live} live rules; {allowed} are allowed",
            cause=f"they are not among the rules that were given: {', '.join(some)}{more}",
            cure=f"see them with osdetect plan; if that is meant, give --max-delete {len(removed)}",
        )
