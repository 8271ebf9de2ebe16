"""Random trees and random events, asked of a real node: percolation equals evaluation, and no search misses."""

import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from uuid import UUID

import orjson
import pytest

from osdetect.cluster import Cluster, Connection
from osdetect.compiler import Compiled, compile_rule
from osdetect.deploy import deploy
from osdetect.detect.percolate import Percolator
from osdetect.detect.release import live_release
from osdetect.documents.told import EventReference
from osdetect.errors import Where
from osdetect.expr import (
    ANYWHERE,
    All,
    AnyOf,
    Boolean,
    Cidr,
    Compare,
    CompareTime,
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
    TimePart,
    Wildcard,
    evaluate,
    simplify,
)
from osdetect.follow import StoredEvent
from osdetect.schema.event_fields import EventFields
from osdetect.sigma import LogSource, Rule
from osdetect.vocabulary import Level
from tests.compiler.material import as_stored

pytestmark = pytest.mark.node

INDEX = "osdetect-cloudtrail-agreement-2024.01"

# Paths that the event index knows as keywords, and others; the same name may lead to objects, texts and lists.
INDEXED = (
    "eventName",
    "userAgent",
    "sourceIPAddress",
    "errorCode",
    "errorMessage",
    "userIdentity.arn",
    "resources.ARN",
)
OTHERS = (
    "requestParameters",
    "requestParameters.a",
    "requestParameters.a.b",
    "x.y",
    "x/y",
    "*",
    "ключ",
    "% /.",
)
TEXTS = (
    "", "a", "A", "ab", "aB*", "a?b", "İ", "i", "ΟΔΟΣ", "οδοσ", "οδος", "ß", "ẞ", "true", "FALSE", "1", "1.0", "-1",
    "1e3", " 1", "null", "10.0.0.1", "10.0.0.1 ", "2001:db8::1", "::ffff:10.0.0.1", "fe80::1%eth0", "iam.amazonaws.com",
    "\\", "\n", "😀", "\U0001d518x", '{"b":1}', "[]", "x" * 7_000, "X" * 7_001, "x" * 8_191, "X" * 8_192, "😀" * 4_000, "😀" * 5_000,
    "😀" * 7_000, "y" * 40_000,
    "2024-05-01", "2024-05-01T23:59:59Z", "2024-05-02T01:30:00+05:30", "2024-02-30", "0001-01-01T00:00:00+14:00",
)  # fmt: skip
NUMBERS = (0, 1, 1.0, -1, 2.5, 1000, 2**53, -0.0)
NETWORKS = ("10.0.0.0/8", "10.0.0.1/32", "2001:db8::/32", "::ffff:0:0/96", "fe80::/10", "::/0", "0.0.0.0/0")
MOMENTS = ("2024-05-01", "2024-05-01T20:00:00Z", "2024-05-02T01:30:00+05:30")
PATTERNS = (
    "a",
    "^a",
    "b$",
    "^$",
    "(?i)A",
    "x+$",
    "^.{3}$",
    "İ",
    "😀",
    "1",
    ":",
    r"\bb",
    "a(?!b)",
    "^(?!a)",
    r"[^a-z]",
    "A|b$",
    "(?s).x",
    "x{3,}",
)


def _literal(chance: random.Random) -> str:
    text = chance.choice(TEXTS)
    return text if chance.random() < 0.6 else text[: chance.randint(0, 300)]


def _wildcard(chance: random.Random) -> Wildcard:
    parts: list[str | Gap] = []
    for _ in range(chance.randint(1, 5)):
        choices: list[str | Gap] = [Gap.ANY, Gap.ANY, Gap.ONE, _literal(chance)]
        part = chance.choice(choices)
        if part != "":
            parts.append(part)
    return Wildcard(tuple(parts), chance.random() < 0.2)


