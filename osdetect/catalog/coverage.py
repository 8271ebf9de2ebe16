"""How much of ATT&CK, and of what attackers did in AWS accounts, the rules cover: by tactic, with the gaps."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec

from osdetect.catalog.attack_rows import tactics_of, techniques_of
from osdetect.catalog.entries import Entry
from osdetect.catalog.evidence import NO_EVIDENCE, Evidence, State
from osdetect.catalog.incidents import KnownCall, known_calls
from osdetect.catalog.predicates import excluded
from osdetect.expr import Equals, Expr, Leaf, evaluate
from osdetect.expr.fold import leaves
from osdetect.expr.values import fold_case
from osdetect.schema.attack import Tactic, Technique, cloud_techniques, matrix
from osdetect.sigma import Rule

_NAME, _SOURCE = "eventName", "eventSource"
_ANOTHER = "\N{REPLACEMENT CHARACTER}no such call"
"""The name of no call: a rule that takes it as well filters on no call."""


class TechniqueCoverage(msgspec.Struct, frozen=True):
    """A technique, and how many rules say that they detect it."""

    technique: Technique
    declared: int
    tested: int
    """Those among them whose tests pass."""
    fired: int
    """Those among them that matched data."""

    @property
    def state(self) -> State:
        """The most that is known of any of its rules."""
        return State.FIRED if self.fired else State.TESTED if self.tested else State.DECLARED

    def rules(self, state: State) -> int:
        """How many rules are proven so far."""
        return (self.declared, self.tested, self.fired)[state]


class CallCoverage(msgspec.Struct, frozen=True):
    """A call known from incidents, and the rules that watch it."""

    call: KnownCall
    rules: tuple[Entry, ...]


class TacticCoverage(msgspec.Struct, frozen=True):
    """A tactic."""

    tactic: Tactic
    rules: int
    """Rules that name it."""
    techniques: tuple[TechniqueCoverage, ...]
    """Its techniques that rules name."""
    cloud: int
    """How many techniques ATT&CK has in it for infrastructure as a service."""
    calls: tuple[CallCoverage, ...]
    """Calls that served it in incidents; those of most reports first."""

    @property
    def gaps(self) -> tuple[KnownCall, ...]:
        """The calls that no rule watches."""
        return tuple(one.call for one in self.calls if not one.rules)

    def covered(self, state: State) -> int:
        """How many of ATT&CK's techniques for infrastructure as a service have a rule that is proven so far."""
        cloud = cloud_techniques()
        return sum(one.technique.id in cloud and one.rules(state) > 0 for one in self.techniques)


class Coverage(msgspec.Struct, frozen=True):
    """The whole."""

    tactics: tuple[TacticCoverage, ...]
    """Those of today in ATT&CK's order."""
    techniques: tuple[TechniqueCoverage, ...]
    """By id."""
    calls: tuple[CallCoverage, ...]
    """By service and name."""

    @property
    def watched(self) -> int:
        """How many of the calls a rule watches."""
        return sum(bool(one.rules) for one in self.calls)


def coverage_of(entries: Sequence[Entry], evidence: Mapping[str, Evidence]) -> Coverage:
    """What the rules cover."""
    techniques = _techniques(entries, evidence)
    calls = watchers(entries)
    named: dict[str, set[str]] = defaultdict(set)
    for entry in entries:
        for one in tactics_of(entry.rule.tags):
            named[one.tag].add(entry.id)
    cloud = cloud_techniques()
    tactics = tuple(
        TacticCoverage(
            tactic=stands,
            rules=len(named[stands.tag]),
            techniques=tuple(found for one in listed if (found := techniques.get(one.id))),
            cloud=sum(one.id in cloud for one in listed),
            calls=tuple(
                sorted(
                    (one for one in calls if stands in one.call.tactics),
                    key=lambda one: (-one.call.reports, one.call.source, one.call.name),
                )
            ),
        )
        for stands, listed in matrix()
    )
    return Coverage(tactics, tuple(techniques[key] for key in sorted(techniques)), calls)


def _techniques(entries: Iterable[Entry], evidence: Mapping[str, Evidence]) -> dict[str, TechniqueCoverage]:
    rules: dict[str, list[Evidence]] = defaultdict(list)
    named: dict[str, Technique] = {}
    for entry in entries:
        for one in techniques_of(entry.rule.tags):
            named[one.id] = one
            rules[one.id].append(evidence.get(entry.id, NO_EVIDENCE))
    return {
        key: TechniqueCoverage(
            named[key],
            declared=len(known),
            tested=sum(one.passes for one in known),
            fired=sum(one.fired > 0 for one in known),
        )
        for key, known in rules.items()
    }


def watchers(entries: Iterable[Entry]) -> tuple[CallCoverage, ...]:
    """For each call known from incidents the rules that watch it."""
    for_name: dict[str, list[Entry]] = defaultdict(list)
    for_any: list[Entry] = []
    for entry in entries:
        if not isinstance(entry.rule, Rule) or not entry.logsource.covers_cloudtrail():
            continue
        tests = [leaf.test for leaf in leaves(entry.rule.tree) if leaf.field == _NAME]
        if any(not isinstance(test, Equals) for test in tests):
            for_any.append(entry)
        else:
            for name in {fold_case(test.text) for test in tests if isinstance(test, Equals)}:
                for_name[name].append(entry)
    return tuple(
        CallCoverage(
            call,
            tuple(
                entry
                for entry in (*for_name[fold_case(call.name)], *for_any)
                if isinstance(entry.rule, Rule) and watches(entry.rule.tree, call)
            ),
        )
        for call in known_calls()
    )


def watches(tree: Expr[str], call: KnownCall) -> bool:
    """Whether a rule filters on calls by name, and takes this one: whatever else the event says may still decide.

    >>> from osdetect.expr import All
    >>> call = KnownCall("iam.amazonaws.com", "CreateUser", (), (), 1)
    >>> by_name, by_error = Leaf("eventName", Equals("CreateUser")), Leaf("errorCode", Equals("AccessDenied"))
    >>> watches(All((by_name, by_error)), call), watches(by_error, call)
    (True, False)
    """
    return not excluded(tree, _decided(call.source, call.name)) and excluded(
        tree, _decided(call.source, _ANOTHER)
    )


def _decided(source: str, name: str) -> Callable[[Leaf[str]], bool | None]:
    event = {_NAME: name, _SOURCE: source}
    return lambda leaf: evaluate(leaf, event) if leaf.field in event else None
