"""What a rule file came to, and the form in which that is kept: everything of it but the file's name.

A compiled rule is kept as two JSON texts with sorted keys, its words and its percolator document. A tree is built only
for whom asks for one. So what was kept yesterday and what was compiled just now are the same bytes.
"""

import hashlib
from collections.abc import Mapping
from typing import Any

import msgspec
import orjson

from osdetect.compiler.compile import Compiled, compile_rule
from osdetect.compiler.prefilter import Kind, Prefilter
from osdetect.documents.stored_rule import StoredRule
from osdetect.errors import RuleError, Where
from osdetect.expr import Expr, from_json, to_json
from osdetect.schema.event_fields import EventFields
from osdetect.sigma import LogSource, Rule
from osdetect.tuning import Tuning
from osdetect.vocabulary import Level

Place = tuple[int, int, str]
"""Line, column and excerpt: a `Where` without its file."""


class Notice(msgspec.Struct, frozen=True):
    """A refusal or a warning without its file."""

    what: str
    cause: str
    cure: str
    place: Place

    @staticmethod
    def of(error: RuleError) -> "Notice":
        """The error without its file."""
        return Notice(error.what, error.cause, error.cure, _place(error.where or Where("")))

    def error(self, file: str) -> RuleError:
        """It as said of this file."""
        return RuleError(self.what, cause=self.cause, cure=self.cure, where=Where(file, *self.place))


class KeptRule(msgspec.Struct, frozen=True):
    """A compiled rule without its file."""

    id: str
    name: str
    title: str
    hash: str
    tags: tuple[str, ...]
    logsource: tuple[str, str, str]
    place: Place
    kind: int
    part: bytes
    """Of the prefilter: the part of the tree that is its reason, as JSON."""
    words: bytes
    """`Rule.content()` as JSON."""
    document: bytes
    """The percolator document as JSON."""
    columns: tuple[str, ...]
    """As `StoredRule.columns`."""
    gathers_at: Place | None
    """Of `Rule.gathers_at`."""


class CompiledFile(msgspec.Struct, frozen=True):
    """A file without its name."""

    rules: tuple[KeptRule, ...]
    filters: tuple[bytes, ...]
    correlations: tuple[bytes, ...]
    refused: tuple[Notice, ...]
    warnings: tuple[Notice, ...]
    elsewhere: tuple[tuple[str, ...], ...]
    """As `FileResult.elsewhere`."""

    def encode(self) -> bytes:
        """As it is kept.

        Raises:
            ValueError: it holds text that is no Unicode, and cannot be kept.
        """
        return _ENCODER.encode(self)

    @staticmethod
    def decode(kept: bytes | memoryview) -> "CompiledFile":
        """As it was kept.

        Raises:
            ValueError: it is not what `encode` wrote.
        """
        return _DECODER.decode(kept)


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(CompiledFile)