def _test(chance: random.Random) -> Test:
    makers = (
        lambda: Equals(_literal(chance), chance.random() < 0.2),
        lambda: Equals(_literal(chance)),
        lambda: _wildcard(chance),
        lambda: Regex(chance.choice(PATTERNS), chance.choice(["", "i", "ms"])),
        lambda: Cidr(chance.choice(NETWORKS)),
        lambda: Number(chance.choice(NUMBERS)),
        lambda: Compare(chance.choice(["lt", "lte", "gt", "gte"]), chance.choice(NUMBERS)),
        lambda: Boolean(chance.random() < 0.5),
        Null,
        Exists,
        lambda: CompareTime(chance.choice(["lt", "lte", "gt", "gte"]), chance.choice(MOMENTS)),
        lambda: TimePart(
            chance.choice(["minute", "hour", "day", "week", "month", "year"]),
            chance.choice(["eq", "lt", "lte", "gt", "gte"]),
            chance.choice([0, 1, 5, 18, 30, 59, 2024]),
        ),
        lambda: SameAs(
            chance.choice(INDEXED + OTHERS),
            chance.choice(["is", "startswith", "endswith", "contains"]),
            chance.random() < 0.2,
        ),
    )
    made: Test = chance.choice(makers)()
    return made


def _tree(chance: random.Random, depth: int = 3) -> Expr[str]:
    if depth == 0 or chance.random() < 0.3:
        return Leaf(chance.choice((*INDEXED, *OTHERS, ANYWHERE)), _test(chance))
    if chance.random() < 0.3:
        return Not(_tree(chance, depth - 1))
    parts = tuple(_tree(chance, depth - 1) for _ in range(chance.choice([0, 1, 2, 2, 3, 4])))
    return All(parts) if chance.random() < 0.5 else AnyOf(parts)


def _scalar(chance: random.Random) -> Any:
    return chance.choice([None, True, False, chance.choice(NUMBERS), _literal(chance), _literal(chance)])


def _value(chance: random.Random, *, objects: bool) -> Any:
    kind = chance.random()
    if kind < 0.2:
        return [_value(chance, objects=objects) for _ in range(chance.randint(0, 3))]
    if kind < 0.4 and objects:
        keys = chance.sample(["a", "b", "y", "a.b", "c"], chance.randint(0, 3))
        return {key: _value(chance, objects=True) for key in keys}
    return _scalar(chance)


def _event(chance: random.Random) -> dict[str, Any]:
    """Objects stand only where the event index takes them: an index refuses an object where it has a keyword."""
    event: dict[str, Any] = {}
    for path in chance.sample(INDEXED, chance.randint(0, 4)):
        head, _, tail = path.partition(".")
        value = _value(chance, objects=False)
        if not tail:
            event[head] = value
        elif chance.random() < 0.3:
            event[path] = value
        else:
            event[head] = {tail: value} if chance.random() < 0.5 else [{tail: value}, {tail: _scalar(chance)}]
    for key in chance.sample(
        ["requestParameters", "x", "x.y", "x/y", "*", "ключ", "% /"], chance.randint(0, 3)
    ):
        event[key] = _value(chance, objects=True)
    return event


def _rule(tree: Expr[str], number: int) -> Rule:
    return Rule(
        id=str(UUID(int=number)),
        name="",
        title=f"tree {number}",
        description="",
        status="test",
        level=Level.LOW,
        author="",
        license="",
        date="",
        modified="",
        references=(),
        falsepositives=(),
        tags=(),
        logsource=LogSource("", "aws", "cloudtrail"),
        filters=(),
        tree=tree,
        where=Where("generated"),
    )


Pairs = set[tuple[int, str]]
"""Event's number and rule's id."""


def _percolated(cluster: Cluster, compiled: Sequence[Compiled], events: Sequence[Mapping[str, Any]]) -> Pairs:
    report = deploy(cluster, compiled, on_progress=lambda *_: None)
    assert not report.refused
    release = live_release(cluster)
    assert not release.unreadable
    stored = [
        StoredEvent(EventReference(INDEX, "uuid", str(number), 0, number), source=event)
        for number, event in enumerate(events)
    ]
    return {(event.at.seq_no, rule) for event, rule in Percolator(cluster, release).candidates(stored)}


