"""One rule, compiled: the document that is deployed for it."""

from collections.abc import Mapping
from typing import Any

import msgspec
import orjson

from osdetect.compiler.prefilter import Prefilter, prefilter
from osdetect.compiler.search_query import search_query
from osdetect.compiler.stored_query import is_column, stored_query, tokens
from osdetect.documents.stored_rule import StoredRule
from osdetect.expr import Exists, leaves
from osdetect.schema.attack import threat
from osdetect.schema.event_fields import EventFields
from osdetect.sigma import Rule
from osdetect.sigma.rule import hash_of


class Compiled(msgspec.Struct, frozen=True):
    """What is deployed for a rule, and how the percolator will take it."""

    stored: StoredRule
    source: dict[str, Any]
    """The percolator document."""
    prefilter: Prefilter

    @property
    def id(self) -> str:
        """The rule's id."""
        return self.stored.id

    @property
    def columns(self) -> tuple[str, ...]:
        """As `StoredRule.columns`."""
        return self.stored.columns

    @property
    def document(self) -> bytes:
        """The percolator document: JSON with sorted keys, as it is sent and as its release is named by."""
        return orjson.dumps(self.source, option=orjson.OPT_SORT_KEYS)


def compile_rule(rule: Rule, fields: EventFields, *, content: Mapping[str, Any] | None = None) -> Compiled:
    """Compile a rule against the event mapping. The same rule and mapping give the same document.

    Args:
        rule: the rule.
        fields: what the event index knows of each field, for the search query.
        content: the rule's `content()`, from who has it already.
    """
    said: Mapping[str, Any] = rule.content() if content is None else content
    every = tuple(dict.fromkeys(leaves(rule.tree)))
    digest = hash_of(said)
    stored = StoredRule(
        id=rule.id,
        hash=digest,
        words={"rule": _words(rule, digest), "threat": threat(rule.tags)},
        tree=rule.tree,
        columns=tuple(sorted({leaf.field for leaf in every if is_column(leaf)})),
        presence=tuple(sorted({leaf.field for leaf in every if isinstance(leaf.test, Exists)})),
        tests=tuple(dict.fromkeys(tokens(rule.tree))),
        tuning=rule.tuning,
    )
    filtered = prefilter(rule.tree)
    source = stored.to_source(
        tree=said["tree"],
        query=stored_query(rule.tree),
        search=search_query(rule.tree, fields),
        extra={
            "logsource": {
                "category": rule.logsource.category,
                "product": rule.logsource.product,
                "service": rule.logsource.service,
            },
            "tags": list(rule.tags),
            "status": rule.status,
            "description": rule.description,
            "falsepositives": list(rule.falsepositives),
            "prefilter": {"kind": filtered.word, "reason": filtered.reason},
        },
    )
    return Compiled(stored, source, filtered)


def _words(rule: Rule, digest: str) -> dict[str, Any]:
    """The alert's `rule` object. The author stays with every alert: Detection Rule License 1.1."""
    words = {
        "id": rule.id,
        "name": rule.title,
        "level": rule.level.value,
        "author": rule.author,
        "license": rule.license,
        "reference": list(rule.references),
        "hash": digest,
    }
    return {name: value for name, value in words.items() if value}
