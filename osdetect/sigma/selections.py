"""A rule as its author laid it out: the text of each condition, and a tree for each selection.

The tree of a `Rule` is simplified and knows no names; a page about the rule shows what was written.
"""

from typing import Any

import msgspec

from osdetect.expr import Expr
from osdetect.sigma.detection import NO_SELECTIONS, of_refusal, read_selection
from osdetect.sigma.options import DEFAULT, ReadOptions
from osdetect.sigma.tree import Refusal, selection_tree
from osdetect.sigma.yaml_text import Document

_AT = ("detection",)


class Layout(msgspec.Struct, frozen=True):
    """The parts of a detection under the names that their author gave them."""

    conditions: tuple[str, ...]
    selections: tuple[tuple[str, Expr[str]], ...]
    """In the order of the document; not simplified, so that each field of a selection is one part of its tree."""


def layout_of(document: Document, options: ReadOptions = DEFAULT) -> Layout:
    """The layout of a document that `read_rules` takes for a rule; processing pipelines play no part in it.

    Raises:
        RuleError: a selection cannot be used.
    """
    detection: dict[str, Any] = document.data["detection"]
    condition = detection.get("condition")
    try:
        selections = tuple(
            (name, selection_tree(read_selection(document, (*_AT, name), given), options.placeholders))
            for name, given in detection.items()
            if name not in NO_SELECTIONS
        )
    except Refusal as refusal:
        raise of_refusal(document, _AT, refusal) from refusal
    listed = condition if isinstance(condition, list) else [condition]
    return Layout(tuple(" ".join(str(one).split()) for one in listed), selections)


def text_of(document: Document) -> str:
    """The lines of its file that the document is written in, comments before its first key included."""
    line, _ = document.place(())
    lines = document.source.text.splitlines(keepends=True)
    begin, end = 0, len(lines)
    for number, one in enumerate(lines):
        if one.startswith("---") and not one[3:4].strip():
            if number < line:
                begin = number + 1
            else:
                end = number
                break
    return "".join(lines[begin:end])