def _store(cluster: Cluster, events: Sequence[Mapping[str, Any]]) -> None:
    cluster.request("DELETE", f"/{INDEX}", accept=(404,))
    outcomes = cluster.bulk(
        [
            orjson.dumps({"create": {"_index": INDEX, "_id": str(number)}}) + b"\n" + as_stored(event) + b"\n"
            for number, event in enumerate(events)
        ],
        params={"pipeline": "_none", "refresh": "true"},
    )
    assert [outcome.reason for outcome in outcomes if not outcome.created] == []


def _found(cluster: Cluster, compiled: Sequence[Compiled]) -> Pairs:
    body = b"".join(
        b"{}\n" + orjson.dumps({"size": 10_000, "_source": False, "query": one.source["search"]}) + b"\n"
        for one in compiled
    )
    replies = cluster.request("POST", f"/{INDEX}/_msearch", body=body)["responses"]
    assert [reply["error"]["reason"] for reply in replies if "error" in reply] == []
    return {
        (int(hit["_id"]), one.stored.id)
        for one, reply in zip(compiled, replies, strict=True)
        for hit in reply["hits"]["hits"]
    }


def _compare(cluster: Cluster, trees: Sequence[Expr[str]], events: Sequence[Mapping[str, Any]]) -> int:
    """How many pairs match; every pair must be decided the same in each way."""
    fields = EventFields.shipped()
    compiled = [compile_rule(_rule(tree, number), fields) for number, tree in enumerate(trees)]
    percolated = _percolated(cluster, compiled, events)
    _store(cluster, events)
    found = _found(cluster, compiled)
    held = {
        (number, one.stored.id)
        for one, tree in zip(compiled, trees, strict=True)
        for number, event in enumerate(events)
        if evaluate(tree, event)
    }
    by_id = {one.stored.id: tree for one, tree in zip(compiled, trees, strict=True)}
    assert [(by_id[rule], events[number]) for number, rule in percolated ^ held][:3] == []
    assert [(by_id[rule], events[number]) for number, rule in held - found][:3] == []
    return len(held)


def test_a_search_finds_a_text_that_is_too_long_beside_one_that_is_not(fresh_cluster: str) -> None:
    long = "x" * 9_000 + "needle"
    events: list[dict[str, Any]] = [
        {"userAgent": ["short", long]},
        {"userAgent": [long, "short"]},
        {"userAgent": ["short"]},
        {"resources": [{"ARN": "short"}, {"ARN": long}]},
    ]
    trees: list[Expr[str]] = [
        Leaf(path, test)
        for path in ("userAgent", "resources.ARN")
        for test in (Wildcard((Gap.ANY, "needle")), Regex("needle$"), Equals(long))
    ]
    with Cluster.connect(Connection(url=fresh_cluster)) as cluster:
        assert _compare(cluster, trees, events) == 9


def _batches(
    seed: int, count: int, trees: int, events: int
) -> Iterator[tuple[list[Expr[str]], list[dict[str, Any]]]]:
    for number in range(count):
        chance = random.Random(f"{seed}/{number}")
        made = [_tree(chance) for _ in range(trees)]
        # Both forms: what the reader deploys is simplified, but the meaning must not depend on that.
        kept = [simplify(tree) if place % 2 else tree for place, tree in enumerate(made)]
        yield kept, [_event(chance) for _ in range(events)]


def test_two_thousand_pairs_of_tree_and_event_agree(fresh_cluster: str) -> None:
    with Cluster.connect(Connection(url=fresh_cluster)) as cluster:
        matches = sum(_compare(cluster, *batch) for batch in _batches(1, count=2, trees=40, events=30))
    assert 400 < matches < 2_000  # both answers are common


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", range(2, 16))
def test_two_hundred_thousand_pairs_of_tree_and_event_agree(fresh_cluster: str, seed: int) -> None:
    with Cluster.connect(Connection(url=fresh_cluster)) as cluster:
        matches = sum(_compare(cluster, *batch) for batch in _batches(seed, count=4, trees=60, events=60))
    assert matches > 1_000
