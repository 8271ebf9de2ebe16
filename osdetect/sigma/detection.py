"""A detection section of a document, to a tree: checked by us, built of pySigma's items, each with its place.

pySigma would misread some of what stands in rules, crash on some, or spend minutes on it; what is wrong is refused here,
with line and column.
"""

import math
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from functools import lru_cache
from pathlib import Path as FilePath
from typing import Any

import msgspec
import sigma.exceptions as theirs
from sigma.rule import SigmaDetection, SigmaDetectionItem, SigmaDetections, SigmaRule
from sigma.types import SigmaString, sigma_type

from osdetect.errors import RuleError
from osdetect.expr import AnyOf, Expr, Regex, simplify
from osdetect.expr.moments import moment_of
from osdetect.expr.nodes import MAX_INTEGER
from osdetect.expr.predicates import check_pattern
from osdetect.sigma.condition import condition_trees
from osdetect.sigma.modifiers import MODIFIERS, texts_made, with_placeholders
from osdetect.sigma.options import ReadOptions
from osdetect.sigma.tree import MAX_LEAVES, Refusal
from osdetect.sigma.yaml_text import Document, Path
from osdetect.source import printable

MAX_CONDITION = 8_000
"""Characters of a condition; pySigma's parser is slow and recursive."""
MAX_PARENTHESES = 40
MAX_FIELD = 1_000
"""Characters of a field's path: each of its dots is tried in every event."""
MAX_REGEX = 10_000
"""Characters of a regular expression."""

NO_SELECTIONS = frozenset({"condition", "timeframe"})
_COMPARISONS = frozenset({"lt", "lte", "gt", "gte"})


def detection_tree(
    document: Document,
    at: Path,
    rule: SigmaRule,
    options: ReadOptions,
    *,
    apart: frozenset[str] = NO_SELECTIONS,
) -> tuple[Expr[str], ...]:
    """The simplified tree of each condition of the detection at `at`.

    Args:
        document: the document that it stands in.
        at: the path of the map of selections and condition.
        rule: what processing pipelines are told of the rule; its detection is replaced.
        options: placeholders and pipelines.
        apart: keys of the map that are no selections.

    Raises:
        RuleError: something in it is not Sigma or not supported; names the place.
    """
    given: Any = document.data
    for step in at:
        given = given[step]
    conditions = _conditions(document, (*at, "condition"), given.get("condition"))
    _check_amount(document, at, {name: value for name, value in given.items() if name not in apart})
    selections = {
        name: read_selection(document, (*at, name), selection)
        for name, selection in given.items()
        if name not in apart
    }
    if not selections:
        raise document.error("a detection needs a selection", at=at)
    try:
        rule.detection = SigmaDetections(detections=selections, condition=list(conditions))
        if options.pipeline is not None:
            rule = options.pipeline.apply(rule)
        return tuple(simplify(tree) for tree in condition_trees(rule.detection, options.placeholders))
    except Refusal as refusal:
        raise of_refusal(document, at, refusal) from refusal
    except theirs.SigmaConditionError as error:
        where = (*at, "condition")
        raise document.error("this condition cannot be used", at=where, cause=said(error)) from error
    except theirs.SigmaError as error:
        raise document.error("this is not a Sigma rule", at=at, cause=said(error)) from error
    except RecursionError as error:
        raise document.error("this condition is too deep", at=(*at, "condition")) from error


def any_of(trees: Sequence[Expr[str]]) -> Expr[str]:
    """A rule with several conditions matches where one of them does."""
    return simplify(AnyOf(tuple(trees)))


def said(error: Exception) -> str:
    """What pySigma says, on one line and not at length; its place in the file is told otherwise."""
    words = str(error.args[0]) if error.args and isinstance(error, theirs.SigmaError) else str(error)
    return " ".join(words.split())[:300]


def of_refusal(document: Document, at: Path, refusal: Refusal) -> RuleError:
    """The refusal with its place in the document."""
    place = getattr(refusal.item, "source", None)
    if place is not None and place.line:
        return document.error(
            refusal.what, line=place.line, column=place.char, cause=refusal.cause, cure=refusal.cure
        )
    return document.error(refusal.what, at=(*at, "condition"), cause=refusal.cause, cure=refusal.cure)


