"""The document that is percolated for an event: only what the deployed rules read, in a form made for terms.

    values.<path>   the lower-case texts at a path that some rule asks for; the path's dots are written as slashes (a
                    path may be an object in one rule and hold fields in another, which one mapping cannot say with dots)
    present         the paths that the event has
    tests           tokens of the tests that held; what the percolator cannot index or not say exactly is decided
                    here, in process, once an event however many rules ask; and "*", which every event has

The rules index maps these as plain keywords, so that each stored query is a boolean of terms: pre-filtered, and
exact. A text longer than a term can be is left out of `values`: a test of it is a token.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Protocol

import msgspec
import orjson

from osdetect.expr import (
    ANYWHERE,
    Boolean,
    Equals,
    Exists,
    Expr,
    Leaf,
    Null,
    SameAs,
    Test,
    evaluate,
    leaves,
    to_json,
)
from osdetect.expr.engine import MultiPattern
from osdetect.expr.predicates import ValueTest
from osdetect.expr.values import fold_case, scalars, text_of
from osdetect.schema.paths import PathTree

MAX_TERM = 7_000
"""Characters of a value that surely fit a term of 32,766 bytes (Lucene's IndexWriter.MAX_TERM_LENGTH).

The percolator writes the field's name, of at most 1,000 characters, and the value into one term.
"""
EVERY_EVENT = "*"
"""Stands among the tokens, which are all hexadecimal: a path may be called "*" too."""

VALUES = "values"
PRESENT = "present"
TESTS = "tests"


def column(path: str) -> str:
    """The field of the percolated document that holds the texts at `path`.

    >>> column("userIdentity.type")
    'values.userIdentity/type'
    """
    return f"{VALUES}.{column_key(path)}"


def column_key(path: str) -> str:
    """The name of that field inside `values`; two paths never share one."""
    return path.replace("%", "%25").replace("/", "%2F").replace(".", "/")


def token(test: Expr[str]) -> str:
    """The word that stands for what is decided in process, mostly a test of a field: a function of its content."""
    return hashlib.sha256(orjson.dumps(to_json(test), option=orjson.OPT_SORT_KEYS)).hexdigest()[:24]


class Reader(Protocol):
    """What reads events: a stored rule says which columns, presences and tests its stored query asks for."""

    @property
    def tree(self) -> Expr[str]: ...  # noqa: D102  # documented where it is implemented
    @property
    def columns(self) -> tuple[str, ...]: ...  # noqa: D102  # as above
    @property
    def presence(self) -> tuple[str, ...]: ...  # noqa: D102  # as above
    @property
    def tests(self) -> tuple[Expr[str], ...]: ...  # noqa: D102  # as above


@dataclass(frozen=True, slots=True)
class Projection:
    """What a set of rules reads of an event."""

    columns: tuple[tuple[str, frozenset[str]], ...]
    """Path, and the terms that rules ask for there; no other value can change a verdict, so none is sent."""
    presence: tuple[str, ...]
    tests: tuple[tuple[str, Expr[str]], ...]
    """Token, and what it stands for."""
    _plan: "_Plan" = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_plan", _Plan.of(self))

    @staticmethod
    def of(rules: Iterable[Reader]) -> "Projection":
        """What these rules read, each thing once."""
        columns: dict[str, set[str]] = {}
        presence: set[str] = set()
        tests: dict[str, Expr[str]] = {}
        for rule in rules:
            for path in rule.columns:
                columns.setdefault(path, set())
            for leaf in leaves(rule.tree):
                if leaf.field in rule.columns:
                    columns[leaf.field].update(_terms(leaf.test))
            presence.update(rule.presence)
            tests.update((token(leaf), leaf) for leaf in rule.tests)
        asked = tuple((path, frozenset(columns[path])) for path in sorted(columns))
        return Projection(asked, tuple(sorted(presence)), tuple(sorted(tests.items())))

    def project(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """The document to percolate for the event. Events that no rule tells apart have equal documents."""
        plan = self._plan
        found = plan.paths.find(event)
        if plan.anywhere:
            found[ANYWHERE] = list(scalars(event))
        values: dict[str, list[str]] = {}
        held = [word for word, path in plan.nulls if None in (found.get(path) or _ABSENT)]
        held += [word for word, test in plan.others if evaluate(test, event)]
        for path, at_path in found.items():
            if path in plan.readings:
                key, reading = plan.readings[path]
                read = [reading(value) for value in at_path]
                if terms := {term for term, _ in read if term is not None}:
                    values[key] = sorted(terms)
                for _, words in read:
                    held += words
        return {
            VALUES: values,
            PRESENT: [path for path in self.presence if path in found],
            TESTS: [EVERY_EVENT, *sorted(set(held))],
        }


def _terms(test: Test) -> tuple[str, ...]:
    """The terms that a stored query may ask for a test; more than it asks does no harm."""
    match test:
        case Equals(text=text) if len(text) <= MAX_TERM:
            return (fold_case(text),)
        case Boolean(value=value):
            return ("true" if value else "false",)
        case _:
            return ()


Reading = Callable[[Any], tuple[str | None, tuple[str, ...]]]
"""Of one value: the term that it is sent as, if any rule asks for it, and the tokens of the tests that it passes."""


class _Plan(msgspec.Struct, frozen=True):
    """A projection made ready to run: one walk over the event, one reading for each value found."""

    paths: PathTree
    readings: Mapping[str, tuple[str, Reading]]
    """For a path the name of its column, and how its values are read."""
    nulls: tuple[tuple[str, str], ...]
    """Token and path of the tests that a null, an empty list or an absent field passes."""
    others: tuple[tuple[str, Expr[str]], ...]
    """What is not decided one value at a time."""
    anywhere: bool
    """Whether some test is of every value of the event."""

    @staticmethod
    def of(projection: Projection) -> "_Plan":
        terms = dict(projection.columns)
        tests: dict[str, list[tuple[str, ValueTest]]] = {}
        nulls: list[tuple[str, str]] = []
        others: list[tuple[str, Expr[str]]] = []
        for word, asked in projection.tests:
            match asked:
                case Leaf(field=path, test=Null()):
                    nulls.append((word, path))
                case Leaf(field=path, test=test) if not isinstance(test, Null | Exists | SameAs):
                    tests.setdefault(path, []).append((word, test))
                case _:
                    others.append((word, asked))
        readings = {
            path: (column_key(path), _reading(terms.get(path, frozenset()), tests.get(path, ())))
            for path in sorted({*terms, *tests})
        }
        wanted = {*readings, *projection.presence, *(path for _, path in nulls)}
        paths = PathTree.of(wanted - {ANYWHERE})
        return _Plan(paths, readings, tuple(nulls), tuple(others), ANYWHERE in wanted)


_ABSENT = (None,)

REMEMBERED = 4_096
"""Short values of a path whose reading is kept: names, addresses and agents come again and again."""
SHORT = 256
"""Characters of such a value, so that what is kept has a bound."""


def _reading(terms: frozenset[str], tests: Sequence[tuple[str, ValueTest]]) -> Reading:
    """How the values at a path are read, by these terms and tests."""
    matcher = MultiPattern.of(tests) if tests else None

    def of_any(value: Any) -> tuple[str | None, tuple[str, ...]]:
        text = text_of(value)
        folded = fold_case(text) if text is not None and terms else ""
        term = folded if text is not None and folded in terms else None
        # An object passes a test by its text only, which is made once.
        return term, matcher.decide(text if isinstance(value, dict) else value) if matcher else ()

    of_short_text = lru_cache(maxsize=REMEMBERED)(of_any)

    def read(value: Any) -> tuple[str | None, tuple[str, ...]]:
        return of_short_text(value) if isinstance(value, str) and len(value) <= SHORT else of_any(value)

    return read
