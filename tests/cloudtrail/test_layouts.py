"""Records without AWS's frame, and files in windows: the same records, whatever the layout and wherever a window ends."""

import gzip
import hashlib
import json
import zlib
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from osdetect.cloudtrail import Delivery, RawRecord, inflate, read_file
from osdetect.cloudtrail.inflate import Pieces
from osdetect.cloudtrail.reader import Cut, spans_of
from osdetect.cloudtrail.unpack import unpack
from osdetect.cloudtrail.windows import windows
from osdetect.errors import RecordError

values = st.sampled_from(
    [1, "x],[{}", '"},{"eventVersion"', [{"eventVersion": 1}, {"b": 2}], {"Records": [{"b": 1}]}]
)
record = st.fixed_dictionaries({"eventVersion": st.just("1"), "a": values, "z": st.text(max_size=30)})
spacings = st.sampled_from([{"separators": (",", ":")}, {}, {"indent": 2}])
LAYOUTS = ("delivery", "others", "list", "lines", "row", "deliveries")


def written(layout: str, records: list[Any], spacing: dict[str, Any]) -> bytes:
    def dumped(value: object) -> str:
        return json.dumps(value, **spacing)

    text = {
        "delivery": lambda: dumped({"Records": records}),
        "others": lambda: dumped({"a": 1, "Records": records, "z": [2]}),
        "list": lambda: dumped(records),
        "lines": lambda: "\n".join(json.dumps(one) for one in records) + "\n",
        "row": lambda: "\n".join(map(dumped, records)),
        "deliveries": lambda: "".join(dumped({"Records": [one]}) for one in records),
    }[layout]()
    return text.encode()


def in_windows(text: bytes, size: int) -> tuple[list[bytes], bool]:
    """The records that windows give, and whether something is cut."""
    step = max(1, size // 3)
    pieces = (text[at : at + step] for at in range(0, len(text), step))
    found: list[bytes] = []
    cut = False
    for window in windows(pieces, 1 << 20, size):
        spans = None if isinstance(window, Cut) else window.spans()
        if isinstance(window, Cut) or spans is None:
            cut = True
            continue
        found += [window.text[start:end] for start, end in spans.records]
        cut = cut or bool(spans.cut)
    return found, cut


@given(st.sampled_from(LAYOUTS), st.lists(record, min_size=1, max_size=12), spacings, st.integers(150, 600))
@settings(deadline=None, max_examples=300)
def test_every_layout_gives_its_records_whole_and_in_windows(
    layout: str, records: list[Any], spacing: dict[str, Any], size: int
) -> None:
    text = written(layout, records, spacing)
    spans = spans_of(text)
    assert spans is not None
    assert not spans.cut
    assert [json.loads(text[start:end]) for start, end in spans.records] == records
    assert in_windows(text, size) == ([text[start:end] for start, end in spans.records], False)


@given(st.sampled_from(LAYOUTS), st.lists(record, min_size=2, max_size=12), spacings, st.data())
@settings(deadline=None, max_examples=300)
def test_of_a_cut_text_windows_give_the_first_records_and_say_that_it_is_cut(
    layout: str, records: list[Any], spacing: dict[str, Any], data: st.DataObject
) -> None:
    text = written(layout, records, spacing)
    text = text[: data.draw(st.integers(len(text) // 2, len(text) - 2))]
    try:
        found, cut = in_windows(text, data.draw(st.integers(150, 600)))
    except RecordError:
        return  # nothing that could be told apart came before the cut
    good = [json.loads(one) for one in found[:-1]]
    assert good == records[: len(good)]
    whole = spans_of(text)
    if whole is None:
        assert cut
        return
    assert len(found) <= len(whole.records)
    assert cut or len(found) < len(records) or layout in {"lines", "row", "deliveries"}


def test_the_same_name_twice_is_not_passed_over() -> None:
    spans = spans_of(b'{"Records":[{"eventID":"1"}],"Records":[{"eventID":"2"}]}')
    assert spans is not None
    assert (len(spans.records), bool(spans.cut)) == (1, True)


@pytest.mark.parametrize("text", [b"[]", b"[1]", b'{"a":1}\n{"a":2}', b'{"a":{"eventID":1}}', b"", b"x"])
def test_other_json_is_no_records(text: bytes) -> None:
    assert spans_of(text) is None


def test_a_bad_line_costs_that_line(tmp_path: Path) -> None:
    path = tmp_path / "a.ndjson"
    path.write_bytes(b'{"eventID":"1"}\n{"eventID\n\n{"eventID":"3"}\n')
    opened = read_file(path)
    assert isinstance(opened, Delivery)
    assert [isinstance(one, RawRecord) for one in opened.records()] == [True, False, True]


@pytest.mark.parametrize("installed", [True, False], ids=["as installed", "zlib"])
@pytest.mark.parametrize(
    ("change", "broken"),
    [
        (lambda data: data, ""),
        (lambda data: data + data, ""),
        (lambda data: data + b"\0" * 5000, ""),
        (lambda data: data + b"x", "not gzip"),
        (lambda data: data[:-3], "before its end"),
        (lambda data: data[: len(data) // 2], "before its end"),
        (lambda data: data[:5000] + b"\xff\xff\xff\xff" + data[5004:], "corrupt"),
    ],
)
def test_streamed_text_is_what_unpacking_at_once_gives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Any, broken: str, *, installed: bool
) -> None:
    if not installed:
        monkeypatch.setattr(inflate, "_inflater", zlib.decompressobj)
    rng = Random(1)
    data = change(gzip.compress(bytes(rng.randrange(64) for _ in range(300_000))))
    path = tmp_path / "a.gz"
    path.write_bytes(data)
    with Pieces.open(str(path), 400) as pieces:
        text = b"".join(pieces.texts())
        assert (pieces.broken, pieces.digest) == (unpack(data, 1 << 30).broken, hashlib.sha256(data).digest())
    assert broken in pieces.broken
    assert text == unpack(data, 1 << 30).text
    assert len(text) > 1000
