"""Random trees and random records: the engine says what `evaluate` says, by each of its ways."""

import json
import random
from typing import Any

import orjson
import pytest

from osdetect.expr import (
    All,
    AnyOf,
    Boolean,
    Cidr,
    Compare,
    Equals,
    Exists,
    Expr,
    Gap,
    Leaf,
    Not,
    Null,
    Number,
    Regex,
    SameAs,
    Test,
    Wildcard,
    evaluate,
    simplify,
)
from osdetect.expr.engine import Engine, hot
from osdetect.expr.nodes import ANYWHERE, CompareTime, TimePart

# The paths lead into each other, and their dots may be in a key.
PATHS = (
    "eventName",
    "eventSource",
    "a",
    "b",
    "u.t",
    "u.s.t",
    "u",
    "u.n",
    "r.a",
    "r.a.b",
    "r.c",
    "r",
    "x y",
    ANYWHERE,
)
TEXTS = (
    "", "a", "A", "ab", "aB*", "a?b", "İ", "i", "ΟΔΟΣ", "οδος", "ß", "true", "FALSE", "1", "1.0", "-1", "1e3", " 1",
    "10.0.0.1", "2001:db8::1", "\\", "\n", "😀", '{"b":1}', "[]", "2024-05-01T10:30:00Z", "2024-05-02", "x" * 300, "y" * 20_000,
)  # fmt: skip
NUMBERS = (0, 1, 1.0, -1, 2.5, 1000, 2**53, -0.0)
NETWORKS = ("10.0.0.0/8", "10.0.0.1/32", "2001:db8::/32", "::/0", "0.0.0.0/0")
PATTERNS = ("a", "^a", "b$", "^$", "(?i)A", "x+$", "^.{3}$", "İ", "😀", "1", ":")
SIDES: Any = ("lt", "lte", "gt", "gte")
LARGE = (2**63, 2**64, 2**64 + 1, -(2**63) - 1, 10**25, 1e300)


def _wildcard(chance: random.Random) -> Wildcard:
    choices: tuple[str | Gap, ...] = (Gap.ANY, Gap.ANY, Gap.ONE, "a", chance.choice(TEXTS) or "b")
    return Wildcard(tuple(chance.choice(choices) for _ in range(chance.randint(0, 4))), chance.random() < 0.2)


def _test(chance: random.Random) -> Test:
    relations: Any = ("is", "startswith", "endswith", "contains")
    parts: Any = ("minute", "hour", "day", "week", "month", "year")
    makers = (
        lambda: Equals(chance.choice(TEXTS), chance.random() < 0.2),
        lambda: Equals(chance.choice(TEXTS)),
        lambda: _wildcard(chance),
        lambda: Regex(chance.choice(PATTERNS), chance.choice(["", "i", "ms"])),
        lambda: Cidr(chance.choice(NETWORKS)),
        lambda: Number(chance.choice(NUMBERS)),
        lambda: Compare(chance.choice(SIDES), chance.choice(NUMBERS)),
        lambda: CompareTime(chance.choice(SIDES), "2024-05-01T12:00:00+00:00"),
        lambda: TimePart(
            chance.choice(parts), chance.choice((*SIDES, "eq")), chance.choice([1, 5, 10, 30, 2024])
        ),
        lambda: Boolean(chance.random() < 0.5),
        Null,
        Exists,
        lambda: SameAs(chance.choice(PATHS), chance.choice(relations), chance.random() < 0.3),
    )
    made: Test = chance.choice(makers)()
    return made


def _tree(chance: random.Random, depth: int = 3) -> Expr[str]:
    if depth == 0 or chance.random() < 0.3:
        path = (
            ANYWHERE if chance.random() < 0.02 else chance.choice(PATHS)
        )  # for it a record is read as a whole
        return Leaf(path, _test(chance))
    if chance.random() < 0.3:
        return Not(_tree(chance, depth - 1))
    parts = tuple(_tree(chance, depth - 1) for _ in range(chance.choice([0, 1, 2, 2, 3, 4])))
    return All(parts) if chance.random() < 0.6 else AnyOf(parts)


def _rule(chance: random.Random) -> Expr[str]:
    """As random as can be, or as rules mostly are: some call by name and something more."""
    tree = _tree(chance)
    if chance.random() < 0.5:
        tree = All((Leaf("eventName", Equals(chance.choice(TEXTS))), tree))
    return simplify(tree) if chance.random() < 0.5 else tree


def _value(chance: random.Random, depth: int = 3) -> Any:
    kind = chance.random()
    if kind < 0.1 and depth:
        return [_value(chance, depth - 1) for _ in range(chance.randint(0, 3))]
    if kind < 0.25 and depth:
        return {
            key: _value(chance, depth - 1) for key in chance.sample(["a", "b", "c", "t", "a.b", "s.t"], 2)
        }
    if kind < 0.4:
        return chance.choice([None, True, False, *NUMBERS, *LARGE])
    return chance.choice(TEXTS)


