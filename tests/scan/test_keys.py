"""What is told of a record at a glance is what the careful way tells."""

import json
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from osdetect.documents.event import content_hash
from osdetect.expr.engine.native import fingerprint
from osdetect.scan.alerts import identify
from osdetect.scan.keys import Keys, content_digest
from osdetect.scan.marks import Marks
from osdetect.scan.plan import UNDATED

times = st.one_of(
    st.datetimes().map(lambda when: when.strftime("%Y-%m-%dT%H:%M:%SZ")),
    st.sampled_from(
        ["2024-02-30T00:00:00Z", "2024-05-01 12:00:00", "2024-05-01T12:00:60Z", "1999-01-01T00:00:00Z"]
    ),
    st.text(max_size=25),
    st.none(),
)
ids = st.one_of(st.uuids().map(str), st.text(max_size=40), st.integers(), st.none())
accounts = st.one_of(st.sampled_from(["111122223333", "١١١١٢٢٢٢٣٣٣٣", "", "a-b"]), st.none(), st.integers())
values = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(allow_nan=False, allow_infinity=False),
        st.text(max_size=5),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)
KEYS = Keys()


@given(times, times, ids, accounts, accounts)
@example("2024-05-01T12:00:00Z", "2024-05-01T23:59:59Z", "x" * 36, "111122223333", None)
def test_the_key_is_that_of_the_id_and_the_time_that_of_the_event(
    time: object, other: object, event_id: object, account: object, caller: object
) -> None:
    for when in (time, other):
        record: dict[str, Any] = {
            "eventID": event_id,
            "eventTime": when,
            "recipientAccountId": account,
            "userIdentity": {"accountId": caller},
        }
        raw = json.dumps(record, ensure_ascii=False).encode(errors="replace")
        content = json.loads(raw)
        known, moment = identify(raw, content)
        assert KEYS.of(raw, content) == (fingerprint(known), moment)
        assert moment == UNDATED or 0 < moment < UNDATED


@given(values, values)
@example({"a": 1}, {"a": 1.0})
@example({"a": 1 << 70}, {"a": (1 << 70) + 1})
def test_the_digest_tells_contents_apart_as_the_hash_of_the_content_does(one: object, other: object) -> None:
    raws = [json.dumps({"a": value, "b": 1}).encode() for value in (one, other)]
    same = content_hash(raws[0]) == content_hash(raws[1])
    assert (content_digest(raws[0]) == content_digest(raws[1])) == same
    turned = json.dumps({"b": 1, "a": one}, indent=1, ensure_ascii=False).encode(errors="replace")
    assert content_digest(turned) == content_digest(raws[0])


@given(st.sets(st.integers(min_value=0, max_value=5000)))
def test_marks_are_a_set_of_numbers(numbers: set[int]) -> None:
    marks = Marks()
    for number in numbers:
        marks.add(number)
    assert list(marks) == sorted(numbers)
    assert marks.last == max(numbers, default=0)
    assert all((number in marks) == (number in numbers) for number in range(5010))
