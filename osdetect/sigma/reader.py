"""From one YAML document to one `Rule`, or to a refusal with its place."""

from collections.abc import Mapping
from datetime import date, datetime
from uuid import UUID, uuid5

import orjson
import sigma.exceptions as theirs
from sigma.rule import SigmaRule

from osdetect.errors import RuleError
from osdetect.sigma.detection import any_of, detection_tree, said
from osdetect.sigma.options import ReadOptions
from osdetect.sigma.rule import LogSource, Rule
from osdetect.sigma.tuning_reader import gathering_place, rule_tuning
from osdetect.sigma.yaml_text import Document, Path
from osdetect.vocabulary import Level

_NAMELESS = UUID("5d0f4c1e-7f6b-5c0e-9a57-0b7a3c2f7d11")
"""Namespace of the ids of rules that have none of their own (RFC 9562, version 5)."""

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
    theirs.SigmaValueError: ("tags",),
    theirs.SigmaTitleError: ("title",),
    theirs.SigmaAuthorError: ("author",),
    theirs.SigmaLicenseError: ("license",),
    theirs.SigmaReferencesError: ("references",),
    theirs.SigmaFalsePositivesError: ("falsepositives",),
    theirs.SigmaRelatedError: ("related",),
    theirs.SigmaFieldsError: ("fields",),
}
"""Where in a rule each of pySigma's errors comes from; it does not say itself."""


def log_source_of(document: Document) -> LogSource:
    """The log source that a document names, read before anything else of it.

    Raises:
        RuleError: it names none, or not in words.
    """
    data = document.data
    given = data.get("logsource")
    if not isinstance(given, dict):
        raise document.error(
            "a rule needs a logsource",
            at=("logsource",),
            cure="for CloudTrail: logsource: {product: aws, service: cloudtrail}",
        )
    words = {name: given.get(name) for name in ("category", "product", "service")}
    wrong = next((name for name, word in words.items() if not isinstance(word, (str, type(None)))), None)
    if wrong is not None:
        raise document.error(
            f"logsource.{wrong} must be text",
            at=("logsource", wrong),
            cause=f"this is a {_kind(words[wrong])}",
            cure="write a rule for each, or leave it out",
        )
    return LogSource(**{name: str(word or "").lower() for name, word in words.items()})


def read_rule(
    document: Document, logsource: LogSource, options: ReadOptions
) -> tuple[Rule, tuple[RuleError, ...]]:
    """The rule that the document is, and what it says that has no effect.

    Raises:
        RuleError: the document is no detection rule, or one that is not supported.
    """
    data = document.data
    words, identity = words_of(document, logsource)
    detection = data.get("detection")
    if not isinstance(detection, dict):
        raise document.error("a rule needs a detection", at=("detection",))
    parsed = parsed_words(document)
    tree = any_of(detection_tree(document, ("detection",), parsed, options))
    rule = Rule(
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
        logsource=logsource,
        filters=(),
        tree=tree,
        where=document.error("").where or document.source.where(),
        tuning=rule_tuning(document, options.pipeline),
        gathers_at=gathering_place(document),
    )
    return rule, tuple(_warnings(document))


def words_of(document: Document, logsource: LogSource) -> tuple[dict[str, str], str]:
    """The title and name of a document, and its id: its own, or one made of title and log source.

    Raises:
        RuleError: it has no title, or its id is no UUID.
    """
    data = document.data
    title, name, identity = data.get("title"), data.get("name"), data.get("id")
    if not isinstance(title, str) or not title.strip():
        raise document.error("a rule needs a title", at=("title",))
    if name is not None and not isinstance(name, str):
        raise document.error("a rule's name must be text", at=("name",))
    if identity is None:
        source = [logsource.category, logsource.product, logsource.service]
        identity = uuid5(_NAMELESS, orjson.dumps([title, source]).decode())
    try:
        return {"title": title, "name": name or ""}, str(UUID(str(identity)))
    except ValueError as error:
        raise document.error(
            "a rule's id must be a UUID",
            at=("id",),
            cause=f"this is {str(identity)[:60]!r}",
            cure='write a new one: python -c "import uuid; print(uuid.uuid4())"',
        ) from error


_ANY_DETECTION = {"a": {"a": "a"}, "condition": "a"}


def parsed_words(document: Document) -> SigmaRule:
    """What pySigma reads of everything but the detection: it checks the words, and pipelines ask for them.

    Raises:
        RuleError: a word is not what Sigma says it may be.
    """
    try:
        return SigmaRule.from_dict({**document.data, "detection": _ANY_DETECTION})
    except theirs.SigmaError as error:
        at = _PLACES.get(type(error), ())
        raise document.error("this is not a Sigma rule", at=at, cause=said(error)) from error
    except (TypeError, ValueError, AttributeError, KeyError, RecursionError) as error:
        raise document.error(
            "this is not a Sigma rule", cause=f"{type(error).__name__}: {error}"[:200]
        ) from error


def _warnings(document: Document) -> list[RuleError]:
    warnings = []
    if "timeframe" in document.data["detection"]:
        warnings.append(
            document.error(
                "timeframe has no effect",
                at=("detection", "timeframe"),
                cause="it belongs to aggregations, which Sigma 2 replaced by correlation rules; this rule has none",
                cure="leave it out",
            )
        )
    if "id" not in document.data:
        warnings.append(
            document.error(
                "this rule has no id of its own",
                cause="it goes by one made of its title and log source; with either, its alerts' identity changes",
                cure='give it one: python -c "import uuid; print(uuid.uuid4())"',
            )
        )
    return warnings


def _kind(data: object) -> str:
    return "list" if isinstance(data, list) else "text" if isinstance(data, str) else type(data).__name__


def text(value: object) -> str:
    """A text, a date, or a list of texts as one text."""
    if isinstance(value, (date, datetime)):
        return value.isoformat()[:10]
    return ", ".join(texts(value)) if isinstance(value, list) else str(value or "")


def texts(value: object) -> tuple[str, ...]:
    """A text or a list of texts as a list."""
    if value is None:
        return ()
    return (
        tuple(str(item) for item in value if item is not None) if isinstance(value, list) else (str(value),)
    )