def _record(chance: random.Random) -> dict[str, Any]:
    """A record that is often of the usual form, so that the fast way is taken, and sometimes of none."""
    record: dict[str, Any] = {
        name: chance.choice(TEXTS) for name in ("eventName", "eventSource") if chance.random() < 0.9
    }
    odd = chance.random() < 0.15
    for name in chance.sample(["a", "b", "x y", "unread"], chance.randint(0, 3)):
        record[name] = _value(chance) if odd else chance.choice([None, True, 1, *TEXTS])
    if chance.random() < 0.7:
        user = {name: chance.choice(TEXTS) for name in chance.sample(["t", "n", "z"], 2)}
        record["u"] = (
            _value(chance) if odd else {**user, "s": {"t": chance.choice(TEXTS)}} if "z" in user else user
        )
    if chance.random() < 0.6:
        record["r"] = _value(chance)
    if odd and chance.random() < 0.5:
        record[chance.choice(["u.t", "r.a", "u.s", "r.a.b", "a.b", "\\", '"'])] = _value(chance)
    return record


def _judged(engine: Engine, records: list[bytes], *, lines: bool) -> list[tuple[str, ...]]:
    text = b"\n".join(records) if lines else b'{"Records":[' + b",".join(records) + b"]}"
    judged = engine.match_lines(text) if lines else engine.match_records(text)
    assert judged is not None
    assert judged.records == len(records)
    found: list[tuple[str, ...]] = [()] * len(records)
    for match, (start, stop) in zip(judged.matches, judged.spans(), strict=True):
        assert text[start:stop] == records[match.number - 1]
        found[match.number - 1] = match.rules
    return found


def _compare(chance: random.Random, rules: int, records: int) -> int:
    """How many pairs match; every pair must be decided the same in each way."""
    trees = [(f"r{number}", _rule(chance)) for number in range(rules)]
    raw = [
        json.dumps(_record(chance)).encode() if chance.random() < 0.9 else _written(chance)
        for _ in range(records)
    ]
    wanted = []
    for one in raw:
        event = orjson.loads(one)
        wanted.append(tuple(rule_id for rule_id, tree in trees if evaluate(tree, event)))
    # Fields looked up each by itself, some together, all together.
    steady = chance.choice([0, 4, 256])
    for compiled in (True, False):
        engine = Engine.of(trees, compiled=compiled)
        engine._steady = steady
        assert [engine.match(orjson.loads(one)) for one in raw] == wanted
        for _ in range(2):  # names are learned in the first
            assert _judged(engine, raw, lines=False) == wanted
            # Few at a time: an odd record spoils the fast way for those beside it.
            assert [
                _judged(engine, [one], lines=number % 2 == 0)[0] for number, one in enumerate(raw)
            ] == wanted
    return sum(map(len, wanted))


def _written(chance: random.Random) -> bytes:
    """A record as no serialiser writes it: keys twice, escapes in keys, numbers in other forms, spaces."""
    texts = [orjson.dumps(chance.choice(TEXTS)) for _ in range(4)]
    return chance.choice(
        [
            b'{"eventName":%s,"eventName":%s,"u":{"t":%s,"t":%s}}',
            b'{ "event\\u004eame" : %s, "eventSource":%s ,"u" : {"\\u0074":%s,"s":{"t":%s}}, "a":1e2}',
            b'{"eventName":%s,"r":{"a":%s,"\\u0061":{"b":%s}},"u\\u002et":%s}',
            b'{"a":18446744073709551616,"eventName":%s,"b":%s,"r":{"c":12345678901234567890123,"a":%s},"u":null,"x y":%s}',
            b'{"eventName":%s,"eventSource":%s,"a":%s,"b":%s,"u":{"s":null},"r":-0.0}',
        ]
    ) % tuple(texts)


@pytest.fixture(params=[2, 5, 12])
def few_or_many_hot_fields(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not hot is read later, of the same record: with few hot fields that is done much."""
    monkeypatch.setattr(hot, "MOST", request.param)


@pytest.mark.usefixtures("few_or_many_hot_fields")
def test_three_thousand_pairs_of_tree_and_record_agree() -> None:
    matches = _compare(random.Random(1), rules=40, records=25)
    assert 50 < matches < 900  # both answers are common


@pytest.mark.long
@pytest.mark.usefixtures("few_or_many_hot_fields")
@pytest.mark.parametrize("seed", range(100, 117))
def test_a_hundred_thousand_pairs_of_tree_and_record_agree(seed: int) -> None:
    assert _compare(random.Random(seed), rules=40, records=50) > 30
