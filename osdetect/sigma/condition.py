"""From a condition's text to a tree (Sigma rules specification, "Condition").

Read here and not by pySigma, whose grammar splits names that begin with an operator (1.x), knows no dash in a pattern,
and says of what it cannot read what its own rules are called.
"""

import re
from collections.abc import Callable, Mapping
from typing import assert_never

import msgspec
from sigma.rule import SigmaDetections

from osdetect.expr import All, AnyOf, Gap, Leaf, Not, Wildcard
from osdetect.expr.nodes import MAX_DEPTH
from osdetect.expr.predicates import predicate
from osdetect.sigma.tree import MAX_LEAVES, Placeholders, Refusal, Tree, selection_tree
from osdetect.source import printable

SHOWN = 60
"""Characters of a name or pattern that a refusal shows."""


def condition_trees(detections: SigmaDetections, placeholders: Placeholders) -> tuple[Tree, ...]:
    """The tree of each condition.

    Raises:
        Refusal: something in a selection or condition is not supported, or cannot be read.
    """
    selections = {
        name: selection_tree(detection, placeholders) for name, detection in detections.detections.items()
    }
    used = _Selections(selections, {name: size(tree) for name, tree in selections.items()})
    return tuple(_Reader.of(condition.condition, used).tree() for condition in detections.parsed_condition)


def size(tree: Tree) -> int:
    """How many leaves a tree has."""
    match tree:
        case Leaf():
            return 1
        case Not(part=part):
            return size(part)
        case All(parts=parts) | AnyOf(parts=parts):
            return sum(size(part) for part in parts)
        case _:
            assert_never(tree)


class _Selections:
    """The selections of one detection; counts the leaves that its conditions ask for.

    What a condition asks for in vain is kept until it is read to its end: what cannot be read is told first.
    """

    def __init__(self, trees: Mapping[str, Tree], sizes: Mapping[str, int]) -> None:
        self._trees, self._sizes = trees, sizes
        self._leaves = 0
        self.complaint: Refusal | None = None

    def _in_vain(self, cause: str) -> Tree:
        self.complaint = self.complaint or Refusal("this condition cannot be used", cause=cause)
        return AnyOf(())

    def named(self, name: str) -> Tree:
        if name not in self._trees:
            return self._in_vain(
                f"the condition names '{printable(name, SHOWN)}', and the detection has no such selection"
            )
        self._leaves += self._sizes[name]
        if self._leaves > MAX_LEAVES:
            raise Refusal(f"the condition asks for more than {MAX_LEAVES:,} tests")
        return self._trees[name]

    def fitting(self, quantifier: str, pattern: str) -> Tree:
        """Names that begin with an underscore are left out, unless the pattern begins with one."""
        fits = _matcher("*" if pattern == "them" else pattern)
        parts = tuple(
            self.named(name)
            for name in self._trees
            if fits(name) and (pattern.startswith("_") or not name.startswith("_"))
        )
        if not parts:
            return self._in_vain(
                f"'{quantifier} of {printable(pattern, SHOWN)}' fits no selection of the detection"
            )
        return All(parts) if quantifier == "all" else AnyOf(parts)


def _matcher(pattern: str) -> Callable[[str], bool]:
    """Whether a name fits, in linear time however many stars there are: patterns are hostile."""
    parts: list[str | Gap] = []
    for place, part in enumerate(pattern.split("*")):
        parts += [Gap.ANY] * (place > 0) + [part] * (part != "")
    return predicate(Wildcard(tuple(parts), cased=True))


_TOKEN = re.compile(r"[()]|[\w*-]+|\S")
_OPERATORS = frozenset({"and", "or", "not"})
_QUANTIFIERS = frozenset({"1", "any", "all"})
_NAME = re.compile(r"[\w-]+")
_PATTERN = re.compile(r"[\w*-]+")


class _Reader(msgspec.Struct):
    """Reads one condition from left to right: `not` binds closer than `and`, and that closer than `or`."""

    tokens: tuple[tuple[str, int], ...]
    """Each with the place of its first character."""
    selections: _Selections
    at: int = 0

    @staticmethod
    def of(condition: str, selections: _Selections) -> "_Reader":
        found = tuple((match[0], match.start()) for match in _TOKEN.finditer(condition))
        return _Reader((*found, ("", len(condition))), selections)

    def tree(self) -> Tree:
        tree = self._either(0)
        if self._next():
            raise self._unread()
        if self.selections.complaint is not None:
            raise self.selections.complaint
        return tree

    def _next(self, ahead: int = 0) -> str:
        return self.tokens[min(self.at + ahead, len(self.tokens) - 1)][0]

    def _unread(self) -> Refusal:
        word, place = self.tokens[self.at]
        return Refusal(
            "this condition cannot be read",
            cause=f"'{printable(word, SHOWN)}' at its character {place + 1} cannot stand there"
            if word
            else "it breaks off",
            cure="it is made of names of selections, and, or, not (in small letters), parentheses, 1 of NAME*, all of them",
        )

    def _either(self, depth: int) -> Tree:
        parts = [self._both(depth)]
        while self._takes("or"):
            parts.append(self._both(depth))
        return AnyOf(tuple(parts)) if len(parts) > 1 else parts[0]

    def _both(self, depth: int) -> Tree:
        parts = [self._operand(depth)]
        while self._takes("and"):
            parts.append(self._operand(depth))
        return All(tuple(parts)) if len(parts) > 1 else parts[0]

    def _operand(self, depth: int) -> Tree:
        if depth > MAX_DEPTH:
            raise Refusal(f"the condition is nested more than {MAX_DEPTH} deep")
        if self._takes("not"):
            return Not(self._operand(depth + 1))
        if self._takes("("):
            inner = self._either(depth + 1)
            if not self._takes(")"):
                raise self._unread()
            return inner
        word = self._next()
        if word in _QUANTIFIERS and self._next(1) == "of":
            self.at += 2
            return self.selections.fitting(word, self._word(_PATTERN))
        return self.selections.named(self._word(_NAME))

    def _takes(self, word: str) -> bool:
        """Whether this is the next word; if so it is passed."""
        taken = self._next() == word
        self.at += taken
        return taken

    def _word(self, kind: re.Pattern[str]) -> str:
        word = self._next()
        if not kind.fullmatch(word) or word in _OPERATORS:
            raise self._unread()
        self.at += 1
        return word
