"""From one YAML document to one `Rule`, or to a refusal with its place."""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from uuid import UUID

import sigma.exceptions as theirs
from sigma.rule import SigmaRule

from osdetect.errors import RuleError
from osdetect.expr import AnyOf, Expr, Regex, simplify
from osdetect.expr.nodes import MAX_INTEGER
from osdetect.expr.predicates import check_pattern
from osdetect.sigma.rule import LogSource, Rule
from osdetect.sigma.tree import Refusal, tree_of
from osdetect.sigma.yaml_text import Document, Path
from osdetect.vocabulary import Level

MAX_CONDITION = 8_000
"""Characters of a condition; pySigma's parser is slow and recursive."""
MAX_PARENTHESES = 40
MAX_FIELD = 1_000
"""Characters of a field's path: each of its dots is tried in every event."""

_LATER = {
    "correlation": "correlation rules are not supported yet",
    "filter": "Sigma filters are not supported yet",
    "action": "documents with `action` (global, repeat, reset) are not supported yet",
}
"""Keys of documents that are no single detection rule (Sigma specification, correlations and filters)."""

# Modifiers whose meaning pySigma gives, and that tree.py takes. The others are refused by name.
SUPPORTED_MODIFIERS = frozenset(
    {
        "all",
        "cased",
        "cidr",
        "contains",
        "endswith",
        "exists",
        "expand",
        "fieldref",
        "gt",
        "gte",
        "i",
        "lt",
        "lte",
        "m",
        "neq",
        "re",
        "s",
        "startswith",
    }
)

_PLACES: Mapping[type[Exception], Path] = {
    theirs.SigmaConditionError: ("detection", "condition"),
    theirs.SigmaDateError: ("date",),
    theirs.SigmaModifiedError: ("modified",),
    theirs.SigmaDescriptionError: ("description",),
    theirs.SigmaDetectionError: ("detection",),
    theirs.SigmaIdentifierError: ("id",),
    theirs.SigmaLevelError: ("level",),
    theirs.SigmaLogsourceError: ("logsource",),
    theirs.SigmaStatusError: ("status",),
    theirs.SigmaTagError: ("tags",),
    theirs.SigmaTitleError: ("title",),
    theirs.SigmaAuthorError: ("author",),
    theirs.SigmaLicenseError: ("license",),
    theirs.SigmaReferencesError: ("references",),
    theirs.SigmaFalsePositivesError: ("falsepositives",),
    theirs.SigmaRelatedError: ("related",),
    theirs.SigmaFieldsError: ("fields",),
}
"""Where in a rule each of pySigma's errors comes from; it does not say itself."""


def log_source_of(document: Document) -> LogSource | RuleError:
    """The log source that a document names, read before anything else of it."""
    data = document.data
    if not isinstance(data, dict):
        return document.error("a rule must be a map of keys to values", cause=f"this is a {_kind(data)}")
    for key, what in _LATER.items():
        if key in data:
            return document.error(
                what, at=(key,), cure="the other documents of the file are not touched by that"
            )
    given = data.get("logsource")
    if not isinstance(given, dict):
        return document.error(
            "a rule needs a logsource",
            at=("logsource",),
            cure="for CloudTrail: logsource: {product: aws, service: cloudtrail}",
        )
    words = {name: given.get(name) for name in ("category", "product", "service")}
    wrong = next((name for name, word in words.items() if not isinstance(word, (str, type(None)))), None)
    if wrong is not None:
        return document.error(f"logsource.{wrong} must be text", at=("logsource", wrong))
    return LogSource(**{name: str(word or "").lower() for name, word in words.items()})


def read_rule(document: Document, logsource: LogSource) -> Rule:
    """The rule that the document is.

    Raises:
        RuleError: the document is no detection rule, or one that is not supported.
    """
    _check_shape(document)
    parsed = _parsed(document)
    if parsed.id is None:
        raise document.error(
            "a rule needs an id",
            cause="alerts, releases and tests name a rule by its id",
            cure='write a new one: python -c "import uuid; print(uuid.uuid4())"',
        )
    tree = simplify(_tree(document, parsed))
    data = document.data
    return Rule(
        id=str(parsed.id),
        title=str(data["title"]),
        description=str(data.get("description") or ""),
        status=parsed.status.name.lower() if parsed.status else "",
        level=Level(parsed.level.name.lower()) if parsed.level else Level.MEDIUM,
        author=_text(data.get("author")),
        license=str(data.get("license") or ""),
        date=_text(data.get("date")),
        modified=_text(data.get("modified")),
        references=_texts(data.get("references")),
        falsepositives=_texts(data.get("falsepositives")),
        tags=_texts(data.get("tags")),
        logsource=logsource,
        tree=tree,
        where=document.error("").where or document.source.where(),
    )


