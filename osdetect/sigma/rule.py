"""A rule as the rest of osdetect knows it: its words, and its tree."""

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Generic, Protocol, Self, TypeVar

import msgspec
import orjson
from msgspec.structs import replace

from osdetect.errors import RuleError, Where
from osdetect.expr import All, Expr, simplify, to_json
from osdetect.tuning import UNTUNED, Tuning
from osdetect.vocabulary import Level

if TYPE_CHECKING:
    from osdetect.sigma.correlation import Resolved


class LogSource(msgspec.Struct, frozen=True):
    """What a rule is for (Sigma rules specification, "Log Source"); empty where the rule says nothing."""

    category: str = ""
    product: str = ""
    service: str = ""

    def covers_cloudtrail(self) -> bool:
        """Whether the rule is for AWS CloudTrail: `product: aws`, and `service: cloudtrail` or none."""
        return self.product == "aws" and self.service in {"", "cloudtrail"} and not self.category


class Member(Protocol):
    """What putting files together asks of a rule: a `Rule`, or what was made of one (`osdetect.sigma.gather`)."""

    @property
    def id(self) -> str:
        """As `Rule.id`."""
        ...

    @property
    def name(self) -> str:
        """As `Rule.name`."""
        ...

    @property
    def title(self) -> str:
        """As `Rule.title`."""
        ...

    @property
    def tags(self) -> tuple[str, ...]:
        """As `Rule.tags`."""
        ...

    @property
    def logsource(self) -> LogSource:
        """As `Rule.logsource`."""
        ...

    @property
    def where(self) -> Where:
        """As `Rule.where`."""
        ...

    def hash(self) -> str:
        """As `Rule.hash`."""
        ...

    @property
    def tuning(self) -> Tuning:
        """As `Rule.tuning`."""
        ...

    @property
    def gathers_at(self) -> Where | None:
        """As `Rule.gathers_at`."""
        ...

    def with_filters(self, filters: Mapping[str, Expr[str]]) -> Self:
        """As `Rule.with_filters`."""
        ...

    def with_tuning(self, tuning: Tuning) -> Self:
        """As `Rule.with_tuning`."""
        ...


R = TypeVar("R", bound=Member)
R_co = TypeVar("R_co", bound=Member, covariant=True)


class Rule(msgspec.Struct, frozen=True):
    """One Sigma detection rule. Texts are as the author wrote them; nothing is filled in later."""

    id: str
    name: str
    """What correlations and filters call it by; empty if it has none."""
    title: str
    description: str
    status: str
    level: Level
    author: str
    license: str
    date: str
    modified: str
    references: tuple[str, ...]
    falsepositives: tuple[str, ...]
    tags: tuple[str, ...]
    logsource: LogSource
    filters: tuple[str, ...]
    """The ids of the Sigma filters that are part of the tree."""
    tree: Expr[str]
    where: Where
    tuning: Tuning = UNTUNED
    gathers_at: Where | None = None
    """Where its file says by which fields matches are gathered; None: it does not."""

    def content(self) -> dict[str, object]:
        """What the rule says, as JSON-able data; the file that it stands in is no part of it."""
        return {
            "id": self.id,
            "name": self.name,
            "title": self.title,
            "description": self.description,
            "status": self.status,
            "level": self.level.value,
            "author": self.author,
            "license": self.license,
            "date": self.date,
            "modified": self.modified,
            "references": list(self.references),
            "falsepositives": list(self.falsepositives),
            "tags": list(self.tags),
            "logsource": {
                "category": self.logsource.category,
                "product": self.logsource.product,
                "service": self.logsource.service,
            },
            "filters": list(self.filters),
            "tree": to_json(self.tree),
            **({"tuning": self.tuning.to_json()} if self.tuning != UNTUNED else {}),
        }

    def hash(self) -> str:
        """32 hexadecimal digits that change when the rule's words or meaning do."""
        return hash_of(self.content())

    def with_filters(self, filters: Mapping[str, Expr[str]]) -> "Rule":
        """The rule with these Sigma filters, id and tree, as part of its tree."""
        tree = simplify(All((self.tree, *filters.values())))
        return replace(self, tree=tree, filters=(*self.filters, *filters))

    def with_tuning(self, tuning: Tuning) -> "Rule":
        """The rule with this tuning instead of its own."""
        return replace(self, tuning=tuning)


def hash_of(content: Mapping[str, object]) -> str:
    """The hash of the rule with this `Rule.content`."""
    return hashlib.sha256(orjson.dumps(content, option=orjson.OPT_SORT_KEYS)).hexdigest()[:32]


class RuleSet(msgspec.Struct, Generic[R_co], frozen=True):
    """What a set of rule files held; each document is in exactly one of the first four."""

    rules: tuple[R_co, ...]
    correlations: "tuple[Resolved, ...]"
    """Correlation rules whose references name rules of this set."""
    refused: tuple[RuleError, ...]
    other_sources: int
    """Documents for other log sources than AWS CloudTrail that were read as YAML, but not judged further; correlations
    count here that name rules among them."""
    files: int
    warnings: tuple[RuleError, ...]
    """What rules say that has no effect; the rules are used."""
