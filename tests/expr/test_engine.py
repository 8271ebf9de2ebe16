"""The engine on real rules and records, on odd texts, and within its bounds."""

import gzip
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import orjson
import pytest

from osdetect.expr import (
    All,
    AnyOf,
    Equals,
    Exists,
    Expr,
    Gap,
    Leaf,
    Not,
    Null,
    Number,
    Regex,
    Wildcard,
    evaluate,
)
from osdetect.expr.engine import Engine, Judged
from osdetect.expr.engine.column import Column
from osdetect.expr.engine.memory import Memory
from osdetect.scenario import iter_records
from osdetect.sigma import read_rules

Rules = list[tuple[str, Expr[str]]]
SOME: Rules = [
    ("name", Leaf("eventName", Equals("createuser"))),
    ("failed", All((Leaf("eventName", Wildcard(("Create", Gap.ANY))), Leaf("errorCode", Exists())))),
    ("root", All((Leaf("userIdentity.type", Equals("Root")), Not(Leaf("eventType", Equals("x")))))),
    ("open", All((Leaf("eventName", Equals("Open")), Leaf("requestParameters.cidr", Equals("0.0.0.0/0"))))),
    ("null", All((Leaf("eventName", Equals("Null")), Leaf("requestParameters.a", Null())))),
    ("anywhere", All((Leaf("eventSource", Equals("x")), Leaf("", Regex("needle"))))),
]


def _text(records: Sequence[bytes], between: bytes = b",") -> bytes:
    return b'{"Records":[' + between.join(records) + b"]}"


def _judge(engine: Engine, text: bytes) -> Judged:
    """What the engine says now, and when it has learned: the same."""
    first, second = engine.match_records(text), engine.match_records(text)
    assert first is not None
    assert first == second
    return first


def _agree(rules: Rules, records: Sequence[bytes], at_once: int = 200) -> int:
    """How many pairs match; every pair must be decided as `evaluate` does."""
    engines = [Engine.of(rules), Engine.of(rules, compiled=False)]
    matches = 0
    for start in range(0, len(records), at_once):
        some = records[start : start + at_once]
        events = [orjson.loads(record) for record in some]
        wanted = [tuple(rule_id for rule_id, tree in rules if evaluate(tree, event)) for event in events]
        text = _text(some)
        for engine in engines:
            assert [engine.match(event) for event in events] == wanted
            judged = _judge(engine, text)
            assert judged.records == len(some)
            assert {match.number - 1: match.rules for match in judged.matches} == {
                number: held for number, held in enumerate(wanted) if held
            }
            assert [text[start:stop] for start, stop in judged.spans()] == [
                some[match.number - 1] for match in judged.matches
            ]
        matches += sum(map(len, wanted))
    return matches


def test_every_real_rule_is_decided_on_every_real_record_as_evaluate_does(shared: Path) -> None:
    rules = [(rule.id, rule.tree) for rule in read_rules([shared / "data" / "rules"]).rules]
    with gzip.open(shared / "data" / "oracle" / "corpus.ndjson.gz") as lines:
        records = [orjson.dumps(orjson.loads(line)["event"]) for line in lines]
    assert (len(rules) > 500, len(records)) == (True, 4_050)
    assert _agree(rules, records) > 500


def test_the_projects_rules_are_decided_on_the_scenario_as_evaluate_does() -> None:
    rules = [(rule.id, rule.tree) for rule in read_rules([Path(__file__).parents[2] / "rules"]).rules]
    records = [orjson.dumps(record) for record in iter_records(seed=3, background_count=2_000)]
    assert _agree(rules, records) > 50