def warnings_of(document: Document) -> tuple[RuleError, ...]:
    """What a rule says that has no effect. The rule is used all the same."""
    if "timeframe" not in document.data["detection"]:
        return ()
    warning = document.error(
        "timeframe has no effect",
        at=("detection", "timeframe"),
        cause="it belongs to aggregations, which Sigma 2 replaced by correlation rules; this rule has none",
        cure="leave it out",
    )
    return (warning,)


def _kind(data: object) -> str:
    return "list" if isinstance(data, list) else "text" if isinstance(data, str) else type(data).__name__


def _text(value: object) -> str:
    if isinstance(value, (date, datetime)):
        return value.isoformat()[:10]
    return ", ".join(_texts(value)) if isinstance(value, list) else str(value or "")


def _texts(value: object) -> tuple[str, ...]:
    if value is None:
        return ()
    return (
        tuple(str(item) for item in value if item is not None) if isinstance(value, list) else (str(value),)
    )


def _check_shape(document: Document) -> None:
    """Refuse what pySigma would misread, crash on, or spend minutes on."""
    data = document.data
    if not isinstance(data.get("title"), str) or not data["title"].strip():
        raise document.error("a rule needs a title", at=("title",))
    identity = data.get("id")
    if identity is not None and not _is_uuid(identity):
        raise document.error(
            "a rule's id must be a UUID", at=("id",), cause=f"this is {str(identity)[:60]!r}"
        )
    detection = data.get("detection")
    if not isinstance(detection, dict):
        raise document.error("a rule needs a detection", at=("detection",))
    _check_condition(document, detection.get("condition"))
    for name, selection in detection.items():
        if name not in _NO_SELECTIONS:
            _check_selection(document, ("detection", name), selection)
    for path, key, value in _items(detection, ("detection",)):
        _check_item(document, path, key, value)


def _is_uuid(identity: object) -> bool:
    try:
        UUID(str(identity))
    except ValueError:
        return False
    return True


def _check_condition(document: Document, condition: object) -> None:
    at: Path = ("detection", "condition")
    given = condition if isinstance(condition, list) else [condition]
    conditions = [one for one in given if isinstance(one, str) and one.strip()]
    if not conditions or len(conditions) < len(given):
        raise document.error("a detection needs a condition: text, or a list of texts", at=at)
    for one in conditions:
        if "|" in one:
            raise document.error(
                "aggregation in a condition (|) is not supported",
                at=at,
                cause="Sigma 2 replaced it by correlation rules",
                cure="write a correlation rule that counts the matches of this one",
            )
        if len(one) > MAX_CONDITION or one.count("(") > MAX_PARENTHESES:
            raise document.error(
                "this condition is too long",
                at=at,
                cause=f"at most {MAX_CONDITION} characters and {MAX_PARENTHESES} parentheses are taken",
            )


_NO_SELECTIONS = frozenset({"condition", "timeframe"})


def _check_selection(document: Document, path: Path, selection: object) -> None:
    if selection is None or selection in ({}, []):
        raise document.error("this selection is empty", at=path, cure="name a field and a value in it")
    maps = list(enumerate(selection)) if isinstance(selection, list) else [(None, selection)]
    for place, one in maps:
        if not isinstance(one, dict) or not one:
            raise document.error(
                "keywords without a field are not supported yet",
                at=path if place is None else (*path, place),
                cause=f"this is a {_kind(one)}, not a map of fields to values",
                cure="name the field: CloudTrail records have fields for everything",
            )


