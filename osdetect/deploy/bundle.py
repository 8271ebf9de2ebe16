"""A bundle: compiled rules with what they need in one file, made where the rules are and deployed where nothing else is.

    manifest.json          what it is, for which osdetect, and the SHA-256 of each file below and of all that it says itself
    rules.ndjson           a line for each rule: its id and its percolator document
    templates/NAME.json    index templates
    pipelines/NAME.json    ingest pipelines

It is a plain tar archive, not compressed, whose bytes follow from what is in it: the same rules give the same file on any
machine. It is read in memory and never unpacked. What is read must be, byte for byte, what would be written of it again; so
nothing can be hidden in it, and there is no name, link or size to trust.
"""

import hashlib
import io
import re
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import orjson

from osdetect import __version__
from osdetect.deploy.mappings import Resource, shipped
from osdetect.deploy.releases import Deployable, release_index, sorted_json
from osdetect.documents.dialect import Dialect
from osdetect.documents.stored_rule import FORMAT, StoredRule
from osdetect.errors import InputError, RuleError

VERSION = 2
"""Of the archive's form."""
LARGEST = 256 << 20
"""Bytes of a bundle; more is not read."""
_MANIFEST, _RULES = "manifest.json", "rules.ndjson"
_SELF = "sha256"
"""Of the manifest, as it is without this."""
_MOST_FILES = 200
_FILE = re.compile(
    r"manifest\.json|rules\.ndjson|(?:templates|pipelines)/osdetect-[a-z0-9-]{1,60}\.json", re.ASCII
)
_COMMIT = re.compile(r"[0-9a-f]{0,64}", re.ASCII)
_TESTS = frozenset({"term", "exists", "wildcard", "regexp"})
_CONSTANTS = frozenset({"match_all", "match_none"})
_CLAUSES = frozenset({"filter", "must_not", "should", "must"})
_AGAIN = "make it again with osdetect bundle, and carry it over unchanged"


class BundledRule(msgspec.Struct, frozen=True):
    """A rule out of a bundle."""

    id: str
    document: bytes
    columns: tuple[str, ...]


class Bundle(msgspec.Struct, frozen=True):
    """What a bundle holds."""

    rules: tuple[Deployable, ...]
    dialect: Dialect
    shards: int = 1
    commit: str = ""
    """Of the git repository that the rules were in."""

    @property
    def index(self) -> str:
        """The release that it becomes."""
        return release_index(sorted(self.rules, key=lambda one: one.id), self.dialect, self.shards)


