"""The document that is percolated for an event: only what the deployed rules read, in a form made for terms.

    values.<path>   the lower-case texts at a path, its dots written as slashes (a path may be an object in one
                    rule and hold fields in another, which one mapping cannot say with dots)
    present         the paths that the event has, and "*", which every event has
    tests           tokens of the tests that held; what the percolator cannot index or not say exactly is decided
                    here, in process, once an event however many rules ask

The rules index maps these as plain keywords, so that each stored query is a boolean of terms: pre-filtered, and
exact. A text longer than a term can be is left out of `values`: a test of it is a token.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import orjson

from osdetect.expr import Leaf, to_json
from osdetect.expr.evaluate import holds
from osdetect.expr.values import fold_case, resolve, text_of

MAX_TERM = 8_191
"""Characters of a value that surely fit a term of 32,766 bytes (Lucene's IndexWriter.MAX_TERM_LENGTH)."""
EVERY_EVENT = "*"

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


def token(leaf: Leaf[str]) -> str:
    """The word that stands for a test of a field: a function of its content."""
    return hashlib.sha256(orjson.dumps(to_json(leaf), option=orjson.OPT_SORT_KEYS)).hexdigest()[:24]


class Reader(Protocol):
    """What reads events: a stored rule says which columns, presences and tests its stored query asks for."""

    @property
    def columns(self) -> tuple[str, ...]: ...  # noqa: D102  # documented where it is implemented
    @property
    def presence(self) -> tuple[str, ...]: ...  # noqa: D102  # as above
    @property
    def tests(self) -> tuple[Leaf[str], ...]: ...  # noqa: D102  # as above


@dataclass(frozen=True, slots=True)
class Projection:
    """What a set of rules reads of an event."""

    columns: tuple[str, ...]
    presence: tuple[str, ...]
    tests: tuple[tuple[str, Leaf[str]], ...]
    """Token and test."""

    @staticmethod
    def of(rules: Iterable[Reader]) -> "Projection":
        """What these rules read, each thing once."""
        columns: set[str] = set()
        presence: set[str] = set()
        tests: dict[str, Leaf[str]] = {}
        for rule in rules:
            columns.update(rule.columns)
            presence.update(rule.presence)
            tests.update((token(leaf), leaf) for leaf in rule.tests)
        return Projection(tuple(sorted(columns)), tuple(sorted(presence)), tuple(sorted(tests.items())))

    def project(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """The document to percolate for the event."""
        values: dict[str, list[str]] = {}
        for path in self.columns:
            texts = [
                fold_case(text)
                for value in resolve(event, path) or ()
                if (text := text_of(value)) is not None and len(text) <= MAX_TERM
            ]
            if texts:
                values[column_key(path)] = texts
        return {
            VALUES: values,
            PRESENT: [EVERY_EVENT, *(path for path in self.presence if resolve(event, path) is not None)],
            TESTS: [word for word, leaf in self.tests if holds(leaf.field, leaf.test, event)],
        }
