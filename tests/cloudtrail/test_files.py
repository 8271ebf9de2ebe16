"""Which files are read, and how a file that is not as it should be is told."""

import gzip
import json
import os
import random
from pathlib import Path

import pytest

from osdetect.cloudtrail import (
    BadRecord,
    Delivery,
    Digest,
    FoundFile,
    LeftOut,
    Limits,
    RawRecord,
    fingerprint,
    iter_files,
    read_file,
)
from osdetect.errors import RecordError

RECORDS = [{"eventID": f"id-{n}", "eventName": "ListBuckets", "n": n} for n in range(5)]
TEXT = json.dumps({"Records": RECORDS}).encode()


def written(folder: Path, name: str, data: bytes) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def delivery(path: Path, limits: Limits | None = None) -> Delivery:
    opened = read_file(path, limits)
    assert isinstance(opened, Delivery)
    return opened


def numbers(opened: Delivery) -> list[object]:
    return [record.content["n"] for record in opened.records() if isinstance(record, RawRecord)]


def test_a_folder_is_walked_in_sorted_order_and_other_names_are_only_counted(tmp_path: Path) -> None:
    for name in ("b/2.json.gz", "b/1.JSON", "a/x.json", "c.json.gz", "LICENSE", "b/notes.txt"):
        written(tmp_path, name, b"")
    found = list(iter_files([tmp_path]))
    names = [str(f.path.relative_to(tmp_path)) for f in found if isinstance(f, FoundFile)]
    assert names == ["c.json.gz", "a/x.json", "b/1.JSON", "b/2.json.gz"]
    assert [f.path.name for f in found if isinstance(f, LeftOut) and f.ignored] == ["LICENSE", "notes.txt"]


def test_a_file_named_by_the_user_is_read_whatever_its_name(tmp_path: Path) -> None:
    path = written(tmp_path, "export.log", TEXT)
    assert list(iter_files([path])) == [FoundFile(path, path.stat().st_size)]


def test_links_out_of_the_folder_are_told_and_not_followed(tmp_path: Path) -> None:
    outside = written(tmp_path, "outside/secret.json", TEXT).parent
    inside = written(tmp_path, "inside/a.json", TEXT).parent
    (inside / "z.json").symlink_to(outside / "secret.json")
    (inside / "y.json").symlink_to(inside / "a.json")
    (inside / "dir").symlink_to(outside, target_is_directory=True)
    (inside / "gone.json").symlink_to(inside / "nothing.json")
    found = list(iter_files([inside]))
    assert {f.path.name for f in found if isinstance(f, FoundFile)} == {"a.json", "y.json"}
    told = {f.path.name: f.reason for f in found if isinstance(f, LeftOut)}
    assert set(told) == {"z.json", "dir", "gone.json"}
    assert "out of the folder" in told["z.json"]
    assert "out of the folder" in told["dir"]
    assert told["gone.json"] == "a link to nothing"


