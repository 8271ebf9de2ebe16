"""The compiled reader alone: it reads JSON as JSON is, and knows records by the fields that it is told of."""

import json
import random
from array import array
from collections import Counter
from collections.abc import Sequence
from itertools import islice
from typing import Any

import orjson
import pytest

from osdetect.expr.engine import native
from osdetect.scenario import iter_records
from tests.expr.compiled import delivery, require_compiled


@pytest.fixture(autouse=True)
def _compiled() -> None:
    require_compiled()


def _reader(**asked: Any) -> native.Reader:
    of = {"objects": {"": ["a"]}, "key": ["a"], "rare": [], "tell": [], "gather": None, **asked}
    return native.of_plan(of["objects"], of["key"], of["rare"], of["tell"], of["gather"])


def _reads(value: bytes) -> bool:
    """Whether the reader takes the value, as one that is kept and as one that is passed over."""
    kept, skipped = (
        _reader().read(delivery(b'{"%s":%s}' % (name, value)), lines=False) is not None
        for name in (b"a", b"other")
    )
    assert kept is skipped
    return kept


@pytest.mark.parametrize(
    "value",
    [
        b"0",
        b"-0",
        b"-0.5e+10",
        b"10E-2",
        b"1e0",
        b"18446744073709551616",
        b"true",
        b"false",
        b"null",
        b'""',
        b'"a\\"b\\\\\\/\\b\\f\\n\\r\\t\\u00e9"',
        b'"\\ud83d\\ude00"',
        b'"\\uD83D\\uDE00"',
        "\u00e9\u4e2d\U0001f600".join('""').encode(),
        b'"\x7f"',
        b"[]",
        b"{}",
        b"[ ]",
        b"{ }",
        b'[1,"a",null , [true,{}] ]',
        b'{"a" : {"b":[{"c":[]}]} ,"d":1}',
        b"[" * 199 + b"]" * 199,
    ],
    ids=lambda value: value[:30].decode(errors="replace"),
)
def test_a_value_of_json_is_read(value: bytes) -> None:
    assert _reads(value)
    json.loads(value)


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"01",
        b"-",
        b"+1",
        b".5",
        b"1.",
        b"1.e5",
        b"1e",
        b"1e+",
        b"0x1",
        b"NaN",
        b"Infinity",
        b"tru",
        b"True",
        b"nul",
        b"'a'",
        b'"a',
        b'"\n"',
        b'"\x00"',
        b'"\x1f"',
        b'"1234567\x1f"',
        b'"\\x"',
        b'"\\',
        b'"\\u12"',
        b'"\\u12g4"',
        b'"\\ud800"',
        b'"\\ud800\\u0041"',
        b'"\\udc00"',
        b'"\xff"',
        b'"\xc0\xaf"',
        b'"\xed\xa0\x80"',
        b"[1,]",
        b"[,1]",
        b"[1 2]",
        b"[1}",
        b"[",
        b"[[]",
        b'{"a"}',
        b'{"a":}',
        b'{"a":1,}',
        b"{a:1}",
        b"{1:1}",
        b'{"a":1]',
        b'{"a" 1}',
        b'{"a":1 "b":2}',
        b"1 2",
        b"//",
        b"[" * 100_000,
        b"[" * 100_000 + b"]" * 100_000,
    ],
    ids=lambda value: value[:30].decode(errors="replace"),
)
def test_what_is_no_value_of_json_is_not_read(value: bytes) -> None:
    assert not _reads(value)


def _no_number(name: str) -> None:
    raise ValueError(name)


def test_what_the_reader_takes_python_takes_too() -> None:
    chance = random.Random(1)
    taken = 0
    base = delivery(*(orjson.dumps(record) for record in islice(iter_records(seed=1, background_count=3), 2)))
    pieces = [b'"', b"\\", b"{", b"}", b"[", b"]", b",", b":", b"1", b"-", b"e", b"u", b" ", b"\xff", b"\n"]
    reader = _reader()
    for _ in range(20_000):
        at = chance.randrange(len(base))
        text = base[:at] + chance.choice(pieces) + base[at + chance.randint(0, 2) :]
        found = reader.read(text, lines=False)
        if found is None:
            continue
        taken += 1
        # Of a field that nobody reads, a number may be of any size.
        records = json.loads(text, parse_constant=_no_number)["Records"]
        assert found.records == len(records)
        spans = found.spans()
        assert [json.loads(text[a:b]) for a, b in zip(spans[::2], spans[1::2], strict=True)] == records
    assert 1_000 < taken < 19_000


def test_a_text_that_ends_anywhere_is_not_read() -> None:
    text = delivery(b'{"a":"x\\u0041y","b":[1.5e3,true,null,{"c":-0}]}', b'{"d":{}}')
    for end in range(len(text)):
        assert _reader().read(text[:end], lines=False) is None
        assert _reader().read(text[:end] + b"\0", lines=False) is None
    assert _reader().read(text, lines=False) is not None