def encoded(bundle: Bundle) -> bytes:
    """The bundle as a file."""
    ordered = sorted(bundle.rules, key=lambda one: one.id)
    rules = b"".join(orjson.dumps([one.id, orjson.Fragment(one.document)]) + b"\n" for one in ordered)
    files = {_RULES: rules, **{_place(one): _pretty(one.body) for one in shipped()}}
    manifest = {
        "bundle": VERSION,
        "osdetect": __version__,
        "stored_rules": FORMAT,
        "release": bundle.index,
        "rules": len(ordered),
        "licenses": _licenses(ordered),
        "dialect": bundle.dialect.to_json(),
        "shards": bundle.shards,
        "commit": bundle.commit,
        "files": {
            name: {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
            for name, data in files.items()
        },
    }
    return _archive({_MANIFEST: _pretty({**manifest, _SELF: _sum_of(manifest)}), **files})


def _place(resource: Resource) -> str:
    kind = "pipelines" if resource.path.startswith("/_ingest/") else "templates"
    return f"{kind}/{resource.name}.json"


def _pretty(data: Mapping[str, Any]) -> bytes:
    return orjson.dumps(data, option=orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def _licenses(rules: Sequence[Deployable]) -> list[str]:
    said = {str(orjson.loads(one.document)["rule"].get("license", "")) for one in rules}
    return sorted(said - {""})


def _archive(files: Mapping[str, bytes]) -> bytes:
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(data), 0o644
            archive.addfile(entry, io.BytesIO(data))
    return written.getvalue()


def read_bundle(path: Path, sha256: str = "") -> Bundle:
    """Read and check a bundle.

    Args:
        path: the file.
        sha256: what its SHA-256 must be, as `osdetect bundle` said; empty: its own checksums must do.

    Raises:
        InputError: it is not there, or is not a bundle, or not as it was made.
    """
    data = _bytes(path)
    digest = hashlib.sha256(data).hexdigest()
    if sha256 and digest != sha256.strip().lower():
        raise _refused(path, f"its SHA-256 is {digest}, not {sha256.strip()[:64]}", _AGAIN)
    files = _files(path, data)
    manifest = _manifest(path, files)
    bundle = Bundle(
        _rules(path, files[_RULES]), manifest.dialect, shards=manifest.shards, commit=manifest.commit
    )
    _require_ours(path, files)
    if bundle.index != manifest.release:
        raise _refused(path, f"its rules are not those of the release {manifest.release[:60]}", _AGAIN)
    if encoded(bundle) != data:
        raise _refused(path, "there is something in it that no bundle has", _AGAIN)
    return bundle


def _bytes(path: Path) -> bytes:
    try:
        if path.exists() and not path.is_file():
            raise _refused(path, "it is no file", "give the file that osdetect bundle wrote")
        with path.open("rb") as opened:
            data = opened.read(LARGEST + 1)
    except OSError as error:
        raise _refused(
            path, error.strerror or str(error), "give the file that osdetect bundle wrote"
        ) from None
    if len(data) > LARGEST:
        raise _refused(path, f"it is larger than {LARGEST:,} bytes", "make several bundles of fewer rules")
    return data


def _files(path: Path, data: bytes) -> dict[str, bytes]:
    """The contents by name; of an archive that holds plain files under the names of a bundle alone."""
    files: dict[str, bytes] = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as archive:
            for number, entry in enumerate(archive):
                plain = entry.type == tarfile.REGTYPE and not entry.pax_headers and not entry.sparse
                if (
                    not plain
                    or not _FILE.fullmatch(entry.name)
                    or entry.name in files
                    or number >= _MOST_FILES
                ):
                    raise _refused(
                        path,
                        f"it holds {entry.name[:100]!r}, which no bundle has in such a way",
                        "do not deploy it: nothing was unpacked; find out where it came from",
                    )
                opened = archive.extractfile(entry)
                files[entry.name] = opened.read() if opened else b""
    except (tarfile.TarError, OverflowError, ValueError, EOFError) as error:
        raise _refused(path, f"it is no archive that osdetect bundle wrote: {error}", _AGAIN) from None
    if missing := {_MANIFEST, _RULES} - files.keys():
        raise _refused(path, f"it lacks {min(missing)}: it is cut short, or no bundle", _AGAIN)
    return files


class _Manifest(msgspec.Struct, frozen=True):
    release: str
    dialect: Dialect
    shards: int
    commit: str


def _manifest(path: Path, files: Mapping[str, bytes]) -> _Manifest:
    said = _json(path, _MANIFEST, files[_MANIFEST])
    match said:
        case {"bundle": int(version), "osdetect": made_by} if version != VERSION:
            raise _other(path, f"it has the form {version}, this osdetect reads {VERSION}", made_by)
        case {"stored_rules": int(version), "osdetect": made_by} if version != FORMAT:
            raise _other(
                path, f"its rules have the format {version}, this osdetect deploys {FORMAT}", made_by
            )
        case {
            "bundle": int(),
            "stored_rules": int(),
            "files": dict(listed),
            "release": str(release),
            "shards": int(shards),
            "commit": str(commit),
            "dialect": stored,
        } if 0 < shards <= 64 and _COMMIT.fullmatch(commit) and (dialect := Dialect.from_json(stored)):
            pass
        case _:
            raise _refused(path, f"its {_MANIFEST} does not say what a bundle's says", _AGAIN)
    if said.get(_SELF) != _sum_of({name: value for name, value in said.items() if name != _SELF}):
        raise _refused(path, f"the checksum of {_MANIFEST} does not fit: it was changed", _AGAIN)
    if listed.keys() != files.keys() - {_MANIFEST}:
        raise _refused(
            path, "it does not hold the files that it lists: it is cut short, or was changed", _AGAIN
        )
    for name, data in files.items():
        if name != _MANIFEST and listed[name] != _sum(data):
            raise _refused(path, f"the checksum of {name} does not fit: it was changed", _AGAIN)
    # `true` is taken for a number as well; written as one, it is not what stands there.
    return _Manifest(release, dialect, int(shards), commit)


def _sum_of(manifest: Mapping[str, Any]) -> str:
    return hashlib.sha256(_pretty(manifest)).hexdigest()


def _sum(data: bytes) -> dict[str, Any]:
    return {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def _json(path: Path, name: str, data: bytes) -> Any:
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise _refused(path, f"its {name} is no JSON: {error}", _AGAIN) from None


def _rules(path: Path, data: bytes) -> tuple[BundledRule, ...]:
    rules: list[BundledRule] = []
    for number, line in enumerate(data.splitlines(), 1):
        match _json(path, f"{_RULES}, line {number},", line):
            case [str(rule_id), dict(source)]:
                rules.append(_rule(path, rule_id, source))
            case _:
                raise _refused(path, f"line {number} of its {_RULES} is no rule", _AGAIN)
    if len({one.id for one in rules}) != len(rules):
        raise _refused(path, f"two rules of its {_RULES} have the same id", _AGAIN)
    return tuple(rules)


def _rule(path: Path, rule_id: str, source: dict[str, Any]) -> BundledRule:
    try:
        stored = StoredRule.from_source(rule_id, source)
    except (RuleError, RecursionError) as error:
        cause = error.cause if isinstance(error, RuleError) else "it is nested too deeply"
        raise _refused(path, f"its rule {rule_id[:60]!r} cannot be read: {cause}", _AGAIN) from None
    if stored.words["rule"].get("id") != rule_id:
        raise _refused(path, f"its rule {rule_id[:60]!r} has another id inside", _AGAIN)
    strange = next(
        (name for query in (source.get("query"), source.get("search")) for name in _strange(query)), None
    )
    if strange is not None:
        raise _refused(
            path,
            f"the query of its rule {rule_id[:60]!r} holds {strange[:60]!r}, which osdetect never compiles to",
            "do not deploy it; find out where it came from",
        )
    return BundledRule(rule_id, sorted_json(source), stored.columns)


def _strange(query: object) -> Iterator[str]:
    """What a stored or search query never holds: scripts, look-ups in other indices, query strings and the like."""
    if not isinstance(query, dict) or len(query) != 1:
        yield str(query)[:60]
        return
    ((name, body),) = query.items()
    if name == "bool" and isinstance(body, dict):
        for clause, parts in body.items():
            if clause in _CLAUSES and isinstance(parts, list):
                for part in parts:
                    yield from _strange(part)
            elif clause != "minimum_should_match" or not isinstance(parts, int):
                yield clause
    elif not _is_leaf(name, body):
        yield str(name)


def _is_leaf(name: object, body: object) -> bool:
    if name in _CONSTANTS:
        return body == {}
    if name == "terms":
        return isinstance(body, dict) and all(isinstance(values, list) for values in body.values())
    return name in _TESTS and isinstance(body, dict)


def _require_ours(path: Path, files: Mapping[str, bytes]) -> None:
    """Check that templates and pipelines are those of this osdetect: what it stores and what stands there must fit."""
    ours = {_place(one): _pretty(one.body) for one in shipped()}
    for name in sorted(ours.keys() | files.keys() - {_MANIFEST, _RULES}):
        if files.get(name) != ours.get(name):
            made_by = _json(path, _MANIFEST, files[_MANIFEST]).get("osdetect")
            raise _other(path, f"its {name} is not the one of this osdetect", made_by)


def _other(path: Path, cause: str, made_by: object) -> InputError:
    cure = (
        f"it was made by osdetect {str(made_by)[:40]}: deploy it with that one, or make it with {__version__}"
    )
    return _refused(path, cause, cure)


def _refused(path: Path, cause: str, cure: str) -> InputError:
    return InputError(f"the bundle {path} is refused", cause=cause, cure=cure)
