"""The engine with the compiled reader: no hit is lost or given twice, gathered or not, whatever stands beside it."""

import random
from collections.abc import Iterator
from typing import Any

import orjson
import pytest

from osdetect.expr import All, Cidr, Equals, Exists, Expr, Gap, Leaf, Not, Regex, Wildcard
from osdetect.expr.engine import Engine
from osdetect.expr.engine.keyed import Keyed
from osdetect.scan.keys import TOLD, Keys
from osdetect.scenario import iter_records
from tests.expr.compiled import delivery, require_compiled

Rules = list[tuple[str, Expr[str]]]
TELL = ("id",)
EVER = (0, 1 << 62)
RULES: Rules = [
    ("create", Leaf("eventName", Wildcard(("Create", Gap.ANY)))),
    ("failed", All((Leaf("eventName", Equals("CreateUser")), Leaf("errorCode", Exists())))),
    ("agent", Leaf("userAgent", Wildcard((Gap.ANY, "kali", Gap.ANY)))),
    ("role", Leaf("userIdentity.arn", Regex("role/adm[io]n"))),
    ("open", All((Leaf("eventName", Equals("Open")), Leaf("requestParameters.cidr", Equals("0.0.0.0/0"))))),
]


EACH: Rules = [("each", All((Leaf("eventName", Exists()), Not(Leaf("errorCode", Equals("none"))))))]


@pytest.fixture(autouse=True)
def _compiled() -> None:
    require_compiled()


def _records(count: int, chance: random.Random) -> list[bytes]:
    made = []
    for number in range(count):
        record: dict[str, Any] = {
            "eventName": chance.choice(["CreateUser", "Open", "List", "Get", "CREATEROLE"]),
            "userAgent": f"agent {number}" + chance.choice(["", "", " Kali", " \u212aali"]),
            "userIdentity": {"arn": f"arn:{number}:role/{chance.choice(['x', 'y', 'z', 'admin'])}"},
            "recipientAccountId": chance.choice(["111122223333", "111122223333", "none", None]),
            "eventID": f"{chance.getrandbits(128):032x}"[:8] + "-0000-0000-0000-0000000000ab"[:28],
            "eventTime": chance.choice(
                [
                    "2024-02-29T23:59:59Z",
                    "2025-12-31T00:00:00Z",
                    "2024-02-30T00:00:00Z",
                    "1969-12-31T23:59:59Z",
                ]
            ),
            "requestParameters": {"cidr": chance.choice(["0.0.0.0/0", "10.0.0.0/8"])},
        }
        if chance.random() < 0.05:
            record[f"unknown{number % 5}"] = 1
        if chance.random() < 0.1:
            record["errorCode"] = chance.choice(["x", None, 1, ["y"]])
        if chance.random() < 0.05:
            record["userIdentity"] = chance.choice([None, "x", {"arn": None}])
        made.append(orjson.dumps(record))
    return made


def _rows(engine: Engine, texts: list[bytes], bounds: tuple[int, int]) -> Iterator[tuple[Any, ...]]:
    """Rule, key, time and place of every hit, gathered or not."""
    keys = Keys()
    first = 0
    for text in texts:
        judged = engine.match_records(text, first)
        assert judged is not None
        for number, rules, (start, stop) in zip(judged.numbers, judged.rules, judged.spans(), strict=True):
            raw = text[start:stop]
            key, when = keys.of(raw, orjson.loads(raw))
            if bounds[0] <= when < bounds[1]:
                yield from ((rule, key, when, first + number - 1) for rule in rules)
        first += judged.records
    for rules, rows in engine.gathered():
        for key, when, place in zip(rows[::3], rows[1::3], rows[2::3], strict=True):
            yield from ((rule, key, when, place) for rule in rules)


@pytest.mark.parametrize("bounds", [EVER, (1_709_251_199_000_000, 1_709_251_199_000_001), (0, 0)])
def test_hits_are_the_same_whether_they_are_gathered_or_not(bounds: tuple[int, int]) -> None:
    records = _records(6_000, random.Random(3))
    texts = [delivery(*records[start : start + 150]) for start in range(0, len(records), 150)]
    gathering = Engine.of(RULES, TOLD, bounds)
    found = sorted(_rows(gathering, texts, bounds))
    assert found == sorted(_rows(Engine.of(RULES, TOLD, compiled=False), texts, bounds))
    assert len(found) == len(set(found))
    assert bool(found) is (bounds != (0, 0))
    assert gathering.gathered() == []