class CompiledRule(msgspec.Struct, frozen=True):
    """A compiled rule in its file. What other files' rules, filters and correlations ask of a rule, it has."""

    file: str
    kept: KeptRule
    fields: EventFields
    """What it was compiled against, and is again with filters."""

    @property
    def id(self) -> str:
        """As `Rule.id`."""
        return self.kept.id

    @property
    def name(self) -> str:
        """As `Rule.name`."""
        return self.kept.name

    @property
    def title(self) -> str:
        """As `Rule.title`."""
        return self.kept.title

    @property
    def tags(self) -> tuple[str, ...]:
        """As `Rule.tags`."""
        return self.kept.tags

    @property
    def logsource(self) -> LogSource:
        """As `Rule.logsource`."""
        return LogSource(*self.kept.logsource)

    @property
    def where(self) -> Where:
        """As `Rule.where`."""
        return Where(self.file, *self.kept.place)

    def hash(self) -> str:
        """As `Rule.hash`."""
        return self.kept.hash

    @property
    def tree(self) -> Expr[str]:
        """As `Rule.tree`; checked and built each time that it is asked for."""
        return self.rule.tree

    def with_filters(self, filters: Mapping[str, Expr[str]]) -> "CompiledRule":
        """As `Rule.with_filters`, compiled again.

        Raises:
            RuleError: what was kept is no rule.
        """
        return compiled_rule(self.rule.with_filters(filters), self.fields)

    @property
    def tuning(self) -> Tuning:
        """As `Rule.tuning`."""
        return self.rule.tuning

    def with_tuning(self, tuning: Tuning) -> "CompiledRule":
        """As `Rule.with_tuning`, compiled again.

        Raises:
            RuleError: what was kept is no rule.
        """
        return compiled_rule(self.rule.with_tuning(tuning), self.fields)

    @property
    def gathers_at(self) -> Where | None:
        """As `Rule.gathers_at`."""
        place = self.kept.gathers_at
        return Where(self.file, *place) if place is not None else None

    @property
    def columns(self) -> tuple[str, ...]:
        """As `StoredRule.columns`."""
        return self.kept.columns

    @property
    def document(self) -> bytes:
        """The percolator document: JSON with sorted keys."""
        return self.kept.document

    @property
    def prefilter(self) -> Prefilter:
        """As `Compiled.prefilter`; its part is checked and built each time that it is asked for."""
        return Prefilter(Kind(self.kept.kind), from_json(orjson.loads(self.kept.part)))

    @property
    def rule(self) -> Rule:
        """The rule itself, checked and built each time that it is asked for.

        Raises:
            RuleError: what was kept is no rule.
        """
        if hashlib.sha256(self.kept.words).hexdigest()[:32] != self.kept.hash:
            raise _damaged(self.where)
        return rule_of(orjson.loads(self.kept.words), self.where, self.gathers_at)

    @property
    def compiled(self) -> Compiled:
        """What `compile_rule` gave for it, checked and built each time that it is asked for.

        Raises:
            RuleError: what was kept is no compiled rule.
        """
        source: dict[str, Any] = orjson.loads(self.kept.document)
        stored = StoredRule.from_source(self.id, source)
        if stored.hash != self.kept.hash:
            raise _damaged(self.where)
        return Compiled(stored, source, self.prefilter)


def compiled_rule(rule: Rule, fields: EventFields) -> CompiledRule:
    """The rule, compiled against the event mapping.

    Args:
        rule: the rule.
        fields: what the event index knows of each field.
    """
    content = rule.content()
    one = compile_rule(rule, fields, content=content)
    source = rule.logsource
    kept = KeptRule(
        id=rule.id,
        name=rule.name,
        title=rule.title,
        hash=one.stored.hash,
        tags=rule.tags,
        logsource=(source.category, source.product, source.service),
        place=_place(rule.where),
        kind=int(one.prefilter.kind),
        part=orjson.dumps(to_json(one.prefilter.part), option=orjson.OPT_SORT_KEYS),
        words=orjson.dumps(content, option=orjson.OPT_SORT_KEYS),
        document=one.document,
        columns=one.columns,
        gathers_at=_place(rule.gathers_at) if rule.gathers_at is not None else None,
    )
    return CompiledRule(rule.where.file, kept, fields)


def rule_of(content: Mapping[str, Any], where: Where, gathers_at: Where | None = None) -> Rule:
    """The rule whose `content` this is.

    Args:
        content: what it says.
        where: as `Rule.where`.
        gathers_at: as `Rule.gathers_at`.

    Raises:
        RuleError: no rule has such content.
    """
    lists = {name: tuple(map(str, content[name])) for name in _LISTS if isinstance(content.get(name), list)}
    try:
        rule = Rule(
            **{
                **content,
                **lists,
                "level": Level(content["level"]),
                "logsource": LogSource(**content["logsource"]),
                "tree": from_json(content["tree"]),
                "where": where,
                "tuning": Tuning.from_json(content.get("tuning", {})),
                "gathers_at": gathers_at,
            }
        )
    except (KeyError, TypeError, ValueError) as error:
        raise _damaged(where) from error
    if rule.content() != content:
        raise _damaged(where)
    return rule


_LISTS = ("references", "falsepositives", "tags", "filters")


def _damaged(where: Where) -> RuleError:
    return RuleError("a kept rule cannot be read", cure="compile it again: --no-cache", where=where)


def _place(where: Where) -> Place:
    return where.line, where.column, where.excerpt
