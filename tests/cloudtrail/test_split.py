"""The fast way to split a delivery and the slow one agree; the slow one never fails, whatever the bytes."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from osdetect.cloudtrail.split import fast, slow

JSON: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.lists(JSON, max_size=5), st.sampled_from([None, 1]), st.booleans())
def test_both_ways_find_the_same_records(
    records: list[Any], indent: int | None, ascii_only: bool
) -> None:  # hypothesis fills it
    text = json.dumps({"Records": records}, indent=indent, ensure_ascii=ascii_only).encode("utf-8", "replace")
    spans = slow(text)
    assert spans is not None
    assert [json.loads(text[start:end]) for start, end in spans.records] == records
    assert (spans.cut, spans.rest) == ("", -1)
    assert fast(text) == spans


@given(st.lists(JSON, min_size=1, max_size=4), st.data())
def test_of_a_cut_text_the_first_records_are_found(records: list[Any], data: st.DataObject) -> None:
    text = json.dumps({"Records": records}).encode()
    length = data.draw(st.integers(len(b'{"Records": ['), len(text) - 1))
    spans = slow(text[:length])
    assert spans is not None
    assert spans.cut
    whole = slow(text)
    assert whole is not None
    known = [text[start:end] for start, end in whole.records]
    found = [text[start:end] for start, end in spans.records]
    # A number at the cut may lack digits: it looks complete, so it alone may differ.
    assert found[:-1] == known[: len(found)][:-1]


@given(st.binary(max_size=200))
def test_no_bytes_break_it(noise: bytes) -> None:
    for text in (noise, b'{"Records":[' + noise, b'{"Records":[{}' + noise + b"]}"):
        spans = slow(text)
        if spans is not None:
            assert all(0 <= start < end <= len(text) for start, end in spans.records)
        quick = fast(text)
        assert quick is None or quick == spans


def test_a_second_list_of_records_is_not_taken_for_the_first() -> None:
    text = b'{"Records":[1],"Records":[2,3]}'
    assert fast(text) is None
    spans = slow(text)
    assert spans is not None
    assert [text[start:end] for start, end in spans.records] == [b"1"]
    assert "something other than the end" in spans.cut
