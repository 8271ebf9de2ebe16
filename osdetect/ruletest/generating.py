"""Tests made from a rule's tree: a record that matches, a near miss for each predicate, and what else its mutants need."""

from collections.abc import Iterator, Mapping
from itertools import takewhile
from typing import Any, assert_never

import msgspec

from osdetect.expr import All, AnyOf, Expr, Leaf, Not, evaluate, leaves, render
from osdetect.expr.evaluate import holds
from osdetect.ruletest.known_values import calls, sources_of
from osdetect.ruletest.mutants import Mutant, mutants
from osdetect.ruletest.samples import ABSENT
from osdetect.ruletest.scoring import space_of, start_of
from osdetect.ruletest.skeleton import ACCOUNT, Record, with_value
from osdetect.ruletest.solving import Space, matching, telling_apart, ways_to_match
from osdetect.sigma import Rule

Tree = Expr[str]
MAX_TESTS = 200
"""Tests that are made for one rule."""
_POOL = 40
_LONG = 160


class MadeTest(msgspec.Struct, frozen=True):
    """A test as it was made."""

    why: str
    expected: bool
    record: Record


class Made(msgspec.Struct, frozen=True):
    """The tests that were made for a rule; the first is the base."""

    rule: Rule
    tests: tuple[MadeTest, ...]


def make_tests(rule: Rule) -> Made | None:
    """Tests for the rule, each checked by evaluation; None where no record was found that matches."""
    space = space_of(rule)
    found = matching(rule.tree, start_of(rule), space)
    if found is None:
        return None
    base = _plausible(rule, found) if rule.logsource.covers_cloudtrail() else found
    tests = [MadeTest("it has all that the rule asks for", expected=True, record=base)]
    for why, record in _near_misses(rule.tree, base, space):
        if all(record != test.record for test in tests):
            tests.append(MadeTest(_cut(why), expected=False, record=record))
    _add_for_mutants(rule, base, tests, space)
    return Made(rule, tuple(tests[:MAX_TESTS]))


def _cut(text: str) -> str:
    return text if len(text) <= _LONG else f"{text[: _LONG - 3]}..."


def _near_misses(tree: Tree, base: Record, space: Space) -> Iterator[tuple[str, Record]]:
    """For each predicate a record that lacks it and nothing else, where there is one."""
    for leaf, filtered in _predicates(tree):
        record = _near_miss(tree, leaf, base, space)
        if record is not None:
            words = "it has what a filter leaves out" if filtered else "it lacks one thing"
            yield f"{words}: {render(leaf)}", record


def _predicates(tree: Tree, *, filtered: bool = False) -> Iterator[tuple[Leaf[str], bool]]:
    """Each leaf once, and whether it is one that must not hold."""
    match tree:
        case Leaf():
            yield tree, filtered
        case Not(part=part):
            yield from _predicates(part, filtered=not filtered)
        case All(parts=parts) | AnyOf(parts=parts):
            for part in parts:
                yield from _predicates(part, filtered=filtered)
        case _:
            assert_never(tree)


def _near_miss(tree: Tree, leaf: Leaf[str], base: Record, space: Space) -> Record | None:
    before = holds(leaf.field, leaf.test, base)
    found = [
        record
        for record in (*_other_calls(leaf, base), *space.changes(base, leaf.field))
        if not evaluate(tree, record) and holds(leaf.field, leaf.test, record) is not before
    ]
    return min(found, key=lambda record: _oddness(record, leaf.field), default=None)


def _other_calls(leaf: Leaf[str], base: Record) -> Iterator[Record]:
    """The same with another call of the service, one with a similar name."""
    name = base.get("eventName")
    if leaf.field != "eventName" or not isinstance(name, str):
        return
    others = [one for one in calls().get(str(base.get("eventSource")), ()) if one.lower() != name.lower()]
    others.sort(key=lambda one: (-_alike(one, name), len(one), one))
    yield from ({**base, "eventName": one} for one in others[:5])


