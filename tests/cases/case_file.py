"""The cases as data: from the files of this folder to what each says (README.md tells the format)."""

import base64
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import msgspec
import yaml

from osdetect.sigma import ReadOptions

FOLDER = Path(__file__).parent
REST = "\ntitle: A case\nid: 0f4cf2a1-6d4c-4f4e-9b0a-3b1f6a1c2d3e\nlogsource: {product: aws, service: cloudtrail}\n"
_CLOUDTRAIL = {"product": "aws", "service": "cloudtrail"}
_KEYS = frozenset(
    {"at", "base64", "class", "complete", "construct", "detection", "events", "logsource", "name"}
    | {"placeholders", "refused", "text", "tree", "warning"}
)


class Expected(msgspec.Struct, frozen=True):
    """What a rule of an accepted case becomes."""

    tree: str
    """Empty where it is too long to write."""
    kind: str
    """indexed, token or every event."""


class Probe(msgspec.Struct, frozen=True):
    """An event, and what it shows."""

    event: Mapping[str, Any]
    matches: frozenset[str]
    """The titles of the case's rules that match it."""
    why: str
    unindexable: bool
    """Whether the event index does not take it."""


class Refusal(msgspec.Struct, frozen=True):
    """What is said of a text that is refused."""

    said: str
    at: str


class Case(msgspec.Struct, frozen=True):
    """One case: a rule file, and what becomes of it."""

    file: str
    name: str
    constructs: tuple[str, ...]
    """Keys of `constructs.CONSTRUCTS`."""
    content: bytes
    modifiers: frozenset[str]
    options: ReadOptions
    rules: Mapping[str, Expected]
    """By title; empty for a case that is refused."""
    probes: tuple[Probe, ...]
    warnings: tuple[str, ...]
    refusal: Refusal | None

    @property
    def title(self) -> str:
        """How the case is called everywhere."""
        return f"{self.file}: {self.name}"


class _CaseLoader(yaml.SafeLoader):
    """YAML with two tags for texts that are too long to write."""


def _times(loader: yaml.SafeLoader, node: yaml.Node) -> str:
    assert isinstance(node, yaml.SequenceNode)
    text, count = loader.construct_sequence(node, deep=True)
    return str(text) * int(count)


def _join(loader: yaml.SafeLoader, node: yaml.Node) -> str:
    assert isinstance(node, yaml.SequenceNode)
    return "".join(loader.construct_sequence(node, deep=True))


_CaseLoader.add_constructor("!times", _times)
_CaseLoader.add_constructor("!join", _join)


@lru_cache(maxsize=1)
def all_cases() -> tuple[Case, ...]:
    """Every case of this folder, by file and place in it."""
    return tuple(
        _case(file.stem, given)
        for file in sorted(FOLDER.glob("*.yml"))
        for given in _CaseLoader(file.read_text(encoding="utf-8")).get_single_data()
    )


def _case(file: str, given: Mapping[str, Any]) -> Case:
    name = given["name"]
    assert given.keys() <= _KEYS, (file, name, given.keys() - _KEYS)
    title = f"{file}: {name}"
    return Case(
        file=file,
        name=name,
        constructs=_texts(given["construct"]),
        content=_content(title, given),
        modifiers=frozenset(_modifiers(given.get("detection"))),
        options=ReadOptions(
            every_log_source="logsource" in given, placeholders=_placeholders(given.get("placeholders", {}))
        ),
        rules={} if "refused" in given else _expected(title, given),
        probes=tuple(_probe(title, one) for one in given.get("events", ())),
        warnings=_texts(given.get("warning", ())),
        refusal=Refusal(given["refused"], given["at"]) if "refused" in given else None,
    )


def _texts(given: str | Iterable[str]) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) else tuple(given)


def _placeholders(given: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    return {name: _texts(values) for name, values in given.items()}


def _content(title: str, given: Mapping[str, Any]) -> bytes:
    """The bytes of the rule file."""
    if "base64" in given:
        return base64.b64decode(given["base64"])
    if "text" in given:
        whole = given.get("complete") or "refused" not in given
        return str(given["text"] + ("" if whole else REST)).encode()
    rule = {
        "title": title,
        "id": str(uuid5(NAMESPACE_URL, title)),
        "logsource": given.get("logsource", _CLOUDTRAIL),
        "detection": given["detection"],
    }
    return yaml.safe_dump(rule, sort_keys=False, allow_unicode=True).encode()


def _expected(title: str, given: Mapping[str, Any]) -> dict[str, Expected]:
    if "detection" in given:
        return {title: Expected(given.get("tree", ""), given["class"])}
    return {name: Expected(tree, given["class"][name]) for name, tree in given["tree"].items()}


def _probe(title: str, given: Mapping[str, Any]) -> Probe:
    match = given["match"]
    titles = match if isinstance(match, list) else [title] if match else []
    return Probe(given["event"], frozenset(titles), given["why"], given.get("unindexable", False))


def _modifiers(node: object) -> Iterator[str]:
    if isinstance(node, list):
        for item in node:
            yield from _modifiers(item)
    elif isinstance(node, dict):
        for key, value in node.items():
            yield from key.split("|")[1:]
            yield from _modifiers(value)