def _items(node: object, path: Path) -> Iterator[tuple[Path, str, object]]:
    """The field items of a detection, with their place: (path, key, value)."""
    if isinstance(node, list):
        for i, item in enumerate(node):
            yield from _items(item, (*path, i))
    elif isinstance(node, dict):
        for key, value in node.items():
            at = (*path, key)
            if len(path) == 1 and key not in _NO_SELECTIONS:
                yield from _items(value, at)
            elif len(path) > 1:
                yield at, key, value


def _check_item(document: Document, path: Path, key: str, value: object) -> None:
    field, *modifiers = key.split("|")
    unknown = [name for name in modifiers if name not in SUPPORTED_MODIFIERS]
    if unknown:
        raise document.error(f"the modifier {unknown[0]!r} is not supported yet", at=path)
    if not field.strip():
        raise document.error("keywords without a field are not supported yet", at=path)
    if len(field) > MAX_FIELD:
        raise document.error(f"a field's name has at most {MAX_FIELD:,} characters", at=path)
    values = value if isinstance(value, list) else [value]
    if not values:
        raise document.error("a list of values must not be empty", at=path)
    nested = next((one for one in values if isinstance(one, (dict, list))), None)
    if isinstance(nested, dict):
        inner = next(iter(nested), "...")
        raise document.error(
            "a map inside a field is not part of Sigma",
            at=path,
            cure=f"write the path with dots: {field}.{inner}",
        )
    if nested is not None:
        raise document.error("a list inside a list is not part of Sigma", at=path)
    for one in values:
        _check_value(document, path, modifiers, one)


def _check_value(document: Document, path: Path, modifiers: Sequence[str], value: object) -> None:
    """Refuse values that pySigma would take for others, or refuse in words that name no place."""
    if value is None and set(modifiers) - {"neq", "all"}:
        raise document.error(f"null does not go with the modifier {modifiers[0]!r}", at=path)
    if not isinstance(value, (str, int, float, type(None))):
        raise document.error(
            f"a {type(value).__name__} is not a value that events have", at=path, cure="write it in quotes"
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
    if "re" not in modifiers:
        return
    if not isinstance(value, str):
        raise document.error("a regular expression must be text", at=path, cure="write it in quotes")
    complaint = check_pattern(Regex(value, "".join(sorted(set(modifiers) & set("ims")))))
    if complaint is not None:
        raise document.error(
            "this regular expression is not supported",
            at=path,
            cause=f"RE2, which runs it in linear time, says: {complaint}",
            cure="write it without look-around and back-references",
        )


def _parsed(document: Document) -> SigmaRule:
    try:
        return SigmaRule.from_dict(dict(document.data))
    except theirs.SigmaError as error:
        raise _placed(document, error) from error
    except (TypeError, ValueError, AttributeError, KeyError, RecursionError) as error:
        raise document.error(
            "this is not a Sigma rule", cause=f"{type(error).__name__}: {error}"[:200]
        ) from error


def _placed(document: Document, error: theirs.SigmaError) -> RuleError:
    said = str(error)
    path = _PLACES.get(type(error)) or _mentioned(document, said)
    return document.error("this is not a Sigma rule", at=path, cause=" ".join(said.split())[:300])


def _mentioned(document: Document, said: str) -> Path:
    """The detection item whose value or key the message names; the detection as a whole if none."""
    for path, key, value in _items(document.data["detection"], ("detection",)):
        values = value if isinstance(value, list) else [value]
        names = (key, *(str(one) for one in values))
        if any(name in said if len(name) > 1 else f"'{name}'" in said for name in names):
            return path
    return ("detection",)


def _tree(document: Document, parsed: SigmaRule) -> Expr[str]:
    try:
        return AnyOf(tuple(tree_of(condition.parsed) for condition in parsed.detection.parsed_condition))
    except Refusal as refusal:
        at = _of_field(document, refusal.field) if refusal.field else ("detection", "condition")
        raise document.error(refusal.what, at=at, cause=refusal.cause, cure=refusal.cure) from refusal
    except theirs.SigmaError as error:
        raise _placed(document, error) from error
    except RecursionError as error:
        raise document.error("this condition is too deep", at=("detection", "condition")) from error


def _of_field(document: Document, field: str) -> Path:
    named = re.compile(re.escape(field) + r"(\||$)")
    items = _items(document.data["detection"], ("detection",))
    return next((path for path, key, _ in items if named.match(key)), ("detection",))
