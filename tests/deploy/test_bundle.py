"""Bundles: the same bytes for the same rules, and nothing read that is not just what was written."""

import gzip
import hashlib
import io
import json
import os
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from osdetect.deploy import bundle as bundles
from osdetect.deploy.bundle import Bundle, encoded, read_bundle
from osdetect.documents.dialect import RAW
from osdetect.errors import InputError
from tests.faults.material import compiled

RULES = ("{eventName: CreateThing}", "{eventName|contains: Thing, sourceIPAddress|cidr: 10.0.0.0/8}")


@pytest.fixture
def made(tmp_path: Path) -> Bundle:
    return Bundle(compiled(tmp_path, *RULES).compiled, RAW, commit="a" * 40)


def _members(data: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        return {entry.name: archive.extractfile(entry).read() for entry in archive}  # type: ignore[union-attr]  # plain files


def _archive(files: Mapping[str, bytes], *more: tarfile.TarInfo, form: int = tarfile.USTAR_FORMAT) -> bytes:
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w", format=form) as archive:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(data), 0o644
            archive.addfile(entry, io.BytesIO(data))
        for entry in more:
            archive.addfile(entry)
    return written.getvalue()


def _summed(files: Mapping[str, bytes], **said: object) -> dict[str, bytes]:
    """With a manifest whose checksums fit: what somebody would make who knows the form."""
    manifest = {**json.loads(files["manifest.json"]), **said}
    rest = {name: data for name, data in files.items() if name != "manifest.json"}
    manifest["files"] = {
        name: {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()} for name, data in rest.items()
    }
    manifest.pop("sha256")
    manifest["sha256"] = hashlib.sha256(bundles._pretty(manifest)).hexdigest()
    return {"manifest.json": bundles._pretty(manifest), **rest}


def _with_rules(files: Mapping[str, bytes], change: Callable[[dict[str, Any]], None]) -> bytes:
    """The first rule changed, and all checksums made to fit, the release's name with them."""
    lines = [json.loads(line) for line in files["rules.ndjson"].splitlines()]
    change(lines[0][1])
    data = b"".join(json.dumps(one, sort_keys=True, separators=(",", ":")).encode() + b"\n" for one in lines)
    return _archive(_summed({**files, "rules.ndjson": data}))


def _refused(data: bytes, folder: Path, sha256: str = "") -> str:
    file = folder / "b.tar"
    file.write_bytes(data)
    with pytest.raises(InputError) as refused:
        read_bundle(file, sha256)
    assert "is refused" in refused.value.what
    assert refused.value.cause
    assert refused.value.cure
    return refused.value.cause


def test_the_same_rules_are_the_same_bytes_and_come_back_as_they_were(made: Bundle, tmp_path: Path) -> None:
    data = encoded(made)
    assert data == encoded(Bundle(tuple(reversed(made.rules)), RAW, commit="a" * 40))
    file = tmp_path / "b.tar"
    file.write_bytes(data)
    back = read_bundle(file, hashlib.sha256(data).hexdigest().upper())
    assert (back.index, back.dialect, back.shards, back.commit) == (made.index, RAW, 1, "a" * 40)
    ours = sorted(made.rules, key=lambda one: one.id)
    assert [(one.id, one.document, one.columns) for one in back.rules] == [
        (one.id, one.document, one.columns) for one in ours
    ]
    manifest = json.loads(_members(data)["manifest.json"])
    assert (manifest["rules"], manifest["release"]) == (2, made.index)


def test_damage_is_told(made: Bundle, tmp_path: Path) -> None:
    data = encoded(made)
    assert "SHA-256" in _refused(data, tmp_path, "0" * 64)
    for end in (0, 100, 512, 1_024, len(data) // 2, len(data) - 10_240, len(data) - 1):
        assert _refused(data[:end], tmp_path)
    assert "no archive" in _refused(gzip.compress(data), tmp_path)
    assert "no archive" in _refused(b"#!/bin/sh\n" * 100, tmp_path)
    assert "something in it" in _refused(data + b"\0" * 512, tmp_path)
    assert "something in it" in _refused(data[:-1] + b"x", tmp_path)
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for name in ("folder", "pipe", "nowhere"):
        with pytest.raises(InputError, match="is refused"):
            read_bundle(tmp_path / name)


def test_no_byte_can_be_changed(made: Bundle, tmp_path: Path) -> None:
    data = encoded(made)
    commit = data.index(b"a" * 40)  # which no other checksum is about
    for at in (commit, commit + 39, *range(512, 2_000, 97), *range(0, len(data), 997)):
        _refused(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :], tmp_path)


@pytest.mark.parametrize(
    "name",
    [
        "../../etc/passwd",
        "/etc/passwd",
        "rules.ndjson/../x",
        "templates/../x.json",
        "templates/mine.json",
        "x",
        "-rf",
    ],
)
def test_names_that_no_bundle_has_are_refused(made: Bundle, tmp_path: Path, name: str) -> None:
    files = _members(encoded(made))
    assert "which no bundle has" in _refused(_archive({**files, name: b"x"}), tmp_path)
    assert not (tmp_path / "etc").exists()


@pytest.mark.parametrize(
    "kind",
    [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE, tarfile.CONTTYPE],
)
def test_links_devices_and_folders_are_refused(made: Bundle, tmp_path: Path, kind: bytes) -> None:
    files = _members(encoded(made))
    entry = tarfile.TarInfo("templates/osdetect-alerts.json")
    entry.type, entry.linkname = kind, "/etc/passwd"
    rest = {name: data for name, data in files.items() if name != entry.name}
    assert "which no bundle has" in _refused(_archive(rest, entry), tmp_path)


def test_sizes_that_are_lies_are_refused(
    made: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = _members(encoded(made))
    bomb = tarfile.TarInfo("rules.ndjson")
    bomb.size = 1 << 40
    head = bomb.tobuf(tarfile.GNU_FORMAT)
    assert _refused(head, tmp_path)
    assert _refused(_archive({"manifest.json": files["manifest.json"]})[:1024] + head, tmp_path)
    extended = _archive({"rules.ndjson" + "x" * 300: b""}, form=tarfile.PAX_FORMAT)
    assert _refused(extended, tmp_path)
    twice = _archive(files)[: -20 * 512].rstrip(b"\0")
    assert _refused(twice + b"\0" * (-len(twice) % 512) + _archive(files), tmp_path)
    monkeypatch.setattr(bundles, "LARGEST", 1_000)
    assert "larger than" in _refused(encoded(made), tmp_path)


def test_what_was_made_by_another_osdetect_says_so(made: Bundle, tmp_path: Path) -> None:
    files = _members(encoded(made))
    assert "format 2" in _refused(_archive(_summed(files, stored_rules=2)), tmp_path)
    assert "the form 9" in _refused(_archive(_summed(files, bundle=9)), tmp_path)
    other = {**files, "templates/osdetect-alerts.json": b"{}\n"}
    assert "not the one of this osdetect" in _refused(_archive(_summed(other)), tmp_path)
    less = {name: data for name, data in files.items() if name != "templates/osdetect-alerts.json"}
    assert "not the one of this osdetect" in _refused(_archive(_summed(less)), tmp_path)
    assert "does not hold the files" in _refused(_archive(less), tmp_path)
    wrongs: tuple[dict[str, object], ...] = (
        {"shards": 0},
        {"dialect": {}},
        {"release": 7},
        {"commit": None},
    )
    for wrong in wrongs:
        assert "does not say" in _refused(_archive(_summed(files, **wrong)), tmp_path)
    assert "not those of the release" in _refused(
        _archive(_summed(files, release="osdetect-rules-x")), tmp_path
    )
    assert "something in it" in _refused(_archive(_summed(files, more="x")), tmp_path)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda one: one.update(query={"script": {"script": "1"}}), "'script'"),
        (
            lambda one: one.update(query={"bool": {"filter": [{"query_string": {"query": "*"}}]}}),
            "'query_string'",
        ),
        (
            lambda one: one.update(query={"terms": {"a": {"index": "other", "id": "1", "path": "x"}}}),
            "'terms'",
        ),
        (lambda one: one.update(search={"bool": {"boost": 3}}), "'boost'"),
        (lambda one: one.update(query={"bool": {"filter": {"script": {}}}}), "'filter'"),
        (lambda one: one.update(query="x"), "holds"),
        (lambda one: one["rule"].update(id="other"), "another id inside"),
        (lambda one: one["detection"].update(tree={"all": 3}), "cannot be read"),
        (lambda one: one["detection"].update(format=2), "cannot be read"),
        (lambda one: one.pop("detection"), "cannot be read"),
        (lambda one: one.update(description="changed"), "not those of the release"),
    ],
)
def test_rules_that_no_compiler_made_are_refused_also_when_all_checksums_fit(
    made: Bundle, tmp_path: Path, change: Callable[[dict[str, Any]], None], said: str
) -> None:
    assert said in _refused(_with_rules(_members(encoded(made)), change), tmp_path)