@pytest.mark.parametrize(
    "record",
    [
        b'{"userIdentity":{"type":"Root"}}',
        b'{"userIdentity.type":"root"}',
        b'{"userIdentity\\u002etype":"root"}',
        b'{"userIdentity":[{"type":"a"},{"type":["Root"]}]}',
        b'{"userIdentity":{"type":"a","type":"Root"}}',
        b'{"userIdentity":{"type":"Root"},"userIdentity":null}',
        b'{"userIdentity":null}',
        b'{"userIdentity":"Root"}',
        b'{"userIdentity":{"type":null},"eventType":"x"}',
        b'{"eventName":"Open","requestParameters":{"cidr":["1.2.3.4/0","0.0.0.0/0"]}}',
        b'{"eventName":"Open","requestParameters":[{"cidr":"0.0.0.0/0"}]}',
        b'{"eventName":"Open","requestParameters.cidr":"0.0.0.0/0"}',
        b'{"eventName":"Open","requestParameters":null}',
        b'{"eventName":"Null","requestParameters":null}',
        b'{"eventName":"Null","requestParameters":{"a":[]}}',
        b'{"eventName":"Null","requestParameters":{"a":1}}',
        b'{"eventName":["CreateUser","Open"],"errorCode":null}',
        b'{"eventName":{"a":"CreateUser"}}',
        b'{"event\\u004eame":"CREATEUSER","errorCode":""}',
        b'{"eventSource":"X","deep":[{"er":["a needle"]}]}',
        b'{"eventSource":"x","deep":{"needle":"no value"}}',
        b'{"eventName":1}',
        b"{}",
    ],
    ids=bytes.decode,
)
def test_a_record_of_unusual_form_is_decided_as_evaluate_does(record: bytes) -> None:
    usual = b'{"eventName":"CreateUser","eventSource":"x","eventType":"y","userIdentity":{"type":"z"},"requestParameters":{}}'
    _agree(SOME, [usual, record, usual])
    _agree(SOME, [record])
    _agree(SOME, [usual, record, usual], at_once=1)


def test_one_and_true_are_not_taken_for_each_other() -> None:
    rules: Rules = [("true", Leaf("a", Equals("true"))), ("one", Leaf("a", Number(1)))]
    _agree(rules, [b'{"a":true}', b'{"a":1}', b'{"a":1.0}', b'{"a":"1"}', b'{"a":"true"}'] * 2, at_once=1)


@pytest.mark.parametrize("between", [b",", b", ", b"\n,\r\n\t", b" ,"])
def test_records_are_found_whatever_space_is_between_them(between: bytes) -> None:
    records = [b'{"eventName":"CreateUser","n":%d}' % number for number in range(20_000)]
    text = b' {\n"Records" : [ ' + between.join(records) + b" ] }\n"
    judged = _judge(Engine.of(SOME), text)
    assert judged.records == len(judged.matches) == 20_000
    assert [text[start:stop] for start, stop in judged.spans()] == records


def test_a_record_with_records_inside_is_one_record() -> None:
    inner = b",".join([b'{"eventName":"CreateUser"}'] * 20_000)
    text = _text([b'{"eventName":"CreateUser","in":[%s]}' % inner])
    judged = Engine.of(SOME).match_records(text)
    assert judged is None or judged.records == 1


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[]",
        b"{}",
        b'{"Records":{}}',
        b'{"Records":[]',
        b'{"Records":[{}],"x":[1]}',
        b'{"Records":[],"x":[]}',
        b'{"Records":[{}],"Records":[{}]}',
        b'\xef\xbb\xbf{"Records":[]}',
        b'{"Records":[1]}',
        b'{"Records":[{},null]}',
        b'{"Records":[{},]}',
        b'{"Records":[{} {}]}',
        b'{"Records":[{"a":NaN}]}',
        b'{"Records":[{"a":"\x01"}]}',
        b'{"Records":[{"a":"\xff"}]}',
        b'{"Records":[{"eventName":"\\ud800"}]}',
        b'{"Records":[{"unread":"\\udc00"}]}',
        b'{"Records":[{"a":%s}]}' % (b"[" * 100_000),
        b'{"Records":[{"a":%s%s}]}' % (b"[" * 100_000, b"]" * 100_000),
        b'{"Records":[{"eventName":"CreateUser"},{"eventName":"CreateUs',
    ],
    ids=lambda text: text[:40].decode(errors="replace"),
)
def test_an_odd_text_is_left_to_the_careful_way(text: bytes) -> None:
    engine = Engine.of(SOME)
    engine.match_records(b'{"Records":[{"a":1,"unread":2,"eventName":"x"}]}')
    assert engine.match_records(text) is None


@pytest.mark.parametrize("text", [b'{"Records":[]}', b' {"Records": [ \n ] } '])
def test_a_delivery_without_records_has_none(text: bytes) -> None:
    assert Engine.of(SOME).match_records(text) == Judged(0, ())


def test_lines_are_records_with_blank_ones_between() -> None:
    text = b'\n{"eventName":"CreateUser"}\r\n\n  {"eventName":"Other"}\n {"eventName":"createuser"} \n\n'
    judged = Engine.of(SOME).match_lines(text)
    assert judged is not None
    assert judged.records == 3
    assert [text[start:stop] for start, stop in judged.spans()] == [
        b'{"eventName":"CreateUser"}',
        b'{"eventName":"createuser"}',
    ]
    assert [match.number for match in judged.matches] == [1, 3]


