"""What a rule's tree says that its author cannot have meant: tests that exclude each other, conditions without effect."""

from collections.abc import Iterator

import orjson
from msgspec import structs

from osdetect.check.events import exact_texts
from osdetect.check.findings import Finding, Subject
from osdetect.check.items import place_of
from osdetect.check.record import SINGLE
from osdetect.expr import (
    All,
    AnyOf,
    Equals,
    Exists,
    Expr,
    Leaf,
    Not,
    Null,
    Wildcard,
    evaluate,
    leaves,
    simplify,
    to_json,
)
from osdetect.expr.values import fold_case

Tree = Expr[str]


def contradictions(subject: Subject) -> Iterator[Finding]:
    """Tests that must hold together and never do; conditions that hold always or never."""
    if subject.rule is None:
        return
    tree = simplify(subject.rule.tree)
    told = False
    for part in _conjunctions(tree):
        for finding in _excluding(subject, part):
            told = True
            yield finding
    if told:
        return
    if tree == AnyOf(()) or _has_both(tree, All):
        yield _constant(subject, "this condition never holds", "no event matches the rule")
    elif tree == All(()) or _has_both(tree, AnyOf):
        yield _constant(subject, "this condition always holds", "every event matches the rule")


def _constant(subject: Subject, what: str, cause: str) -> Finding:
    return subject.finding(
        "OSD302",
        what,
        at=("detection", "condition"),
        cause=cause,
        cure="look at the condition for an `or` beside a `not`, and at the selections for what they exclude",
    )


def _has_both(tree: Tree, kind: type[All[str]] | type[AnyOf[str]]) -> bool:
    """Whether something and its opposite stand side by side."""
    if not isinstance(tree, kind):
        return False
    parts = set(tree.parts)
    return any(isinstance(part, Not) and part.part in parts for part in parts)


def _conjunctions(tree: Tree) -> Iterator[All[str]]:
    match tree:
        case All(parts=parts):
            yield tree
            for part in parts:
                yield from _conjunctions(part)
        case AnyOf(parts=parts):
            for part in parts:
                yield from _conjunctions(part)
        case Not(part=part):
            yield from _conjunctions(part)
        case _:
            return


def _excluding(subject: Subject, whole: All[str]) -> Iterator[Finding]:
    """The fields of which no value satisfies every test of them in the conjunction."""
    of_field: dict[str, list[Tree]] = {}
    for part in whole.parts:
        names = {leaf.field for leaf in leaves(part)}
        if len(names) == 1:
            of_field.setdefault(names.pop(), []).append(part)
    for name, parts in of_field.items():
        if len(parts) < 2:
            continue
        if name in SINGLE:
            possible = _some_text_passes(parts, name)
        else:
            possible = not (Not(Leaf(name, Exists())) in parts and any(map(_needs_value, parts)))
        if not possible:
            yield _excluded(subject, name, parts)


def _some_text_passes(parts: list[Tree], name: str) -> bool:
    """Whether a value of the field may satisfy all parts; true where nothing speaks against it."""
    listed = [texts for part in parts if (texts := exact_texts(part, name)) is not None]
    if not listed:
        return True
    shortest = min(listed, key=len)
    others = [frozenset(map(fold_case, texts)) for texts in listed if texts is not shortest]
    candidates = [text for text in shortest if all(fold_case(text) in texts for texts in others)]
    rest = [part for part in parts if exact_texts(part, name) is None]
    if len(candidates) > _TRIED:
        return True
    return any(all(evaluate(part, {name: text}) for part in rest) for text in candidates)


_TRIED = 200
"""More texts than these are not tried one by one: rules are hostile, and such a list is no leftover."""


def _needs_value(part: Tree) -> bool:
    """Whether the part only holds where the field is present."""
    match part:
        case Leaf(test=test):
            return not isinstance(test, Null)
        case AnyOf(parts=parts):
            return bool(parts) and all(map(_needs_value, parts))
        case All(parts=parts):
            return any(map(_needs_value, parts))
        case _:
            return False


def _excluded(subject: Subject, name: str, parts: list[Tree]) -> Finding:
    values = [leaf.test.text for part in parts for leaf in leaves(part) if isinstance(leaf.test, Equals)]
    at = place_of(subject.items, name, values[-1] if values else "")
    return subject.finding(
        "OSD301",
        f"no event passes all tests of {name}",
        at=at,
        cause="they must hold together, and each value that one takes another refuses"
        + (f": {', '.join(dict.fromkeys(values))[:160]}" if values else ""),
        cure="write the values as one list if any of them will do, or mend the condition",
    )


def canonical(tree: Tree) -> bytes:
    """Bytes that are equal for trees which differ in nothing but the order of their parts and letter case that is not compared."""
    match tree:
        case Leaf(field=name, test=Equals(text=text, cased=False)):
            return _dumped(Leaf(name, Equals(fold_case(text))))
        case Leaf(test=Wildcard(parts=parts, cased=False) as test):
            folded = tuple(fold_case(part) if isinstance(part, str) else part for part in parts)
            return _dumped(Leaf(tree.field, structs.replace(test, parts=folded)))
        case Leaf():
            return _dumped(tree)
        case Not(part=part):
            return b"!" + canonical(part)
        case All(parts=parts) | AnyOf(parts=parts):
            inside = sorted({canonical(part) for part in parts})
            return (b"&(" if isinstance(tree, All) else b"|(") + b",".join(inside) + b")"


def _dumped(leaf: Leaf[str]) -> bytes:
    return orjson.dumps(to_json(leaf), option=orjson.OPT_SORT_KEYS)
