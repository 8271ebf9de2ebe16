"""From one YAML document to one correlation rule, or to a refusal with its place.

Sigma correlation rules specification 2.1. pySigma reads the words of the document and boolean conditions; the
correlation section is read here (docs/pysigma-defects.md says why).
"""

from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from osdetect.sigma.correlation_condition import Condition, read_condition
from osdetect.sigma.correlation_rule import (
    MEASURES,
    Alias,
    Correlation,
    CorrelationType,
    Reference,
    references,
)
from osdetect.sigma.reader import parsed_words, text, texts, words_of
from osdetect.sigma.rule import LogSource
from osdetect.sigma.yaml_text import Document
from osdetect.vocabulary import Level

MAX_RULES = 50
"""References of one correlation."""
MAX_FIELDS = 20
"""Fields that a correlation groups by."""
MAX_TIMESPAN = 10
"""Characters (JSON schema of correlation rules)."""
SECONDS: Mapping[str, int] = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
"""Units of a timespan. The specification has s, m, h and d; w is pySigma's."""


def read(document: Document) -> Correlation:
    """The correlation rule that the document is.

    Raises:
        RuleError: the document is no correlation rule, or one that is not supported.
    """
    data, given = document.data, document.data.get("correlation")
    if "detection" in data:
        raise document.error(
            "a document is a correlation or a detection, not both",
            at=("detection",),
            cure="put the detection in a document of its own, give it a name, and name it in correlation.rules",
        )
    if not isinstance(given, dict):
        raise document.error("a correlation must be a map", at=("correlation",))
    unknown = next((key for key in given if key not in _KEYS), None)
    if unknown is not None:
        raise document.error(
            f"{unknown!r} is no part of a correlation",
            at=("correlation", unknown),
            cure=f"its parts are {', '.join(sorted(_KEYS))}",
        )
    kind = _type(document, given.get("type"))
    asked = given.get("condition")
    if kind is CorrelationType.VALUE_MEDIAN and isinstance(asked, dict):
        asked = {"percentile": 50, **asked}
    condition = read_condition(document, asked, MEASURES[kind], named=_named(given))
    return _correlation(document, kind, condition)


def _correlation(document: Document, kind: CorrelationType, condition: Condition) -> Correlation:
    data = document.data
    words, identity = words_of(document, LogSource())
    # pySigma checks the words of a rule, which has a log source, and takes no single text where the schema has one.
    plain = {"logsource": {"product": "any"}, "falsepositives": list(texts(data.get("falsepositives")))}
    parsed = parsed_words(replace(document, data={**data, **plain}))
    return Correlation(
        id=identity,
        name=words["name"],
        title=words["title"],
        description=str(data.get("description") or ""),
        status=parsed.status.name.lower() if parsed.status else "",
        level=Level(parsed.level.name.lower()) if parsed.level else Level.MEDIUM,
        author=text(data.get("author")),
        license=str(data.get("license") or ""),
        date=text(data.get("date")),
        modified=text(data.get("modified")),
        references=texts(data.get("references")),
        falsepositives=texts(data.get("falsepositives")),
        tags=texts(data.get("tags")),
        type=kind,
        measure=condition.measure,
        rules=_rules(document, condition),
        group_by=_texts(document, "group-by", MAX_FIELDS),
        timespan=_timespan(document),
        aliases=_aliases(document),
        bounds=condition.bounds,
        fields=condition.fields,
        percentile=condition.percentile,
        present=condition.present,
        generate=_generate(document),
        where=document.error("").where or document.source.where(),
    )


_KEYS = frozenset({"type", "rules", "group-by", "timespan", "aliases", "condition", "generate"})


def _type(document: Document, given: object) -> CorrelationType:
    try:
        return CorrelationType(str(given))
    except ValueError as error:
        raise document.error(
            "a correlation needs a type"
            if given is None
            else f"{str(given)[:40]!r} is no type of correlation",
            at=("correlation", "type"),
            cure=f"the types are {', '.join(CorrelationType)}",
        ) from error


def _named(given: Mapping[str, Any]) -> int | None:
    """How many rules the correlation names itself; None if it leaves that to its condition."""
    rules = given.get("rules")
    return None if rules is None else len(rules) if isinstance(rules, list) else 1


