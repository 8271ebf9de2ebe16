"""From one YAML document to one Sigma filter, or to a refusal with its place (Sigma filters specification 2.1)."""

from typing import Any

from osdetect.expr import All, simplify
from osdetect.sigma.correlation_rule import Reference, references
from osdetect.sigma.detection import detection_tree
from osdetect.sigma.filters import ANY, Filter
from osdetect.sigma.options import ReadOptions
from osdetect.sigma.reader import log_source_of, parsed_words, words_of
from osdetect.sigma.tuning_reader import filter_exception
from osdetect.sigma.yaml_text import Document, Path

MAX_RULES = 1_000
"""References of one filter."""
APART = frozenset({"rules", "condition", "timeframe"})
"""Keys of a filter that are no selections."""
_RULES: Path = ("filter", "rules")


def read(document: Document, options: ReadOptions) -> Filter:
    """The filter that the document is.

    Raises:
        RuleError: the document is no filter, or one that is not supported.
    """
    data = document.data
    if "detection" in data:
        raise document.error(
            "a document is a filter or a detection, not both",
            at=("filter",),
            cure="put the filter in a document of its own",
        )
    given = data.get("filter")
    if not isinstance(given, dict):
        raise document.error("a filter must be a map", at=("filter",))
    logsource = log_source_of(document)
    words, identity = words_of(document, logsource)
    trees = detection_tree(document, ("filter",), parsed_words(document), options, apart=APART)
    return Filter(
        id=identity,
        title=words["title"],
        description=str(data.get("description") or ""),
        logsource=logsource,
        rules=_references(document, given.get("rules")),
        tree=simplify(All(trees)),
        where=document.error("").where or document.source.where(),
        exception=filter_exception(document),
    )


def _references(document: Document, given: object) -> tuple[Reference, ...]:
    """Never guessed: pySigma takes an empty list for every rule."""
    listed: list[Any] = given if isinstance(given, list) else [] if given is None else [given]
    if not listed:
        raise document.error(
            "a filter needs rules",
            at=_RULES,
            cure=f"name rules by id, name, title or tag; or write {ANY} for all that its log source covers",
        )
    if len(listed) > MAX_RULES:
        raise document.error(f"a filter names at most {MAX_RULES:,} rules", at=_RULES, cure=f"or {ANY}")
    for place, one in enumerate(listed):
        if not isinstance(one, str) or not one.strip():
            raise document.error("rules takes texts", at=(*_RULES, place), cause=f"this is {str(one)[:40]!r}")
    return references(document, listed, ((*_RULES, place) for place in range(len(listed))))
