"""The detection of a document as its author wrote it: a place for each field, modifier and value.

The tree knows meaning and no places; what is found in it is led back to a place by field and value.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec

from osdetect.expr import Gap, Wildcard
from osdetect.expr.predicates import predicate
from osdetect.expr.values import fold_case
from osdetect.sigma.yaml_text import Path

NO_SELECTIONS = frozenset({"condition", "timeframe", "rules"})
"""Keys of a detection, or of a filter, that hold no selection."""
_SHAPING = {"contains": ("*", "*"), "startswith": ("", "*"), "endswith": ("*", "")}
_PLAIN_MODIFIERS = frozenset({"all", "cased", *_SHAPING})


class Item(msgspec.Struct, frozen=True):
    """One `field|modifiers: values` of a detection."""

    path: Path
    field: str
    """Empty for keywords."""
    modifiers: tuple[str, ...]
    values: tuple[tuple[Path, object], ...]
    """Each value with its place; a value that stands alone has the place of its key."""

    @property
    def is_text_match(self) -> bool:
        """Whether the values are texts that may hold wildcards, and nothing else."""
        return _PLAIN_MODIFIERS.issuperset(self.modifiers)

    @property
    def is_exact(self) -> bool:
        """Whether a value without wildcards must be the whole text."""
        return {"all", "cased"}.issuperset(self.modifiers)

    def pattern(self, value: object) -> str:
        """The wildcard pattern that a value stands for, with what its modifiers put around it.

        >>> Item((), "a", ("startswith",), ()).pattern("Create")
        'Create*'
        """
        text = ("true" if value else "false") if isinstance(value, bool) else str(value)
        for name, (before, behind) in _SHAPING.items():
            if name in self.modifiers:
                text = f"{before}{text}{behind}"
        return text


def items_of(data: object) -> Iterator[Item]:
    """The items of a document's detection, or of its filter; none when it has no such thing."""
    if not isinstance(data, dict):
        return
    for part in ("detection", "filter"):
        selections = data.get(part)
        if isinstance(selections, dict):
            for name, selection in selections.items():
                if name not in NO_SELECTIONS:
                    yield from _walk(selection, (part, name))


def _walk(node: object, path: Path) -> Iterator[Item]:
    if isinstance(node, list):
        keywords = tuple(((*path, i), one) for i, one in enumerate(node) if not isinstance(one, (dict, list)))
        if keywords:
            yield Item(path, "", (), keywords)
        for i, one in enumerate(node):
            if isinstance(one, dict):
                yield from _walk(one, (*path, i))
    elif isinstance(node, dict):
        for key, value in node.items():
            field, *modifiers = key.split("|")
            yield Item((*path, key), field, tuple(modifiers), _values(value, (*path, key)))


def _values(value: object, path: Path) -> tuple[tuple[Path, object], ...]:
    if isinstance(value, list):
        return tuple(((*path, i), one) for i, one in enumerate(value) if not isinstance(one, (dict, list)))
    return () if isinstance(value, dict) else ((path, value),)


def place_of(items: Sequence[Item], field: str, text: str = "") -> Path:
    """Where a field is tested for a text; where it is tested at all if that is not found."""
    wanted = fold_case(text)
    found: Path = ("detection",)
    for item in reversed(items):
        if item.field != field:
            continue
        found = item.path
        for path, value in item.values:
            if fold_case(literal(str(value))) == wanted:
                return path
    return found


_PIECES = re.compile(r"\\([*?\\])|([*?])|([^*?\\]+|\\)", re.DOTALL)


def has_wildcard(pattern: str) -> bool:
    r"""Whether an unescaped `*` or `?` is in it (Sigma rules specification, "Wildcard").

    >>> has_wildcard("a*"), has_wildcard("a\\*")
    (True, False)
    """
    return any(found[2] for found in _PIECES.finditer(pattern))


def literal(pattern: str) -> str:
    r"""The text that a pattern without wildcards stands for.

    >>> literal("a\\*b")
    'a*b'
    """
    return "".join(found[1] or found[2] or found[3] for found in _PIECES.finditer(pattern))


def matcher(pattern: str) -> Callable[[Any], bool]:
    """Whether a text fits the pattern, in any letter case and in linear time: patterns are hostile.

    >>> matcher("create*user")("CreateLoginUser")
    True
    """
    parts: list[str | Gap] = []
    for found in _PIECES.finditer(pattern):
        gap = Gap(found[2]) if found[2] else None
        if gap is None:
            parts.append(found[1] or found[3])
        elif gap is Gap.ONE or parts[-1:] != [gap]:
            parts.append(gap)
    return predicate(Wildcard(tuple(parts)))