@pytest.mark.parametrize(
    "text", [b"{},{}", b'{"a":1\n"b":2}\n{},{}', b"[]", b"{}\nx", b'{"a":\n1}', b"{}{}"], ids=bytes.decode
)
def test_lines_that_are_not_a_record_each_are_left_to_the_careful_way(text: bytes) -> None:
    assert Engine.of(SOME).match_lines(text) is None


def test_no_rules_hold_for_nothing_and_a_rule_of_nothing_for_everything() -> None:
    everything: Rules = [("all", All(())), ("none", AnyOf(())), ("not", Not(AnyOf(())))]
    assert _judge(Engine.of([]), b'{"Records":[{"a":1},{}]}') == Judged(2, ())
    assert [m.rules for m in _judge(Engine.of(everything), b'{"Records":[{},{"a":1}]}').matches] == [
        ("all", "not")
    ] * 2


def test_a_name_that_appears_later_is_learned() -> None:
    engine = Engine.of(SOME)
    for name in [f"new{number}" for number in range(300)]:  # more than are learned
        judged = engine.match_records(b'{"Records":[{"eventName":"CreateUser","%s":1}]}' % name.encode())
        assert judged is not None
        assert judged.matches[0].rules == ("name",)


def test_what_is_remembered_has_a_bound() -> None:
    memory: Memory[int, int] = Memory(10, 1_000, {-1: -1})
    for number in range(100):
        memory.put(number, number, weight=number % 9)
        assert (len(memory.held) <= 11, memory.get(-1), memory.get(number)) == (True, -1, number)
    assert memory.put(7_000, 1, weight=101) == 1
    assert memory.get(7_000) is None


def test_a_field_of_many_long_values_is_remembered_within_a_bound() -> None:
    column = Column.of("a", [Wildcard((Gap.ANY, "x", Gap.ANY))])
    for number in range(1_500):
        column.of_column([f"{number}" * 300])
    assert sum(len(value) for value in column.memo.held if isinstance(value, str)) <= 1 << 20


def test_the_scenario_is_judged_alike_however_it_is_cut_into_files() -> None:
    rules = [(rule.id, rule.tree) for rule in read_rules([Path(__file__).parents[2] / "rules"]).rules]
    records = [orjson.dumps(record) for record in islice(iter_records(seed=5, background_count=1_500), 1_500)]
    whole = _judge(Engine.of(rules), _text(records))
    engine = Engine.of(rules)
    apart = [engine.match_records(_text([record])) for record in records]
    found = {number + 1: one.matches[0].rules for number, one in enumerate(apart) if one and one.matches}
    assert {match.number: match.rules for match in whole.matches} == found


def test_a_field_of_ever_new_values_is_decided_as_evaluate_does() -> None:
    rules: Rules = [
        ("evil", Leaf("arn", Wildcard((Gap.ANY, "evil", Gap.ANY)))),
        (
            "named",
            All((Leaf("eventName", Equals("a")), Not(Leaf("arn", Wildcard((Gap.ANY, "evil", Gap.ANY)))))),
        ),
        ("there", All((Leaf("eventName", Equals("b")), Leaf("ip", Exists())))),
        ("ip", Leaf("ip", Equals("AWS Internal"))),
        ("agent", All((Leaf("eventName", Equals("c")), Leaf("agent", Regex("r[o0]bot"))))),
    ]
    odd = [
        '"x\\nEvil\\ny"',
        '"év il"',
        '"é\\nevil"',
        "null",
        "true",
        "1",
        '["evil"]',
        '{"a":"evil"}',
        '""',
        '"K\\u212a"',
    ]
    records = []
    for number in range(1_500):
        name = "abc"[number % 3]
        arn = f'"arn:{number}/EVIL"' if number % 40 == 0 else f'"arn:{number}"'
        if number % 97 == 0:
            arn = odd[number // 97 % len(odd)]
        place = '"AWS Internal"' if number % 7 == 0 else f'"192.0.2.{number}"'
        ip = "" if number % 11 == 0 else f',"ip":{place}'
        agent = f'"agent {number} {"r0bot" if number % 53 == 0 else ""}"'
        records.append(f'{{"eventName":"{name}","arn":{arn},"agent":{agent}{ip}}}'.encode())
    engine = Engine.of(rules)
    engine.match_records(_text(records[:200]))
    engine.match_records(_text(records[:1]))
    assert len(engine._grouping.rare) == 3
    assert _agree(rules, records) > 500
    assert _agree(rules, records[:500], at_once=1) > 100