def _alike(one: str, other: str) -> int:
    """How many characters they begin with together."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


def _oddness(record: Record, field: str) -> int:
    """How unlikely the change is: a call that succeeds has no error; other fields are seldom absent or null."""
    gone = with_value(record, field, ABSENT) == record
    if field in {"errorCode", "errorMessage"}:
        return 0 if gone else 1
    return 2 if gone or record.get(field, "") is None else 0


def _add_for_mutants(rule: Rule, base: Record, tests: list[MadeTest], space: Space) -> None:
    """A test more for each mutant that none so far notices and some record tells from the rule."""
    pool: list[Record] = [base]
    for record in ways_to_match(rule.tree, base, space):
        if record not in pool:
            pool.append(record)
        if len(pool) == _POOL:
            break
    for mutant in mutants(rule.tree).mutants:
        if len(tests) == MAX_TESTS:
            return
        if any(evaluate(mutant.tree, test.record) is not test.expected for test in tests):
            continue
        made = telling_apart(rule.tree, mutant.tree, tuple(pool), space_of(rule, mutant.tree))
        if made is not None:
            tests.append(MadeTest(_cut(_reason(mutant)), evaluate(rule.tree, made), made))


def _reason(mutant: Mutant) -> str:
    return f"it would come out otherwise if the rule were changed ({mutant.kind}): {mutant.text}"


_USERS: Mapping[str, Mapping[str, Any]] = {
    "Root": {
        "type": "Root", "principalId": ACCOUNT, "arn": f"arn:aws:iam::{ACCOUNT}:root", "accountId": ACCOUNT,
        "accessKeyId": "",
    },
    "AssumedRole": {
        "type": "AssumedRole", "principalId": "AROAEXAMPLEEXAMPLE01:example-session",
        "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/example-role/example-session", "accountId": ACCOUNT,
        "accessKeyId": "ASIAIOSFODNN7EXAMPLE",
        "sessionContext": {
            "sessionIssuer": {
                "type": "Role", "principalId": "AROAEXAMPLEEXAMPLE01",
                "arn": f"arn:aws:iam::{ACCOUNT}:role/example-role", "accountId": ACCOUNT, "userName": "example-role",
            },
            "attributes": {"creationDate": "2026-03-02T09:50:00Z", "mfaAuthenticated": "false"},
        },
    },
    "AWSService": {"type": "AWSService", "invokedBy": "example.amazonaws.com"},
}  # fmt: skip
"""userIdentity by its type (AWS CloudTrail user guide, "CloudTrail userIdentity element")."""


def _plausible(rule: Rule, found: Record) -> Record:
    """The record with what the rule does not ask for made to fit: the call's service, the caller, the error's message."""
    record = found
    for change in (_source, _name, _user, _message):
        changed = change(record, frozenset(leaf.field for leaf in leaves(rule.tree)))
        if evaluate(rule.tree, changed):
            record = changed
    return record


def _source(record: Record, asked: frozenset[str]) -> Record:
    sources = sources_of().get(str(record.get("eventName")).lower(), ())
    if "eventSource" in asked or not sources or record.get("eventSource") in sources:
        return record
    return {**record, "eventSource": sources[0]}


def _name(record: Record, asked: frozenset[str]) -> Record:
    names = calls().get(str(record.get("eventSource")), ())
    if "eventName" in asked or not names or record.get("eventName") in names:
        return record
    return {**record, "eventName": names[0]}


def _user(record: Record, asked: frozenset[str]) -> Record:
    user = record.get("userIdentity")
    known = _USERS.get(str(user.get("type")), {}) if isinstance(user, dict) else {}
    if not known or not isinstance(user, dict):
        return record
    kept = {
        name: user[name]
        for name in user
        if any(f"{one}.".startswith(f"userIdentity.{name}.") for one in asked)
    }
    inner = {**known, **{name: value for name, value in kept.items() if not isinstance(value, dict)}}
    return {**record, "userIdentity": inner}


def _message(record: Record, asked: frozenset[str]) -> Record:
    if record.get("errorCode") and "errorMessage" not in record and "errorMessage" not in asked:
        return {**record, "errorMessage": "The request was refused.", "responseElements": None}
    return record
