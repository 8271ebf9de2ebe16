"""Loading files into a real node: each record once, whatever happens in between."""

import gzip
import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from osdetect.cluster import Cluster
from osdetect.errors import InputError, UsageError
from osdetect.load import LoadOptions, load
from tests.load.material import EVENTS, NOW, Folder, record, run, stored

pytestmark = pytest.mark.node


def test_records_become_events_with_their_identity(cluster: Cluster, files: Folder) -> None:
    files.write("a.json.gz", [record(1), record(2)])
    files.write("b.json.gz", [record(3, eventTime="nonsense")])
    report = run(cluster, files.path)
    assert (report.files_read, report.records_read, report.created) == (2, 3, 3)
    assert report.flawed == (("no usable eventTime", 1),)
    assert report.lossless
    found = stored(cluster, EVENTS)
    assert set(found) == {
        "osdetect-cloudtrail-default-2024.02/111122223333-00000000-0000-0000-0000-000000000001",
        "osdetect-cloudtrail-default-2024.03/111122223333-00000000-0000-0000-0000-000000000002",
        "osdetect-cloudtrail-default-undated/111122223333-00000000-0000-0000-0000-000000000003",
    }
    event = found["osdetect-cloudtrail-default-2024.02/111122223333-00000000-0000-0000-0000-000000000001"]
    added = {"@timestamp": "2024-02-11T10:00:00Z", "event": {"ingested": "2024-05-01T12:00:00.000Z"}}
    assert event == record(1) | added


def test_a_second_load_adds_nothing_and_says_so(cluster: Cluster, files: Folder) -> None:
    files.write("a.json.gz", [record(n) for n in range(20)])
    files.write("copy.json.gz", [record(n) for n in range(20)])
    first = run(cluster, files.path)
    assert (first.created, first.files_read, first.files_already_loaded) == (20, 1, 1)
    before = stored(cluster, EVENTS)
    second = run(cluster, files.path)
    assert (second.files_already_loaded, second.files_read, second.records_read) == (2, 0, 0)
    assert stored(cluster, EVENTS) == before


def test_files_whose_events_were_deleted_are_loaded_again(cluster: Cluster, files: Folder) -> None:
    files.write("a.json.gz", map(record, range(30)))
    files.write("b.json.gz", [record(100, eventTime="2023-05-01T10:00:00Z")])
    run(cluster, files.path)
    before = stored(cluster, EVENTS)
    cluster.request("DELETE", "/osdetect-cloudtrail-default-2024.02")
    again = run(cluster, files.path)
    assert (again.files_read, again.files_already_loaded) == (1, 1)
    assert again.created == sum("2024.02" in name for name in before)
    assert again.already_there == 30 - again.created
    assert stored(cluster, EVENTS).keys() == before.keys()
    assert run(cluster, files.path).files_already_loaded == 2


def test_records_delivered_again_in_another_file_are_there_already(cluster: Cluster, files: Folder) -> None:
    run(cluster, files.write("a.json.gz", [record(n) for n in range(20)]))
    before = stored(cluster, EVENTS)
    again = run(cluster, files.write("b.json.gz", [record(n) for n in range(10, 30)]))
    assert (again.created, again.already_there, again.reused_ids) == (10, 10, 0)
    now = stored(cluster, EVENTS)
    assert {name: now[name] for name in before} == before
    assert len(now) == 30


def test_another_record_with_a_taken_id_is_kept_beside_it(cluster: Cluster, files: Folder) -> None:
    other = record(1, eventName="DeleteBucket")
    report = run(cluster, files.write("a.json.gz", [record(1), other, record(1), other]))
    assert (report.created, report.reused_ids, report.already_there) == (1, 1, 2)
    names = sorted(event["eventName"] for event in stored(cluster, EVENTS).values())
    assert names == ["DeleteBucket", "ListBuckets"]
    (second,) = (name for name in stored(cluster, EVENTS) if "~" in name)
    assert second.startswith(
        "osdetect-cloudtrail-default-2024.02/111122223333-00000000-0000-0000-0000-000000000001~"
    )
    again = run(cluster, files.write("b.json.gz", [other, record(1), record(9)]))
    assert (again.created, again.reused_ids, again.already_there) == (1, 0, 2)


def test_a_true_and_a_one_are_not_the_same_content(cluster: Cluster, files: Folder) -> None:
    report = run(cluster, files.write("a.json.gz", [record(1, x=True), record(1, x=1), record(1, x=1.0)]))
    assert (report.created, report.reused_ids) == (1, 2)


def test_which_record_gets_an_id_does_not_depend_on_the_batches(cluster: Cluster, files: Folder) -> None:
    pairs = [record(n, eventName=name) for name in ("First", "Second") for n in range(30)]
    files.write("a.json.gz", pairs[:30])
    files.write("b.json.gz", pairs[30:])
    report = run(cluster, files.path, batch_bytes=2000, in_flight=4)
    assert (report.created, report.reused_ids) == (30, 30)
    for name, event in stored(cluster, EVENTS).items():
        assert event["eventName"] == ("Second" if "~" in name else "First")