def test_a_path_that_does_not_exist_and_a_pipe_are_told(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    missing, other = iter_files([tmp_path / "nothing", pipe])
    assert isinstance(missing, LeftOut)
    assert missing.reason == "does not exist"
    assert isinstance(other, LeftOut)
    assert other.reason == "neither a file nor a folder"


@pytest.mark.parametrize("name", ["a.json.gz", "a.json"])
@pytest.mark.parametrize("data", [TEXT, gzip.compress(TEXT)], ids=["plain", "gzip"])
def test_the_content_decides_whether_a_file_is_gzip(tmp_path: Path, name: str, data: bytes) -> None:
    opened = delivery(written(tmp_path, name, data))
    assert numbers(opened) == [0, 1, 2, 3, 4]
    assert opened.cut is None


@pytest.mark.parametrize(
    "text",
    [
        b"\xef\xbb\xbf" + TEXT,
        json.dumps({"Records": RECORDS}, indent=2).replace("\n", "\r\n").encode(),
        b" \r\n\t" + TEXT + b"\r\n",
        json.dumps({"extra": {"Records": [1]}, "Records": RECORDS, "more": 1}).encode(),
    ],
    ids=["bom", "crlf", "space", "other keys"],
)
def test_spacing_and_a_byte_order_mark_do_not_matter(tmp_path: Path, text: bytes) -> None:
    records = list(delivery(written(tmp_path, "a.json", text)).records())
    assert [r.content["n"] for r in records if isinstance(r, RawRecord)][:5] == [0, 1, 2, 3, 4]
    for record in records:
        assert isinstance(record, RawRecord)
        assert b"\n" not in record.raw
        assert text[record.offset :].startswith(b"{")


def test_members_of_a_gzip_file_are_read_one_after_the_other(tmp_path: Path) -> None:
    data = gzip.compress(TEXT[:40]) + gzip.compress(TEXT[40:]) + b"\0" * 512
    opened = delivery(written(tmp_path, "a.json.gz", data))
    assert (numbers(opened), opened.cut) == ([0, 1, 2, 3, 4], None)


@pytest.mark.parametrize("kept", range(30, 140, 7))
def test_the_records_before_a_cut_are_kept(tmp_path: Path, kept: int) -> None:
    text = json.dumps({"Records": [{"n": n, "noise": os.urandom(40).hex()} for n in range(50)]}).encode()
    whole = gzip.compress(text)
    opened = delivery(written(tmp_path, "a.json.gz", whole[: len(whole) * kept // 150]))
    found = numbers(opened)
    assert opened.cut is not None
    assert "gzip data ends" in opened.cut.reason
    assert 0 <= opened.cut.offset <= len(text)
    assert found == list(range(len(found)))
    rest = [record for record in opened.records() if isinstance(record, BadRecord)]
    assert len(rest) <= 1
    assert all(record.number == len(found) + 1 and record.offset == opened.cut.offset for record in rest)


def test_a_byte_flipped_in_the_middle_keeps_what_came_before(tmp_path: Path) -> None:
    noise = random.Random(7)  # no secret; what the flipped byte makes of the rest must not change
    text = json.dumps(
        {"Records": [{"n": n, "noise": noise.randbytes(60).hex()} for n in range(2000)]}
    ).encode()
    data = bytearray(gzip.compress(text))
    data[len(data) // 2] ^= 0xFF
    opened = delivery(written(tmp_path, "a.json.gz", bytes(data)))
    good = numbers(opened)
    assert opened.cut is not None
    assert good[:800] == list(range(800))


def test_bytes_behind_the_gzip_data_are_told(tmp_path: Path) -> None:
    opened = delivery(written(tmp_path, "a.json.gz", gzip.compress(TEXT) + b"trailing"))
    assert len(numbers(opened)) == 5
    assert opened.cut is not None
    assert "not gzip" in opened.cut.reason


def test_a_gzip_bomb_is_refused_without_unpacking_it_all(tmp_path: Path) -> None:
    bomb = written(tmp_path, "a.json.gz", gzip.compress(b'{"Records":["' + b"a" * (60 << 20) + b'"]}'))
    with pytest.raises(RecordError, match="too large") as caught:
        read_file(bomb)
    assert "--max-file-bytes" in caught.value.cure
    assert len(numbers(delivery(bomb, Limits(expansion=2000, record_bytes=100)))) == 0


def test_a_file_over_the_limit_is_refused_before_it_is_read(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="more than 10 bytes"):
        read_file(written(tmp_path, "a.json", TEXT), Limits(text_bytes=10))


def test_a_digest_file_is_told_from_a_delivery(tmp_path: Path) -> None:
    text = {"awsAccountId": "1", "digestStartTime": "x", "digestEndTime": "y", "logFiles": []}
    path = written(tmp_path, "a.json.gz", gzip.compress(json.dumps(text).encode()))
    assert read_file(path) == Digest(path, fingerprint(path), path.stat().st_size)


def test_an_empty_list_of_records_is_a_delivery_of_none(tmp_path: Path) -> None:
    for text in (b'{"Records":[]}', b'{"Records": [ ] }\n'):
        opened = delivery(written(tmp_path, "a.json", text))
        assert (list(opened.records()), opened.cut) == ([], None)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "empty"),
        (gzip.compress(b"", mtime=0), "empty"),
        (gzip.compress(TEXT, mtime=0)[:10], "nothing of the file can be unpacked"),
        (b" \n", "empty"),
        (b"\xff\xfe{\0", "UTF-16"),
        (b"PK\x03\x04xxxx", "zip archive"),
        (b"<html></html>", "web page"),
        (b"hello", "not JSON"),
        (b'"eventversion","useridentity"\n', "not JSON"),
        (b"[1]", "JSON list"),
        (b'{"Events":[]}', "lookup-events"),
        (b'{"events":[]}', "filter-log-events"),
        (b'{"messageType":"DATA_MESSAGE","logEvents":[]}', "CloudWatch Logs subscription"),
        (b'{"awslogs":{"data":""}}', "Lambda"),
        (b'{"version":"0","detail-type":"x","detail":{}}', "EventBridge"),
        (b'{"fileVersion":"1.0","configurationItems":[]}', "AWS Config"),
        (b'{"Records":{"a":1}}', "`Records` is not a list"),
        (b'{"a":1}', "without `Records`"),
        (b'{"a', "cut off before any record"),
    ],
)
def test_what_is_no_delivery_is_refused_by_the_name_of_what_it_seems_to_be(
    tmp_path: Path, data: bytes, words: str
) -> None:
    path = written(tmp_path, "a.json", data)
    with pytest.raises(RecordError) as caught:
        read_file(path)
    assert words in caught.value.what
    assert caught.value.cure
    assert str(caught.value).startswith(str(path))


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="cannot be read"):
        fingerprint(tmp_path)
    with pytest.raises(RecordError, match="cannot be read"):
        read_file(tmp_path / "nothing")
