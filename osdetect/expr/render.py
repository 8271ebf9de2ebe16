"""A tree as one line of text that a person reads; trees that differ in meaning never render alike."""

import json
import re
from typing import assert_never

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

_SIGNS = {"eq": "=", "lt": "<", "lte": "<=", "gt": ">", "gte": ">="}


_RELATIONS = {
    "is": "is the same as",
    "startswith": "starts with the value of",
    "endswith": "ends with the value of",
    "contains": "contains the value of",
}


def render(expr: Expr[str]) -> str:
    """The tree as text.

    >>> render(All((Leaf("a", Equals("x")), Not(AnyOf((Leaf("b", Exists()), Leaf("c", Null())))))))
    'a is "x" and not (b exists or c is null)'
    """
    match expr:
        case Leaf(field=path, test=test):
            return f"{_path(path)} {render_test(test)}"
        case Not(part=part):
            return f"not {_inner(part)}"
        case All(parts=(part,)):
            return f"all of {_inner(part)}"
        case AnyOf(parts=(part,)):
            return f"any of {_inner(part)}"
        case All(parts=parts):
            return " and ".join(_inner(part) for part in parts) or "everything"
        case AnyOf(parts=parts):
            return " or ".join(_inner(part) for part in parts) or "nothing"
        case _:
            assert_never(expr)


def _inner(part: Expr[str]) -> str:
    return f"({render(part)})" if isinstance(part, (All, AnyOf)) else render(part)


def render_test(test: Test) -> str:
    """A test as text, without its field.

    >>> render_test(Wildcard((Gap.ANY, "kali", Gap.ANY))), render_test(Regex("^a", "i"))
    ('like "*kali*"', 'matches /^a/i')
    """
    match test:
        case Equals(text=text, cased=cased):
            return f"is{_case(cased)} {_quoted(text)}"
        case Wildcard(parts=parts, cased=cased):
            return f"like{_case(cased)} {_quoted(''.join(_pattern_part(part) for part in parts))}"
        case Regex(pattern=pattern, flags=flags):
            return f"matches {_pattern(pattern)}{flags}"
        case Cidr(network=network):
            return f"in {_plain(network)}"
        case Number(value=value):
            return f"is {value!r}"
        case Compare(operator=name, value=value):
            return f"{_SIGNS[name]} {value!r}"
        case CompareTime(operator=name, moment=moment):
            return f"{_SIGNS[name]} the time {moment}"
        case TimePart(part=part, operator=name, value=value):
            return f"has {part} {_SIGNS[name]} {value}"
        case Boolean(value=value):
            return f"is {'true' if value else 'false'}"
        case Null():
            return "is null"
        case Exists():
            return "exists"
        case SameAs(path=path, relation=relation, cased=cased):
            return f"{_RELATIONS[relation]}{_case(cased)} {_path(path)}"
        case _:
            assert_never(test)


def _case(cased: bool) -> str:
    return " exactly" if cased else ""


def _quoted(text: str) -> str:
    """The text as a JSON string, with what does not show or breaks the line escaped."""
    shown = json.dumps(text, ensure_ascii=False)
    return "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in shown)


_PLAIN = re.compile(r"[\w.@:/$-]+")
_WORDS = frozenset({"not", "all", "any", "anywhere", "everything", "nothing"})


def _plain(text: str) -> str:
    return text if _PLAIN.fullmatch(text) else _quoted(text)


def _path(path: str) -> str:
    if path == ANYWHERE:
        return "anywhere"
    return _quoted(path) if path in _WORDS else _plain(path)


def _pattern(pattern: str) -> str:
    return f"/{pattern}/" if "/" not in pattern and pattern.isprintable() else _quoted(pattern)


def _pattern_part(part: str | Gap) -> str:
    if isinstance(part, Gap):
        return part.value
    return part.replace("\\", "\\\\").replace("*", "\\*").replace("?", "\\?")
