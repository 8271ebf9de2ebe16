"""YAML of rule files, read as the hostile input it is: limits, no duplicate keys, positions kept.

Only the safe C loader is used, and only up to its node graph: values are built here, so that aliases cannot
multiply (an "alias bomb"), a key given twice is an error instead of a silent choice, and every key and item
keeps its line and column.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
import yaml

from osdetect.errors import RuleError
from osdetect.source import SourceText

MAX_NODES = 50_000
"""Nodes of one document, aliases counted each time they are used."""
MAX_DEPTH = 32
MAX_DOCUMENTS = 500

Path = tuple[str | int, ...]
Position = tuple[int, int]


class Document(msgspec.Struct, frozen=True):
    """One YAML document: its data, and where each key and list item stands."""

    source: SourceText
    data: Any
    positions: Mapping[Path, Position]
    """(line, column), from 1, of the key or item that a path names; `()` is the document's beginning."""

    def error(
        self, what: str, *, at: Path = (), cause: str = "", cure: str = "", line: int = 0, column: int = 0
    ) -> RuleError:
        """A refusal placed at the path, or at its nearest known ancestor."""
        if not line:
            line, column = self.place(at)
        return RuleError(what, cause=cause, cure=cure, where=self.source.where(line, column))

    def place(self, at: Path) -> Position:
        """Where the path stands, or its nearest known ancestor; zeros if nothing is known."""
        while at not in self.positions and at:
            at = at[:-1]
        return self.positions.get(at, (0, 0))


def documents(source: SourceText) -> Iterator[Document | RuleError]:
    """The documents of a file, in order; a refusal in the place of one that cannot be read.

    After text that is not YAML nothing more of the file can be read: that refusal is the last.
    """
    loader = _Loader(source.text)
    try:
        for _ in range(MAX_DOCUMENTS):
            if not loader.check_node():
                return
            node = loader.get_node()
            assert node is not None  # check_node saw one
            try:
                document = _Builder(source, loader).document(node)
            except RuleError as refusal:
                yield refusal
                continue
            if document.data is not None:
                yield document
        yield RuleError(f"more than {MAX_DOCUMENTS} documents in one file", where=source.where())
    except yaml.MarkedYAMLError as error:
        yield _unreadable(source, error)
    except yaml.reader.ReaderError as error:
        yield _unreadable_character(source, error)
    except RecursionError:
        yield RuleError("this YAML is nested too deeply", where=source.where())
    finally:
        loader.dispose()


class _Loader(yaml.CSafeLoader):
    """libyaml's parser, with a bound on nesting: it builds nodes by recursion in C, which ends the process when deep."""

    MAX_NESTING = 4 * MAX_DEPTH
    _depth = 0

    def descend_resolver(self, current_node: yaml.Node | None, _index: Any) -> None:
        """Called for each node before it is built; PyYAML asks nothing else here."""
        self._depth += 1
        if self._depth > self.MAX_NESTING:
            mark = current_node.start_mark if current_node else None
            raise yaml.MarkedYAMLError(problem="it is nested too deeply", problem_mark=mark)

    def ascend_resolver(self) -> None:
        """Called when the node is built."""
        self._depth -= 1


def _unreadable_character(source: SourceText, error: yaml.reader.ReaderError) -> RuleError:
    """A character that YAML does not allow. The parser counts the bytes before it."""
    before = source.text.encode()[: error.position].decode(errors="ignore")
    where = source.where(before.count("\n") + 1, len(before) - before.rfind("\n"))
    return RuleError("this is not YAML", cause=f"it has the character {error.character!a}", where=where)


def _unreadable(source: SourceText, error: yaml.MarkedYAMLError) -> RuleError:
    mark = error.problem_mark or error.context_mark
    where = source.where(mark.line + 1, mark.column + 1) if mark else source.where()
    cause = ", ".join(str(part) for part in (error.context, error.problem) if part)
    return RuleError("this is not YAML", cause=cause, cure="mend the file at this place", where=where)


_TEXT = "tag:yaml.org,2002:str"


_PLAIN = frozenset({"tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"})
_NO_VALUE = (yaml.YAMLError, ValueError, KeyError, AttributeError, OverflowError)
"""What PyYAML raises for `!!int x`, `!!bool x`, `!!timestamp x` and numerals in base 60 without end."""


class _Builder:
    """Builds one document; its counters live as long as that takes."""

    def __init__(self, source: SourceText, loader: yaml.CSafeLoader) -> None:
        self._source = source
        self._loader = loader
        self._positions: dict[Path, Position] = {}
        self._nodes = 0

    def document(self, node: yaml.Node) -> Document:
        self._mark((), node)
        data = self._value(node, ())
        return Document(self._source, data, self._positions)

    def _mark(self, path: Path, node: yaml.Node) -> None:
        mark = node.start_mark
        self._positions[path] = (mark.line + 1, mark.column + 1)

    def _refuse(self, node: yaml.Node, what: str, cause: str = "") -> RuleError:
        where = self._source.where(node.start_mark.line + 1, node.start_mark.column + 1)
        return RuleError(what, cause=cause, where=where)

    def _value(self, node: yaml.Node, path: Path) -> Any:
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise self._refuse(
                node, f"this document has more than {MAX_NODES} nodes", "its aliases may multiply"
            )
        if len(path) > MAX_DEPTH:
            raise self._refuse(node, f"this document is nested more than {MAX_DEPTH} deep")
        if isinstance(node, yaml.CollectionNode) and node.tag not in _PLAIN:
            raise self._refuse(node, f"the tag {node.tag[:60]!r} is not part of Sigma")
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self._item(item, (*path, i)) for i, item in enumerate(node.value)]
        if node.tag == _TEXT:  # most of a rule; the loader would come to the same
            return node.value
        try:
            return self._loader.construct_object(node)
        except _NO_VALUE as error:
            raise self._refuse(
                node, "this value cannot be read", " ".join(str(error).split())[:200]
            ) from error

    def _item(self, node: yaml.Node, path: Path) -> Any:
        self._mark(path, node)
        return self._value(node, path)

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        built: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                raise self._refuse(key_node, "a key must be plain text")
            if key_node.tag == "tag:yaml.org,2002:merge":
                raise self._refuse(key_node, "merge keys (<<) are not part of Sigma")
            key = str(key_node.value)
            if key in built:
                line, _ = self._positions[*path, key]
                raise self._refuse(key_node, f"the key {key!r} stands here twice", f"first in line {line}")
            self._mark((*path, key), key_node)
            built[key] = self._value(value_node, (*path, key))
        return built