def test_names_of_any_length_are_told_apart() -> None:
    names = sorted({"n" * length + end for length in range(1, 40) for end in ("", "a", "b", "ab")})
    for wanted in names:
        reader = _reader(objects={"": dict.fromkeys((*names[:90], wanted))}, key=[wanted], tell=[wanted])
        text = delivery(b"{" + b",".join(b'"%s":"%s"' % (n.encode(), n.encode()) for n in names[:90]) + b"}")
        found = reader.read(text, lines=False)
        assert found is not None
        assert found.told() == ([wanted if wanted in names[:90] else ""],)
        assert found.rows[1] == 0


@pytest.mark.parametrize(
    "record",
    [b'{"b":1}', b'{"\\u0061":1}', b'{"o":1}', b'{"o":"x"}', b'{"o":[]}', b'{"o":{"b":1}}', b'{"":1}'],
    ids=bytes.decode,
)
def test_a_record_with_something_unknown_is_strange(record: bytes) -> None:
    reader = _reader(objects={"": ["a", "o"], "o": ["c"]}, key=["a", "o.c"])
    found = reader.read(delivery(record, b'{"o":null}', b'{"o":{}}'), lines=False)
    assert found is not None
    # `null` where an object should be is as if there were none.
    assert found.rows[1 :: native.ROW] == [native.STRANGE, 0, 0]


def test_a_rare_text_counts_only_where_a_clue_is_in_it() -> None:
    reader = _reader(rare=[native.Rare("r", ["kali", "xyz"], ())], objects={"": ["a", "r"]})
    values = ["", "k", "kal", "kalium", "KALI", "x kALi y", "kal i", "xyxyz", "xy", "\u212aali", "kaali"]
    records = [orjson.dumps({"a": "same", "r": value}) for value in values]
    found = reader.read(delivery(*records), lines=False)
    assert found is not None
    quiet = [value for value, mask in zip(values, found.rows[4 :: native.ROW], strict=True) if mask & 1]
    assert quiet == ["", "k", "kal", "kal i", "xy", "kaali"]
    known_as = Counter(found.rows[1 :: native.ROW])
    assert known_as[found.rows[1]] == len(quiet)
    assert len(known_as) == 1 + len(values) - len(quiet)


def test_clues_are_found_wherever_they_stand() -> None:
    chance = random.Random(2)
    for _ in range(300):
        clues = ["".join(chance.choices("abc-", k=chance.randint(2, 7))) for _ in range(chance.randint(1, 6))]
        texts = ["".join(chance.choices("abcABC-d", k=chance.randint(0, 25))) for _ in range(20)]
        reader = _reader(rare=[native.Rare("r", clues, ())], objects={"": ["r", "a"]})
        found = reader.read(delivery(*(orjson.dumps({"r": text}) for text in texts)), lines=False)
        assert found is not None
        quiet = [bool(mask & 1) for mask in found.rows[4 :: native.ROW]]
        assert quiet == [not any(clue in text.lower() for clue in clues) for text in texts]


@pytest.mark.parametrize(
    ("hints", "given"),
    [
        ((), ()),
        (None, ("x\n\nadmin\nADMIN\n\n\n",)),
        (("dmi",), ("\n\nadmin\nADMIN\n\n\n",)),
        (("no",), ("",)),
    ],
)
def test_quiet_texts_with_a_hint_are_given_back(
    hints: tuple[str, ...] | None, given: tuple[str, ...]
) -> None:
    reader = _reader(rare=[native.Rare("r", ["kali"], hints)], objects={"": ["a", "r"]})
    values = ["x", "kali", "admin", "ADMIN", "admin kali", None]
    found = reader.read(delivery(*(orjson.dumps({"r": value}) for value in values)), lines=False)
    assert found is not None
    assert found.free == given


def test_a_plan_that_asks_too_much_is_refused() -> None:
    names = [f"n{number}" for number in range(40)]
    with pytest.raises(ValueError, match="plan"):
        _reader(objects={"": names}, key=names)
    with pytest.raises(ValueError, match="plan"):
        _reader(rare=[native.Rare("a", ["x"], ())])  # a clue too short to be looked for


@pytest.mark.parametrize(
    ("numbers", "twins"),
    [((), False), ((1,), False), ((0, (1 << 64) - 1), False), ((3, 1, 2, 3), True), (range(1_000), False)],
)
def test_twins_are_found(numbers: Sequence[int], twins: bool) -> None:
    assert native.has_twins(array("Q", numbers)) is twins


def test_a_fingerprint_is_one_of_the_text() -> None:
    texts = [f"{number:012}-{number:036}" for number in range(2_000)]
    assert len({native.fingerprint(text) for text in texts}) == 2_000
    assert native.fingerprint("\ud800") == native.fingerprint("\ud800")
    assert array("Q", [native.fingerprint("x")])  # fits into 64 bits