def _conditions(document: Document, at: Path, condition: object) -> list[str]:
    given = condition if isinstance(condition, list) else [condition]
    conditions = [one for one in given if isinstance(one, str) and one.strip()]
    if not conditions or len(conditions) < len(given):
        raise document.error("a detection needs a condition: text, or a list of texts", at=at)
    for place, one in enumerate(conditions):
        here = (*at, place) if isinstance(condition, list) else at
        if "|" in one:
            raise document.error(
                "aggregation in a condition (|) is not supported",
                at=here,
                cause="Sigma 2 replaced it by correlation rules",
                cure="write a correlation rule that counts the matches of this one",
            )
        if len(one) > MAX_CONDITION or one.count("(") > MAX_PARENTHESES:
            raise document.error(
                "this condition is too long",
                at=here,
                cause=f"at most {MAX_CONDITION} characters and {MAX_PARENTHESES} parentheses are read",
            )
    return conditions


def _check_amount(document: Document, at: Path, selections: Mapping[str, object]) -> None:
    """Refuse what would be too many tests before any of them is made."""
    made = 0
    for name, selection in selections.items():
        made += _amount(selection, ())
        if made > MAX_LEAVES:
            raise document.error(
                f"this detection asks for more than {MAX_LEAVES:,} tests",
                at=(*at, name),
                cause="windash makes up to 125 texts of one, base64offset three; a regular expression counts as four",
                cure="write several rules",
            )


_REGEX_COUNTS = 4
"""A regular expression costs as much as so many texts, and more memory."""


def _amount(given: object, names: Sequence[str]) -> int:
    if isinstance(given, dict):
        return sum(_amount(value, key.split("|")[1:]) for key, value in given.items())
    if isinstance(given, list):
        return sum(_amount(one, names) for one in given)
    if not isinstance(given, str):
        return 1
    return _REGEX_COUNTS if "re" in names else texts_made(names, given)


def read_selection(document: Document, path: Path, given: object) -> SigmaDetection:
    """A map of fields, a list of maps or keywords, or one keyword (Sigma rules specification, "Search-Identifier")."""
    source = _source(document, path)
    if isinstance(given, dict):
        if not given:
            raise document.error("a selection must not be empty", at=path)
        return SigmaDetection(
            [_item(document, (*path, key), key, value) for key, value in given.items()], source=source
        )
    if isinstance(given, list):
        if not given:
            raise document.error("a selection must not be empty", at=path)
        if not any(isinstance(one, (dict, list)) for one in given):
            return SigmaDetection([_item(document, path, "", given)], source=source)
        return SigmaDetection(
            [read_selection(document, (*path, i), one) for i, one in enumerate(given)], source=source
        )
    return SigmaDetection([_item(document, path, "", given)], source=source)


def _source(document: Document, path: Path) -> theirs.SigmaRuleLocation:
    line, column = document.place(path)
    return theirs.SigmaRuleLocation(_file_path(document.source.name), line, column)


_file_path = lru_cache(maxsize=4)(FilePath)
"""One path object for all selections and items of a file."""


def _item(document: Document, path: Path, key: str, given: object) -> SigmaDetectionItem:
    field, *names = key.split("|")
    unknown = next((name for name in names if name not in MODIFIERS), None)
    if unknown is not None:
        raise document.error(
            f"{unknown!r} is no modifier", at=path, cure=f"the modifiers are {', '.join(sorted(MODIFIERS))}"
        )
    if len(field) > MAX_FIELD:
        raise document.error(f"a field's name has at most {MAX_FIELD:,} characters", at=path)
    if not field.strip():
        _check_keyword(document, path, names)
        field = ""
    values = given if isinstance(given, list) else [given]
    if not values:
        raise document.error("a list of values must not be empty", at=path)
    for place, value in enumerate(values):
        _check_value(document, path if value is given else (*path, place), field, names, value)
    if "fieldref" in names:  # what stands before it says how the other field's value is compared
        names = ["fieldref", *(name for name in names if name != "fieldref")]
    try:
        return SigmaDetectionItem(
            field or None,
            [MODIFIERS[name] for name in names],
            [_value(value, names) for value in values],
            source=_source(document, path),
        )
    except theirs.SigmaError as error:
        raise document.error(
            "this value does not go with its modifiers", at=path, cause=said(error)
        ) from error
    except (TypeError, ValueError, AttributeError, RecursionError) as error:
        raise document.error(
            "this value does not go with its modifiers",
            at=path,
            cause=f"{type(error).__name__}: {error}"[:300],
        ) from error


def _value(value: Any, names: Sequence[str]) -> Any:
    if isinstance(value, (date, datetime)):
        return SigmaString.from_str(value.isoformat())
    if "re" in names:
        return SigmaString.from_str(value)
    return with_placeholders(value) if "expand" in names and isinstance(value, str) else sigma_type(value)


