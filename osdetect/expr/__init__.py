"""The tree that a rule is, and what it means. Pure: no input, no output, no clock.

`nodes` says what a tree is made of, `evaluate` what it means; the other modules are folds over it that must
agree with `evaluate` (tests demand it).
"""

from osdetect.expr.evaluate import Evidence, evaluate, evidence
from osdetect.expr.fold import fold, leaves
from osdetect.expr.jsonform import from_json, to_json
from osdetect.expr.nodes import (
    ANYWHERE,
    All,
    AnyOf,
    Boolean,
    Cidr,
    Compare,
    CompareTime,
    Equals,
    Exists,
    Expr,
    Gap,
    Leaf,
    Not,
    Null,
    Number,
    Regex,
    SameAs,
    Test,
    TimePart,
    Wildcard,
)
from osdetect.expr.render import render, render_test
from osdetect.expr.simplify import simplify
from osdetect.expr.witness import Witness, witness

__all__ = [
    "ANYWHERE",
    "All",
    "AnyOf",
    "Boolean",
    "Cidr",
    "Compare",
    "CompareTime",
    "Equals",
    "Evidence",
    "Exists",
    "Expr",
    "Gap",
    "Leaf",
    "Not",
    "Null",
    "Number",
    "Regex",
    "SameAs",
    "Test",
    "TimePart",
    "Wildcard",
    "Witness",
    "evaluate",
    "evidence",
    "fold",
    "from_json",
    "leaves",
    "render",
    "render_test",
    "simplify",
    "to_json",
    "witness",
]
