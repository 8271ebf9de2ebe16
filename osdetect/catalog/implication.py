"""Whether every event that one rule matches another matches as well: what can be seen from the trees alone.

What is said here is true; there are implications that it does not find.
"""

from collections.abc import Mapping

from osdetect.expr import (
    ANYWHERE,
    All,
    AnyOf,
    Boolean,
    Equals,
    Exists,
    Expr,
    Gap,
    Leaf,
    Not,
    Number,
    Wildcard,
)
from osdetect.expr.fold import leaves
from osdetect.expr.predicates import predicate
from osdetect.expr.values import fold_case

MAX_WORK = 40_000
"""Pairs of leaves; larger trees are not compared (`Outline.may_imply`)."""


class Outline:
    """What of a tree is enough to see that it cannot imply another, or not be implied: most pairs end there."""

    __slots__ = ("fields", "parts", "size", "texts")

    def __init__(self, tree: Expr[str]) -> None:
        self.size = 0
        texts: dict[str, list[str]] = {}
        for leaf in leaves(tree):
            self.size += 1
            texts.setdefault(leaf.field, []).extend(map(fold_case, _literals(leaf)))
        self.fields = frozenset(texts)
        self.texts: Mapping[str, str] = {field: "\0".join(found) for field, found in texts.items()}
        self.parts = tuple(map(_Part, tree.parts if isinstance(tree, All) else (tree,)))

    def may_imply(self, other: "Outline") -> bool:
        """False where it is sure that the tree does not imply the other, as `implies` would find after more work.

        Each part that the other tree asks for must be implied: by a test of the same field, and where it asks for
        texts alone, by one that says such a text.
        """
        return self.size * other.size <= MAX_WORK and all(
            not part.fields.isdisjoint(self.fields)
            and (part.texts is None or any(text in self.texts.get(field, "") for field, text in part.texts))
            for part in other.parts
        )


class _Part:
    """What one part asks for."""

    __slots__ = ("fields", "texts")

    def __init__(self, part: Expr[str]) -> None:
        every = tuple(leaves(part))
        self.fields = frozenset(leaf.field for leaf in every)
        said = [(leaf.field, next(iter(_literals(leaf)), "")) for leaf in every]
        self.texts: tuple[tuple[str, str], ...] | None = None
        if _positive(part) and all(text for _, text in said):
            self.texts = tuple((field, fold_case(text)) for field, text in said)


def _positive(tree: Expr[str]) -> bool:
    """Whether the tree holds no negation."""
    match tree:
        case Leaf():
            return True
        case Not():
            return False
        case All(parts=parts) | AnyOf(parts=parts):
            return all(_positive(part) for part in parts)


def _literals(leaf: Leaf[str]) -> tuple[str, ...]:
    """The texts that a value must have in it."""
    match leaf.test:
        case Equals(text=text):
            return (text,)
        case Wildcard(parts=parts):
            return tuple(part for part in parts if isinstance(part, str))
        case _:
            return ()


def implies(one: Expr[str], other: Expr[str]) -> bool:
    """Whether `other` is sure to hold wherever `one` does.

    >>> a, b = Leaf("a", Equals("x")), Leaf("b", Exists())
    >>> implies(All((a, b)), a), implies(a, All((a, b))), implies(a, AnyOf((b, a)))
    (True, False, True)
    """
    return _Comparison().implies(one, other)


class _Comparison:
    """Two trees compared part by part; each pair of parts once, or nesting would multiply the work."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, int], bool] = {}

    def implies(self, one: Expr[str], other: Expr[str]) -> bool:
        key = (id(one), id(other))
        if key not in self._known:
            self._known[key] = self._decided(one, other)
        return self._known[key]

    def _decided(self, one: Expr[str], other: Expr[str]) -> bool:
        # What asks for all of something comes first: each of these steps loses nothing.
        if isinstance(other, All):
            return all(self.implies(one, part) for part in other.parts)
        if isinstance(one, AnyOf):
            return all(self.implies(part, other) for part in one.parts)
        if isinstance(other, AnyOf) and any(self.implies(one, part) for part in other.parts):
            return True
        if isinstance(one, All):
            return any(self.implies(part, other) for part in one.parts)
        if isinstance(one, Not) and isinstance(other, Not):
            return self.implies(other.part, one.part)
        return isinstance(one, Leaf) and isinstance(other, Leaf) and _leaf_implies(one, other)


def _leaf_implies(one: Leaf[str], other: Leaf[str]) -> bool:
    if one == other:
        return True
    if one.field != other.field or one.field == ANYWHERE:
        return False
    match one.test, other.test:
        case Equals(text=text, cased=True), Equals(text=wanted, cased=True):
            return text == wanted
        case Equals(text=text), Equals(text=wanted, cased=False):
            return fold_case(text) == fold_case(wanted)
        case Equals(text=text), Wildcard(cased=False):
            return predicate(other.test)(text)
        case Wildcard(parts=narrow), Wildcard(parts=wide, cased=False):
            return _fits_within(narrow, wide)
        case ((Equals() | Wildcard() | Number() | Boolean()), Exists()):
            return True
        case _:
            return False


def _fits_within(narrow: tuple[str | Gap, ...], wide: tuple[str | Gap, ...]) -> bool:
    """Whether a text that fits the one pattern fits the other, for the shapes that rules have."""
    match wide:
        case (Gap.ANY, str(text), Gap.ANY):
            return any(isinstance(part, str) and fold_case(text) in fold_case(part) for part in narrow)
        case (str(text), Gap.ANY):
            return isinstance(narrow[0], str) and fold_case(narrow[0]).startswith(fold_case(text))
        case (Gap.ANY, str(text)):
            return isinstance(narrow[-1], str) and fold_case(narrow[-1]).endswith(fold_case(text))
        case _:
            return False
