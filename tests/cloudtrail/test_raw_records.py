"""One record: what is taken, what is mended, what is refused."""

import json
from pathlib import Path

import orjson
import pytest

from osdetect.cloudtrail import BadRecord, Delivery, RawRecord, read_file
from osdetect.cloudtrail.record import DEEPEST, NOT_UNICODE, parse, repair

LONGEST = 1 << 20


def taken(raw: bytes) -> RawRecord:
    record = parse(1, 0, raw, LONGEST)
    assert isinstance(record, RawRecord), record
    return record


def refused(raw: bytes, longest: int = LONGEST) -> str:
    record = parse(7, 100, raw, longest)
    assert isinstance(record, BadRecord), record
    assert (record.number, record.offset, record.raw) == (7, 100, raw)
    return record.reason


@pytest.mark.parametrize("bad", [b'"text"', b"null", b"true", b"1", b"1.5", b"[]"])
def test_what_is_no_object_is_refused(bad: bytes) -> None:
    assert refused(bad).startswith("not an object but ")


@pytest.mark.parametrize(
    "bad", [b'{"a":NaN}', b'{"a":Infinity}', b'{"a":01}', b'{"a":}', b'{"a":"\\q"}', b'{"a" 1}']
)
def test_what_is_no_json_is_refused_with_its_place(bad: bytes) -> None:
    assert refused(bad).startswith("not JSON")
    assert "byte 10" in refused(bad)


def test_a_number_that_no_double_holds_is_refused() -> None:
    assert "not JSON" in refused(b'{"a":1e999}')


def test_nesting_is_bounded() -> None:
    assert taken(b'{"a":' + b"[" * (DEEPEST - 1) + b"]" * (DEEPEST - 1) + b"}").problems == ()
    assert "nested deeper" in refused(b'{"a":' + b"[" * DEEPEST + b"]" * DEEPEST + b"}")
    assert "nested deeper" in refused(b'{"a":' * 50_000 + b"1" + b"}" * 50_000)


def test_brackets_in_text_and_side_by_side_are_not_nesting() -> None:
    assert taken(b'{"a":"' + b"[{" * 500 + b'"}').problems == ()
    assert taken(b'{"a":[' + b"{}," * 500 + b"{}]}").problems == ()


def test_a_record_over_the_limit_is_refused() -> None:
    assert "larger than 5 bytes" in refused(b'{"a":1}', 5)


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (b'{"a":"x\xffy"}', "x\ufffdy"),
        (b'{"a":"\xed\xa0\x80"}', "\ufffd\ufffd\ufffd"),
        (b'{"a":"\\ud800"}', "\ufffd"),
        (b'{"a":"\\udc00\\ud800x"}', "\ufffd\ufffdx"),
        (b'{"a":"\\ud83d\\ude00\\ud83d"}', "\U0001f600\ufffd"),
        (b'{"a":"\\\\ud800\\ud800"}', "\\ud800\ufffd"),
    ],
)
def test_text_that_is_no_unicode_is_mended_and_noted(raw: bytes, value: str) -> None:
    record = taken(raw)
    assert record.content == {"a": value}
    assert orjson.loads(record.raw) == {"a": value}
    assert record.problems == (NOT_UNICODE,)


def test_good_escapes_are_left_as_they_are() -> None:
    raw = b'{"a":"\\ud83d\\ude00 \\\\ud800 \\u00e9 \\n"}'
    assert repair(raw) == raw
    assert taken(raw).raw == raw


def test_line_ends_between_tokens_become_spaces() -> None:
    record = taken(b'{\r\n  "a": "x\\ny"\n}')
    assert record.raw == b'{    "a": "x\\ny" }'
    assert record.content == {"a": "x\ny"}


def test_a_bad_record_does_not_touch_its_neighbours(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b'{"Records":[{"n":1}, {"n":NaN}, 5, {"n":2,"s":"}]"}, null, {"n":3}]}')
    opened = read_file(path)
    assert isinstance(opened, Delivery)
    records = list(opened.records())
    assert [r.content["n"] for r in records if isinstance(r, RawRecord)] == [1, 2, 3]
    bad = [r for r in records if isinstance(r, BadRecord)]
    assert [(r.number, r.raw) for r in bad] == [(2, b'{"n":NaN}'), (3, b"5"), (5, b"null")]
    assert all(opened.text[r.offset : r.offset + len(r.raw)] == r.raw for r in bad)
    assert opened.cut is None


def test_a_record_without_its_end_takes_the_rest_with_it(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b'{"Records":[{"n":1},{"n":2,{"n":3}]}')
    opened = read_file(path)
    assert isinstance(opened, Delivery)
    good, *bad = opened.records()
    assert isinstance(good, RawRecord)
    assert [record.raw for record in bad] == [b'{"n":2,{"n":3}]', b"}"]
    assert all(isinstance(record, BadRecord) for record in bad)
    assert opened.cut is not None
    assert opened.cut.offset == bad[-1].offset


def test_a_record_comes_out_as_it_went_in(tmp_path: Path) -> None:
    """Splitting and reading changes nothing: what comes out parses to what went in."""
    texts = [{"a": {"b": [1, 2.5, None, True, "x\u2028\U0001f600"]}}, {}, {"": {"": ""}}]
    path = tmp_path / "a.json"
    path.write_text(json.dumps({"Records": texts}, ensure_ascii=False), "utf-8")
    opened = read_file(path)
    assert isinstance(opened, Delivery)
    assert [json.loads(record.raw) for record in opened.records()] == texts