def _check_keyword(document: Document, path: Path, names: Sequence[str]) -> None:
    wrong = next((name for name in names if name in {"startswith", "endswith", "exists"}), None)
    if wrong is not None:
        raise document.error(
            f"{wrong} needs a field",
            at=path,
            cause="a keyword is text that stands anywhere in the event",
            cure="name the field in front of the modifier",
        )


def _check_value(document: Document, path: Path, field: str, names: Sequence[str], value: object) -> None:
    """Refuse values that pySigma would take for others, or refuse in words that name no place."""
    if isinstance(value, dict):
        inner = next(iter(value), "...")
        raise document.error(
            "a map inside a field is not part of Sigma",
            at=path,
            cure=f"write the path with dots: {field}.{inner}",
        )
    if isinstance(value, list):
        raise document.error("a list inside a list is not part of Sigma", at=path)
    if value is None and not field:
        raise document.error("null needs a field", at=path, cure="write field: null")
    if value is None and set(names) - {"neq", "all"}:
        raise document.error(f"null does not go with the modifier {names[0]!r}", at=path)
    if not isinstance(value, (str, int, float, type(None))) and not (
        isinstance(value, (date, datetime)) and _COMPARISONS & set(names)
    ):
        raise document.error(
            f"a {_KINDS.get(type(value), type(value).__name__)} is not a value that events have",
            at=path,
            cure="write it in quotes",
        )
    if isinstance(value, float) and not math.isfinite(value):
        raise document.error("a number must be finite", at=path)
    if isinstance(value, int) and abs(value) > MAX_INTEGER:
        raise document.error(
            "this number is too large to be compared exactly",
            at=path,
            cause=f"at most {MAX_INTEGER} is taken",
            cure="write it in quotes: it is compared as text then",
        )
    unfit = next((name for name in names if name in _TAKES and not _fits(_TAKES[name], value)), None)
    if unfit is not None and value is not None:
        kind = _TAKES[unfit]
        raise document.error(f"{unfit} takes {kind.said}", at=path, cause=_shown(value), cure=kind.cure)
    if "re" in names:
        _check_regex(document, path, names, value)


class _Kind(msgspec.Struct, frozen=True):
    """Values that a modifier takes."""

    types: tuple[type, ...]
    said: str
    cure: str


_TEXT = _Kind((str,), "text", "write it in quotes")
_WHOLE = _Kind((int,), "a whole number", "write a number without quotes")
_BOUND = _Kind(
    (int, float, date), "a number or a date", "write a number without quotes, a date as 2024-12-31 (ISO 8601)"
)
_TAKES: Mapping[str, _Kind] = {
    **dict.fromkeys(("contains", "startswith", "endswith", "cased", "windash", "expand", "fieldref"), _TEXT),
    **dict.fromkeys(("base64", "base64offset", "utf16", "utf16le", "utf16be", "wide", "cidr"), _TEXT),
    **dict.fromkeys(("minute", "hour", "day", "week", "month", "year"), _WHOLE),
    **dict.fromkeys(sorted(_COMPARISONS), _BOUND),
    "exists": _Kind((bool,), "true or false", "write it without quotes"),
}
"""`re` is checked by itself; `all` and `neq` take anything."""


def _fits(kind: _Kind, value: object) -> bool:
    if kind is _BOUND and isinstance(value, str):
        return moment_of(value) is not None
    return isinstance(value, kind.types) and (bool in kind.types or not isinstance(value, bool))


def _shown(value: object) -> str:
    shown = printable(value if isinstance(value, str) else str(value).lower(), 60)
    return f"this is the text {shown!r}" if isinstance(value, str) else f"this is {shown}"


_KINDS: Mapping[type, str] = {bytes: "binary value", datetime: "date and time"}
_FLAGS: Mapping[str, str] = {
    "i": "i", "ignorecase": "i", "m": "m", "multiline": "m", "s": "s", "dotall": "s"
}  # fmt: skip


def _check_regex(document: Document, path: Path, names: Sequence[str], value: object) -> None:
    if not isinstance(value, str):
        raise document.error("a regular expression must be text", at=path, cure="write it in quotes")
    if len(value) > MAX_REGEX:
        raise document.error(f"a regular expression has at most {MAX_REGEX:,} characters", at=path)
    flags = "".join(sorted({_FLAGS[name] for name in names if name in _FLAGS}))
    complaint = None if "expand" in names else check_pattern(Regex(value, flags))
    if complaint is not None:
        raise document.error(
            "this regular expression is not supported",
            at=path,
            cause=f"RE2, which runs it in linear time, says: {complaint}",
            cure="write it without back-references, and look-around only at its ends",
        )