def test_most_hits_are_gathered() -> None:
    texts = [delivery(*(orjson.dumps(record) for record in iter_records(seed=7, background_count=500)))] * 20
    engine = Engine.of(EACH, TOLD, EVER)
    looked_at = sum(len(judged.numbers) for text in texts if (judged := engine.match_records(text)))
    rows = sum(len(rows) // 3 for _, rows in engine.gathered())
    assert looked_at + rows == 20 * texts[0].count(b'"eventVersion"')
    assert rows > 0.8 * (looked_at + rows)


def test_what_was_gathered_of_a_text_that_is_odd_at_its_end_is_not_kept() -> None:
    records = [b'{"eventName":"CreateUser","recipientAccountId":"%012d","eventID":"%036d","eventTime":"2024-05-01T00:00:%02dZ"}'
               % (1, number, number % 60) for number in range(300)]  # fmt: skip
    engine = Engine.of(RULES, TOLD, EVER)
    for _ in range(3):
        engine.match_records(delivery(*records))
    engine.gathered()
    assert engine.match_records(delivery(*records, b"{]")) is None
    assert engine.match_records(delivery(*records, b'{"eventName":1e999}')) is None
    assert engine.gathered() == []
    engine.match_records(delivery(*records), 1_000)
    ((rules, rows),) = engine.gathered()
    assert (rules, sorted(rows[2::3])) == (("create",), list(range(1_000, 1_300)))


@pytest.mark.parametrize(
    "end", [b"{]", b'{"eventName":1e999}', b'{"userIdentity":{"other":1e999},"eventName":"x"}']
)
def test_new_keys_of_an_odd_text_are_not_taken_for_others(end: bytes) -> None:
    """Keys are numbered as they come, also in a text that turns out to be odd at its end."""
    rules: Rules = [
        *RULES,
        ("other", All((Leaf("eventName", Equals("Other")), Leaf("userIdentity.other", Exists())))),
    ]
    chance = random.Random(11)
    engine, plain = Engine.of(rules, TOLD, EVER), Engine.of(rules, TOLD, compiled=False)
    for window in range(60):
        records = [
            orjson.dumps(
                {
                    "eventName": chance.choice(
                        [f"Create{window}", "Open", "Other", f"x{chance.randrange(window + 1)}"]
                    ),
                    "errorCode": f"e{chance.randrange(window + 1)}",
                    "userIdentity": {"arn": "a", "other": "x"},
                    "requestParameters": {"cidr": chance.choice(["0.0.0.0/0", "10.0.0.0/8"])},
                    "recipientAccountId": "1" * 12,
                    "eventID": f"{window:018}{number:018}",
                    "eventTime": "2024-05-01T00:00:00Z",
                }
            )
            for number in range(40)
        ]
        text = delivery(*records)
        assert sorted(_rows(engine, [text], EVER)) == sorted(_rows(plain, [text], EVER))
        if window % 3 == 1:
            engine.match_records(delivery(*[one.replace(b'"Create', b'"Made') for one in records], end))


def test_a_record_that_an_expression_finds_is_not_taken_for_those_it_is_like() -> None:
    like = b'{"eventName":"%s","userAgent":"u%d","userIdentity":{"arn":"arn:%d:role/%s"}}'
    quiet = [like % (b"List", number, number, b"x") for number in range(400)]
    engine = Engine.of(RULES, TELL)
    for at in range(0, 400, 100):
        engine.match_records(delivery(*quiet[at : at + 100]))
    text = delivery(*quiet, like % (b"List", 1, 1, b"admin"), like % (b"CreateUser", 1, 1, b"admon"), *quiet)
    judged = engine.match_records(text)
    assert judged is not None
    assert (judged.numbers, judged.rules) == ((401, 402), (("role",), ("create", "role")))
    assert engine._keyed is not None
    assert engine._keyed.grouping.rare  # else it tested nothing


@pytest.mark.parametrize(
    "pattern", ["a.*", "(?i)\u017fECRET", "x|longer", "é+", "[b-z]b", "Role/Adm", "(?i)ROLE/ADM"]
)
def test_any_expression_on_a_rare_text_finds_what_it_finds_otherwise(pattern: str) -> None:
    rules: Rules = [*RULES, ("free", Leaf("userAgent", Regex(pattern)))]
    chance = random.Random(5)
    texts = [
        "a secret",
        "SECRET",
        "xa",
        "is longer",
        "caf\u00e9",
        "cb",
        "role/adm",
        "ROLE/Adm",
        "-",
        "\u017fecret",
    ]
    records = [
        orjson.dumps({"eventName": "List", "userAgent": f"{number} {chance.choice(texts)}", "errorCode": "x"})
        for number in range(2_000)
    ]
    engine, plain = Engine.of(rules), Engine.of(rules, compiled=False)
    for at in range(0, 2_000, 100):
        text = delivery(*records[at : at + 100])
        assert engine.match_records(text) == plain.match_records(text)
    assert engine._keyed is not None
    assert engine._keyed.grouping.rare


def test_more_kinds_of_records_than_are_remembered_cost_memory_only_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("osdetect.expr.engine.keyed.REMEMBERED", 50)
    engine = Engine.of(RULES, TOLD, EVER)
    plain = Engine.of(RULES, TOLD, compiled=False)
    texts = [
        delivery(*(b'{"eventName":"%s%d","recipientAccountId":"%012d"}' % (b"Create" if n % 2 else b"x", n, n) for n in range(at, at + 40)))
        for at in range(0, 4_000, 40)
    ]  # fmt: skip
    assert sorted(_rows(engine, texts, (0, 1 << 64))) == sorted(_rows(plain, texts, (0, 1 << 64)))
    assert engine._keyed is not None
    assert len(engine._keyed.known.outcomes) <= 100


def test_what_is_known_outlasts_a_new_name(monkeypatch: pytest.MonkeyPatch) -> None:
    firsts: list[int] = []
    first = Keyed._first

    def counted(self: Keyed, number: int, *rest: Any) -> Any:
        firsts.append(number)
        return first(self, number, *rest)

    monkeypatch.setattr(Keyed, "_first", counted)
    engine = Engine.of(RULES, TOLD, EVER)
    records = [b'{"eventName":"CreateUser%d","errorCode":"x"}' % number for number in range(100)]
    for name in range(20):
        for _ in range(3):
            engine.match_records(delivery(*records, b'{"new%d":1,"eventName":"Open"}' % name))
    assert len(firsts) < 3 * 102  # once for each way of grouping, not for each name


def test_networks_and_ends_of_texts_are_asked_of_ever_new_values() -> None:
    rules: Rules = [
        *RULES,
        ("net", Leaf("ip", Cidr("10.0.0.0/8"))),
        ("six", Leaf("ip", Cidr("2001:db8::/32"))),
        ("end", Leaf("userAgent", Regex("^curl/[0-9]+$"))),
    ]
    chance = random.Random(9)
    begins = ["203.0.113.", "110.1.2.", "10.1.2.", "2001:0DB8::", "2001:db9::", "\u0661\u0660.1.2."]
    agents = ["curl/", "a curl/", "wget/"]
    records = [
        orjson.dumps(
            {
                "eventName": chance.choice(["CreateUser", "Open", "List"]),
                "ip": f"{chance.choice(begins)}{number}",
                "userAgent": f"{chance.choice(agents)}{number}",
            }
        )
        for number in range(9_000)
    ]
    engine, plain = Engine.of(rules), Engine.of(rules, compiled=False)
    found: set[str] = set()
    for at in range(0, len(records), 100):
        text = delivery(*records[at : at + 100])
        judged = engine.match_records(text)
        assert judged == plain.match_records(text)
        assert judged is not None
        found.update(*judged.rules)
    assert {"net", "six", "end"} <= found
    assert engine._keyed is not None
    columns = engine._keyed.grouping.outcomes.columns
    assert {columns[number].path for number in engine._keyed.grouping.rare} >= {"ip", "userAgent"}


def test_where_a_key_does_not_say_enough_there_is_none() -> None:
    rules: Rules = [("net", Leaf("ip", Cidr("0.0.0.0/1"))), ("not", Not(Leaf("name", Equals("x"))))]
    engine = Engine.of(rules)
    records = [b'{"ip":"10.%d.%d.1","name":"x"}' % (n // 250, n % 250) for n in range(20_000)]
    for at in range(0, len(records), 500):
        judged = engine.match_records(delivery(*records[at : at + 500]))
        assert judged is not None
        assert len(judged.numbers) == 500
    assert engine._grouping.others
    assert Keyed.of(engine._grouping, (), None) is None


def test_a_time_is_read_as_python_reads_it() -> None:
    engine = Engine.of(EACH, TOLD, EVER)
    times = [f"{year:04}-{month:02}-{day:02}T01:02:03Z"
             for year in (1970, 2005, 2006, 2008, 2023, 2024, 2099, 2100)
             for month in range(14) for day in (0, 1, 28, 29, 30, 31, 32)]  # fmt: skip
    times += ["2024-05-01T24:00:00Z", "2024-05-01T23:60:00Z", "2024-05-01T23:59:60Z", "2024-05-01t23:59:59Z"]
    records = [
        orjson.dumps(
            {"eventName": "x", "eventTime": time, "eventID": f"{n:036}", "recipientAccountId": "1" * 12}
        )
        for n, time in enumerate(times)
    ]
    texts = [delivery(*records)] * 3
    wanted = sorted(_rows(Engine.of(EACH, TOLD, compiled=False), texts, EVER))
    gathered = sorted(_rows(engine, texts, EVER))
    assert gathered == wanted
    assert len(wanted) > 3 * 200