def test_halves_of_a_file_and_the_whole_are_one_set(cluster: Cluster, files: Folder) -> None:
    records = [record(n) for n in range(40)]
    run(cluster, files.write("first.json.gz", records[:20]))
    run(cluster, files.write("second.json.gz", records[20:]))
    report = run(cluster, files.write("whole.json.gz", records))
    assert (report.created, report.already_there) == (0, 40)
    assert len(stored(cluster, EVENTS)) == 40


def test_a_load_killed_at_any_moment_and_repeated_gives_the_same_set(
    cluster: Cluster, files: Folder, tmp_path: Path
) -> None:
    for part in range(12):
        shared = [record(5, eventName=f"Again{part}")] if part else []
        files.write(f"{part:02}.json.gz", [record(part * 500 + n) for n in range(500)] + shared)
    program = tmp_path / "run.py"
    program.write_text(
        "import sys\nfrom datetime import UTC, datetime\nfrom pathlib import Path\n"
        "from osdetect.cluster import Cluster, Connection\nfrom osdetect.load import LoadOptions, load\n"
        "url, folder = sys.argv[1:]\n"
        "cluster = Cluster.connect(Connection(url=url))\nprint('ready', flush=True)\n"
        "load(cluster, [Path(folder)], LoadOptions(namespace='killed', batch_bytes=100_000),"
        " now=datetime(2024, 5, 1, 12, tzinfo=UTC))\nprint('done', flush=True)\n"
    )
    finished = 0
    for pause in (0.02, 0.1, 0.2, 0.3, 0.5, 0.8):
        child = subprocess.Popen(
            [sys.executable, str(program), cluster.url, str(files.path)], stdout=subprocess.PIPE, text=True
        )
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        time.sleep(pause)
        child.send_signal(signal.SIGKILL)
        finished += "done" in child.stdout.read()
        child.stdout.close()
        child.wait()
    assert finished < 6, "no run was killed in its middle"
    run(cluster, files.path, namespace="killed", batch_bytes=100_000)
    whole = run(cluster, files.path, namespace="whole")
    assert whole.created + whole.reused_ids == 6011
    killed = {
        name.replace("-killed-", "-X-"): e
        for name, e in stored(cluster, "osdetect-cloudtrail-killed-*").items()
    }
    clean = {
        name.replace("-whole-", "-X-"): e
        for name, e in stored(cluster, "osdetect-cloudtrail-whole-*").items()
    }
    assert killed == clean
    last = run(cluster, files.path, namespace="killed")
    assert (last.files_already_loaded, last.records_read) == (12, 0)


def test_what_the_mapping_refuses_is_a_dead_letter_with_the_cluster_s_reason(
    cluster: Cluster, files: Folder
) -> None:
    bad = [record(1, eventName={"a": 1}), record(2, userIdentity="me"), record(3, tlsDetails=5)]
    path = files.write("a.json.gz", [record(0), *bad, record(4)])
    report = run(cluster, path)
    assert (report.created, report.dead_letters) == (2, 3)
    assert not report.lossless
    assert [note.record for note in report.dead_letter_notes] == [2, 3, 4]
    assert all(note.where.file == str(path) for note in report.dead_letter_notes)
    assert "eventName" in report.dead_letter_notes[0].reason
    letters = stored(cluster, "osdetect-deadletter-*")
    assert sorted(json.loads(letter["raw"]["text"])["eventID"] for letter in letters.values()) == sorted(
        entry["eventID"] for entry in bad
    )
    assert all("OpenSearch" in letter["reason"] for letter in letters.values())


@pytest.mark.parametrize(
    "name", ["@timestamp", "event", "event.kind", "osdetect", "osdetect.x", "_id", "_routing"]
)
def test_a_record_with_a_reserved_name_is_a_dead_letter(cluster: Cluster, files: Folder, name: str) -> None:
    report = run(cluster, files.write("a.json.gz", [record(1, **{name: "x"}), record(2)]))
    assert (report.created, report.dead_letters) == (1, 1)
    assert repr(name) in report.dead_letter_notes[0].reason


def test_bad_records_of_every_kind_are_dead_letters_and_the_good_ones_are_loaded(
    cluster: Cluster, files: Folder
) -> None:
    good = json.dumps(record(1)).encode()
    bad = [
        b'"text"',
        b"null",
        b"5",
        b'{"a":NaN}',
        b'{"a":' + b"[" * 200 + b"]" * 200 + b"}",
        b'{"a":1,"a":2}',
    ]
    path = files.raw("a.json", b'{"Records":[' + b",".join([*bad, good]) + b"]}")
    report = run(cluster, path)
    assert (report.created, report.dead_letters) == (1, len(bad))
    letters = stored(cluster, "osdetect-deadletter-default")
    assert {letter["raw"]["text"].encode() for letter in letters.values()} == set(bad)
    text = path.read_bytes()
    for letter in letters.values():
        assert text[letter["file"]["offset"] :].startswith(letter["raw"]["text"].encode())
        assert letter["file"]["path"] == str(path)
    again = run(cluster, files.write("b.json.gz", [record(2)]), path)
    assert (again.files_already_loaded, again.dead_letters) == (1, 0)
    assert again.earlier_dead_letters == len(bad)
    assert not again.lossless, "what is lost stays told"
    assert len(stored(cluster, "osdetect-deadletter-default")) == len(bad)


