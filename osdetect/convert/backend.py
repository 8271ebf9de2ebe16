"""The backend. pySigma hands over rules that it has read; their meaning is taken from their text, by our own reader.

pySigma reads some rules otherwise than Sigma says (docs/pysigma-defects.md), and what it has read does not give back
the text in each case (pySigma 1.x drops backslashes). So a rule's selections are read again from its file where it has
one; its condition, and selections that are not in the file, are pySigma's: filters have changed them.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import orjson
from sigma.conversion.base import Backend
from sigma.correlations import SigmaCorrelationRule
from sigma.exceptions import SigmaConversionError, SigmaError
from sigma.processing.pipeline import ProcessingPipeline
from sigma.rule import SigmaRule

from osdetect.compiler import Compiled, compile_rule
from osdetect.errors import RuleError
from osdetect.schema.event_fields import EventFields
from osdetect.sigma import ReadOptions
from osdetect.sigma.pipelines import paths_of
from osdetect.sigma.read_again import read_again
from osdetect.sigma.tuning_reader import not_placed
from osdetect.vocabulary import RULES_ALIAS


class _Given:
    """The pipelines that pySigma was given for this conversion, as our reader takes them."""

    names = ("sigma convert",)
    digest = ""

    def __init__(self, steps: ProcessingPipeline) -> None:
        self._steps = steps

    def apply(self, rule: Any) -> Any:
        return self._steps.apply(rule)

    def paths(self, fields: Iterable[str]) -> Mapping[str, tuple[str, ...]]:
        return paths_of(self.apply, fields)


class OsdetectBackend(Backend):
    """Sigma rules to OpenSearch's Query DSL: over stored events, or as percolator documents."""

    name: ClassVar[str] = "osdetect: OpenSearch Query DSL and percolator documents"
    identifier: ClassVar[str] = "osdetect"
    formats: ClassVar[dict[str, str]] = {
        "default": "search query for stored events (Query DSL); may find too much, never too little",
        "percolator": "percolator document; its query is exact over osdetect's projected events",
        "ndjson": "percolator documents as the body of a bulk request",
        "tree": "the rule's meaning as JSON",
    }
    requires_pipeline: ClassVar[bool] = False

    def convert_rule(
        self,
        rule: SigmaRule,
        output_format: str | None = None,
        callback: Callable[..., Any] | None = None,
    ) -> list[Any]:
        """The rule in the output format; a rule has one query, whatever number of conditions it has.

        Raises:
            SigmaError: the rule cannot be compiled, and errors are not collected.
        """
        try:
            compiled = self._compiled(rule, to_deploy=(output_format or self.default_format) in _DEPLOYED)
        except SigmaError as error:
            if not self.collect_errors:
                raise
            self.errors.append((rule, error))
            return []
        text: Any = _WRITTEN[output_format or self.default_format](compiled)
        if callback is not None:
            text = callback(rule, output_format, 0, rule.detection.parsed_condition[0], text)
        if text is None:
            return []
        rule.set_conversion_result([text])
        return [text] if rule._output else []  # noqa: SLF001  # where pySigma keeps it

    def _compiled(self, rule: SigmaRule, *, to_deploy: bool) -> Compiled:
        options = ReadOptions(every_log_source=True, pipeline=_Given(self.last_processing_pipeline))
        place = getattr(rule.source, "path", None)
        try:
            read = read_again(rule, Path(place) if place else None, options)
            refused = not_placed(read.tuning, _Given.names, read.gathers_at) if to_deploy else None
            if refused is not None:
                raise refused
            return compile_rule(read, _fields())
        except RuleError as error:
            raise SigmaConversionError(rule, rule.source, _said(error)) from error

    def convert_correlation_rule(
        self,
        rule: SigmaCorrelationRule,
        output_format: str | None = None,  # noqa: ARG002  # pySigma's signature
        method: str | None = None,  # noqa: ARG002  # as above
        callback: Callable[..., Any] | None = None,  # noqa: ARG002  # as above
    ) -> list[Any]:
        """A correlation has no query that says it.

        Raises:
            SigmaError: always, unless errors are collected.
        """
        error = SigmaConversionError(
            rule, rule.source, "a correlation has no query of its own: osdetect decides it in process"
        )
        if not self.collect_errors:
            raise error
        errors: list[tuple[Any, SigmaError]] = self.errors
        errors.append((rule, error))
        return []

    def finalize_output_default(self, queries: list[Any]) -> list[Any]:
        """The texts as they are: one a rule."""
        return queries

    finalize_output_percolator = finalize_output_default
    finalize_output_tree = finalize_output_default

    def finalize_output_ndjson(self, queries: list[Any]) -> str:
        """One text: the body of a bulk request ends with a newline."""
        return "".join(queries)


# What a rule means is not asked of pySigma piece by piece, so the methods for pieces are not there.
OsdetectBackend.__abstractmethods__ = frozenset()


@cache
def _fields() -> EventFields:
    return EventFields.shipped()


def _said(error: RuleError) -> str:
    return f"{error} ({error.cure})" if error.cure else str(error)


def _json(data: object) -> str:
    return orjson.dumps(data).decode()


def _bulk(one: Compiled) -> str:
    action = {"index": {"_index": RULES_ALIAS, "_id": one.stored.id}}
    return f"{_json(action)}\n{_json(one.source)}\n"


_WRITTEN: Mapping[str, Callable[[Compiled], str]] = {
    "default": lambda one: _json({"query": one.source["search"]}),
    "percolator": lambda one: _json(one.source),
    "ndjson": _bulk,
    "tree": lambda one: _json(one.source["detection"]["tree"]),
}
_DEPLOYED = frozenset(("percolator", "ndjson"))
"""The formats that say what becomes of matches."""
