"""Rule files of a zip or tar archive. Nothing is unpacked to a disk: files are read one by one, with bounds."""

import gzip
import hashlib
import io
import stat
import tarfile
import zipfile
import zlib
from pathlib import Path
from typing import IO

from osdetect.errors import InputError, Where
from osdetect.packs.limits import MAX_ENTRIES, MAX_SOURCE_BYTES, Gate, Snapshot
from osdetect.packs.unpacking import Unpacking

_END = b"PK\x05\x06"
_END_64 = b"PK\x06\x07"
_MAX_DIRECTORY = 32 << 20
_PACKINGS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""Others say themselves how much memory they are to be given."""
_DAMAGED = (
    EOFError,
    zlib.error,
    tarfile.TarError,
    zipfile.BadZipFile,
    ValueError,
    RecursionError,  # a header of tar may say that it is about the next one, and so on
)


def read_archive(file: Path, gate: Gate) -> Snapshot:
    """What an archive holds; a single folder at its top is left away.

    Raises:
        InputError: it cannot be read as an archive, or is too large.
    """
    try:
        if file.exists() and not file.is_file():  # a pipe or a device never ends
            raise _unreadable(gate, "it is no plain file")
        with file.open("rb") as stream:
            if stream.seek(0, io.SEEK_END) > MAX_SOURCE_BYTES:
                raise gate.too_much(f"the archive has more than {MAX_SOURCE_BYTES >> 20} MiB")
            stream.seek(0)
            revision = hashlib.file_digest(stream, "sha256").hexdigest()
            stream.seek(0)
            first = stream.read(4)
            stream.seek(0)
            if first.startswith(b"\x1f\x8b"):
                _read_tar(stream, gate)
            elif first.startswith(b"PK"):
                _read_zip(stream, gate)
            else:
                raise _unreadable(gate, "it begins neither as a zip nor as a gzip file")
    except OSError as error:
        if isinstance(error, gzip.BadGzipFile):
            raise _unreadable(gate, str(error)) from error
        raise InputError(f"{file} cannot be read", cause=str(error.strerror or error)) from error
    except _DAMAGED as error:
        raise _unreadable(gate, f"{type(error).__name__}: {error}"[:200]) from error
    return gate.snapshot(revision)


def _unreadable(gate: Gate, cause: str) -> InputError:
    return InputError(
        "this archive cannot be read",
        cause=cause,
        cure="fetch it anew; a zip or a tar.gz is read",
        where=Where(gate.source),
    )


def _read_tar(stream: IO[bytes], gate: Gate) -> None:
    with gzip.GzipFile(fileobj=stream) as inflated:
        packed = stream.seek(0, io.SEEK_END)
        stream.seek(0)
        bounded = Unpacking(inflated, packed, gate)
        with tarfile.open(fileobj=bounded, mode="r:", encoding="utf-8", errors="surrogateescape") as archive:
            while member := archive.next():
                gate.count()
                archive.members.clear()  # type: ignore[attr-defined]  # its list of all of them is not needed, and would grow with the archive
                _take_member(archive, member, gate)
        if bounded.last.strip(b"\0"):  # where a header should be is none: tarfile takes that for the end
            raise _unreadable(gate, "it ends early, or is damaged in the middle")


def _take_member(archive: tarfile.TarFile, member: tarfile.TarInfo, gate: Gate) -> None:
    path = member.name.removeprefix("./").rstrip("/")
    if path in {"", "."} and member.isdir():
        return
    if member.issym() or member.islnk():
        gate.refuse(path, "this is a link", "links are not followed", "put the file itself into the archive")
    elif not gate.passes(path) or member.isdir():
        return
    elif not member.isreg():
        gate.refuse(path, "this is no plain file", "it is a device, a pipe or something else")
    elif most := gate.wants(path):
        content = archive.extractfile(member)
        assert content is not None  # a plain file has content
        gate.take(path, content.read(most + 1))


def _read_zip(stream: IO[bytes], gate: Gate) -> None:
    _require_small_directory(stream, gate)
    with zipfile.ZipFile(stream) as archive:
        listed = archive.infolist()
        if len(listed) > MAX_ENTRIES:
            raise gate.too_much(f"it has more than {MAX_ENTRIES:,} files and folders")
        if sum(one.file_size for one in listed) > MAX_SOURCE_BYTES:
            raise gate.too_much(f"unpacked it has more than {MAX_SOURCE_BYTES >> 20} MiB")
        for one in listed:
            gate.count()
            _take_zipped(archive, one, gate)


def _require_small_directory(stream: IO[bytes], gate: Gate) -> None:
    """The list of a zip's files is read into memory as a whole: its size is looked at before."""
    size = stream.seek(0, io.SEEK_END)
    stream.seek(max(0, size - (1 << 16) - 64))
    end = stream.read()
    at = end.rfind(_END)
    if at < 0 or len(end) < at + 22:
        raise _unreadable(gate, "its list of files is not there: it ends early")
    if (
        _END_64 in end[max(0, at - 20) : at]
        or int.from_bytes(end[at + 12 : at + 16], "little") > _MAX_DIRECTORY
    ):
        raise gate.too_much("its list of files is larger than any pack's")
    stream.seek(0)


def _take_zipped(archive: zipfile.ZipFile, one: zipfile.ZipInfo, gate: Gate) -> None:
    path = one.filename.removeprefix("./").rstrip("/")
    kind = stat.S_IFMT(one.external_attr >> 16)
    if kind == stat.S_IFLNK:
        gate.refuse(path, "this is a link", "links are not followed", "put the file itself into the archive")
    elif not gate.passes(path) or one.is_dir():
        return
    elif kind not in {0, stat.S_IFREG}:
        gate.refuse(path, "this is no plain file", "it is a device, a pipe or something else")
    elif not gate.wants(path):
        return
    elif one.compress_type not in _PACKINGS:
        gate.refuse(
            path,
            "this file is packed in a way that is not read",
            cure="make the zip with deflate, as most are",
        )
    elif most := gate.wants(path):
        try:
            with archive.open(one) as content:
                data = content.read(most + 1)
        except (RuntimeError, NotImplementedError, zipfile.BadZipFile, zlib.error, EOFError) as error:
            gate.refuse(path, "this file of the archive cannot be read", str(error)[:200])
            return
        gate.take(path, data)