def _rules(document: Document, condition: Condition) -> tuple[Reference, ...]:
    if "rules" in document.data["correlation"]:
        named = _texts(document, "rules", MAX_RULES)
        if condition.named and set(named) != set(condition.named):
            odd = sorted(set(named) ^ set(condition.named))
            raise document.error(
                "rules and condition name different rules",
                at=("correlation", "condition"),
                cause=f"only one of them names {', '.join(odd)[:200]}",
            )
    else:
        named = condition.named
    if not named:
        raise document.error(
            "a correlation needs rules",
            at=("correlation", "rules"),
            cure="name at least one rule by its id, name or title",
        )
    return references(document, named, (("correlation", "rules", place) for place in range(len(named))))


def _texts(document: Document, key: str, limit: int) -> tuple[str, ...]:
    """A text or a list of different texts; empty if the key is absent."""
    given = document.data["correlation"].get(key)
    at = ("correlation", key)
    listed = [] if given is None else given if isinstance(given, list) else [given]
    if len(listed) > limit:
        raise document.error(f"{key} takes at most {limit} texts", at=at)
    for place, one in enumerate(listed):
        here = (*at, place)
        if not isinstance(one, str) or not one.strip():
            raise document.error(f"{key} takes texts", at=here, cause=f"this is {str(one)[:40]!r}")
        if one in listed[:place]:
            raise document.error(f"{one[:60]!r} stands here twice", at=here)
    return tuple(listed)


def _timespan(document: Document) -> int:
    """Seconds (specification, "Time Selection")."""
    given = document.data["correlation"].get("timespan")
    at = ("correlation", "timespan")
    count, unit = (given[:-1], given[-1:]) if isinstance(given, str) else ("", "")
    if unit in {"M", "y"} and count.isdecimal():
        raise document.error(
            f"the timespan {given} has no fixed length", at=at, cure="write it in days: 30d, 365d"
        )
    if not (count.isascii() and count.isdecimal() and int(count[:MAX_TIMESPAN]) and unit in SECONDS):
        raise document.error(
            "a correlation needs a timespan" if given is None else f"{str(given)[:40]!r} is no timespan",
            at=at,
            cure=f"write a number above 0 and one of {', '.join(SECONDS)}: 90m",
        )
    if len(count) >= MAX_TIMESPAN:
        raise document.error("this timespan is too long", at=at, cause=f"more than {MAX_TIMESPAN} characters")
    return int(count) * SECONDS[unit]


def _aliases(document: Document) -> tuple[Alias, ...]:
    given = document.data["correlation"].get("aliases") or {}
    at = ("correlation", "aliases")
    if not isinstance(given, dict):
        raise document.error("aliases must be a map of names to maps", at=at)
    if len(given) > MAX_FIELDS:
        raise document.error(f"a correlation has at most {MAX_FIELDS} aliases", at=at)
    return tuple(_alias(document, name, paths, (*at, name)) for name, paths in given.items())


def _alias(document: Document, name: str, paths: object, at: tuple[str | int, ...]) -> Alias:
    if not isinstance(paths, dict) or not paths:
        raise document.error("an alias must be a map of rules to fields", at=at)
    if len(paths) > MAX_RULES:
        raise document.error(f"an alias names at most {MAX_RULES} rules", at=at)
    wrong = next(
        (rule for rule, path in paths.items() if not isinstance(path, str) or not path.strip()), None
    )
    if wrong is not None:
        raise document.error("an alias needs the name of a field for each rule", at=(*at, wrong))
    named = references(document, paths, ((*at, rule) for rule in paths))
    return Alias(name, tuple(zip(named, paths.values(), strict=True)))


def _generate(document: Document) -> bool:
    """Beside `correlation` as the specification has it, or in it, where public rules have it and pySigma looks."""
    data = document.data
    places = [(data, ("generate",)), (data["correlation"], ("correlation", "generate"))]
    found = [(holder["generate"], at) for holder, at in places if "generate" in holder]
    for value, at in found:
        if not isinstance(value, bool):
            raise document.error("generate must be true or false", at=at)
        if value is not found[0][0]:
            raise document.error("generate stands here twice, and differs", at=at)
    return bool(found) and bool(found[0][0])