def test_a_dead_letter_keeps_so_much_of_a_huge_record_and_says_that_it_is_cut(
    cluster: Cluster, files: Folder
) -> None:
    huge = b'{"eventName":{"a":"' + b"x" * 400_000 + b'"}}'
    run(cluster, files.raw("a.json", b'{"Records":[' + huge + b"]}"))
    (letter,) = stored(cluster, "osdetect-deadletter-default").values()
    assert letter["raw"]["bytes"] == len(huge)
    assert letter["raw"]["cut"] is True
    assert len(letter["raw"]["text"]) == 256 * 1024


def test_large_values_and_odd_shapes_where_shapes_are_free_are_events(
    cluster: Cluster, files: Folder
) -> None:
    shapes: list[Any] = [
        "s",
        None,
        True,
        5,
        [],
        {},
        [1, {"": {"": 1}}],
        {"": 1, ".": 2, "a.b": 3, "a": {"b": 4}},
    ]
    names = ("requestParameters", "responseElements", "additionalEventData", "serviceEventDetails", "unknown")
    odd = [record(n, **dict.fromkeys(names, shape)) for n, shape in enumerate(shapes)]
    large = record(90, userAgent="\U0001f600" * 10_000, requestParameters={"x": "y" * 400_000})
    report = run(cluster, files.write("a.json.gz", [*odd, large]))
    assert (report.created, report.dead_letters) == (len(odd) + 1, 0)


def test_a_truncated_file_gives_its_first_records_and_stays_marked(cluster: Cluster, files: Folder) -> None:
    whole = gzip.compress(json.dumps({"Records": [record(n) for n in range(300)]}).encode())
    path = files.raw("a.json.gz", whole[: len(whole) * 2 // 3])
    first = run(cluster, path)
    assert first.created > 50
    assert first.dead_letters <= 1
    assert len(first.partial) == 1
    assert "gzip data ends" in first.partial[0].reason
    second = run(cluster, path)
    assert (second.files_already_loaded, second.records_read) == (1, 0)
    assert second.partial == first.partial
    files.raw("a.json.gz", whole)
    third = run(cluster, path)
    assert (third.created + third.already_there, third.partial) == (300, ())


def test_files_that_are_none_are_told_and_the_others_loaded(cluster: Cluster, files: Folder) -> None:
    files.write("good.json.gz", [record(1)])
    files.raw("zero.json.gz", b"")
    files.raw("html.json", b"<html>")
    files.raw("digest.json", b'{"digestStartTime":1,"digestEndTime":2,"logFiles":[]}')
    files.raw("empty.json", b'{"Records":[]}')
    files.raw("LICENSE", b"text")
    report = run(cluster, files.path, files.path / "nothing")
    assert (report.created, report.files_read, report.digests, report.ignored) == (1, 2, 1, 1)
    assert sorted(Path(note.where.file).name for note in report.refused) == [
        "html.json",
        "nothing",
        "zero.json.gz",
    ]
    assert not report.lossless


def test_nothing_to_read_is_an_error_with_a_cure(cluster: Cluster, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no CloudTrail files found") as caught:
        run(cluster, tmp_path)
    assert ".json.gz" in caught.value.cure


def test_file_names_need_not_be_unicode(cluster: Cluster, files: Folder) -> None:
    path = files.write("a.json.gz", [record(1, eventName={})])
    odd = path.rename(path.with_name("b\udcff.json.gz"))
    assert run(cluster, odd).dead_letters == 1
    (letter,) = stored(cluster, "osdetect-deadletter-default").values()
    assert letter["file"]["path"].endswith("b\ufffd.json.gz")


def test_days_and_months_do_not_mix_in_a_namespace(cluster: Cluster, files: Folder) -> None:
    path = files.write("a.json.gz", [record(1)])
    run(cluster, path, by_day=True)
    assert "osdetect-cloudtrail-default-2024.02.11" in next(iter(stored(cluster, EVENTS)))
    with pytest.raises(UsageError, match="for each day, not for each month"):
        run(cluster, path)
    assert run(cluster, path, namespace="other").created == 1


def test_progress_ends_at_the_total(cluster: Cluster, files: Folder) -> None:
    sizes = [files.write(f"{n}.json.gz", [record(n)]).stat().st_size for n in range(3)]
    told: list[tuple[int, int]] = []
    load(
        cluster,
        [files.path],
        LoadOptions(),
        now=NOW,
        on_progress=lambda done, total: told.append((done, total)),
    )
    assert told[-1] == (sum(sizes), sum(sizes))
