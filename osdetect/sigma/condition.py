"""From a condition's text to a tree, by pySigma's parser (Sigma rules specification, "Condition")."""

from collections.abc import Mapping
from functools import lru_cache
from typing import assert_never

from sigma.conditions import (
    ConditionAND,
    ConditionIdentifier,
    ConditionNOT,
    ConditionOR,
    ConditionSelector,
    SigmaCondition,
)
from sigma.exceptions import SigmaConditionError
from sigma.rule import SigmaDetections

from osdetect.expr import All, AnyOf, Leaf, Not
from osdetect.expr.nodes import MAX_DEPTH
from osdetect.sigma.tree import MAX_LEAVES, Placeholders, Refusal, Tree, selection_tree


def condition_trees(detections: SigmaDetections, placeholders: Placeholders) -> tuple[Tree, ...]:
    """The tree of each condition.

    Raises:
        Refusal: something in a selection or condition is not supported.
        SigmaConditionError: a condition cannot be parsed.
    """
    selections = {
        name: selection_tree(detection, placeholders) for name, detection in detections.detections.items()
    }
    read = _Reading(detections, selections, {name: size(tree) for name, tree in selections.items()})
    return tuple(read.tree(_parsed(condition.condition)) for condition in detections.parsed_condition)


SHORT = 200
"""Characters of a condition that is kept parsed: most rules say one of a few short ones."""
_NO_DETECTIONS = SigmaDetections.from_dict({"a": {"a": "a"}, "condition": "a"})
"""A condition must have detections; it is parsed without them."""


def _parsed(condition: str) -> object:
    return _parsed_once(condition) if len(condition) <= SHORT else _parse(condition)


def _parse(condition: str) -> object:
    return SigmaCondition(condition, _NO_DETECTIONS).parse(postprocess=False)


_parsed_once = lru_cache(maxsize=1024)(_parse)
"""pySigma copies what it keeps parsed, as it changes it afterwards; nothing here does."""


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


class _Reading:
    """Reads the conditions of one rule; counts the leaves that they ask for."""

    def __init__(
        self, detections: SigmaDetections, selections: Mapping[str, Tree], sizes: Mapping[str, int]
    ) -> None:
        self._detections, self._selections, self._sizes = detections, selections, sizes
        self._leaves = 0

    def tree(self, parsed: object, depth: int = 0) -> Tree:
        if depth > MAX_DEPTH:
            raise Refusal(f"the condition is nested more than {MAX_DEPTH} deep")
        match parsed:
            case ConditionAND(args=args):
                return All(tuple(self.tree(arg, depth + 1) for arg in args))
            case ConditionOR(args=args):
                return AnyOf(tuple(self.tree(arg, depth + 1) for arg in args))
            case ConditionNOT(args=args):
                return Not(self.tree(args[0], depth + 1))
            case ConditionIdentifier():
                return self._selection(parsed.identifier)
            case ConditionSelector():
                return self._selector(parsed)
            case _:
                raise Refusal(f"a condition of kind {type(parsed).__name__} is not supported")

    def _selection(self, name: str) -> Tree:
        if name not in self._selections:
            raise SigmaConditionError(
                f"the condition names {name!r}, and the detection has no such selection"
            )
        self._leaves += self._sizes[name]
        if self._leaves > MAX_LEAVES:
            raise Refusal(f"the condition asks for more than {MAX_LEAVES:,} tests")
        return self._selections[name]

    def _selector(self, selector: ConditionSelector) -> Tree:
        named = selector.resolve_referenced_detections(self._detections)
        if not named:
            raise SigmaConditionError(
                f"'{selector.args[0]} of {selector.pattern}' fits no selection of the detection"
            )
        parts = tuple(self._selection(one.identifier) for one in named)
        return All(parts) if selector.cond_class is ConditionAND else AnyOf(parts)
