"""How much of a hostile or a huge rule a page shows. What is left out is counted, never dropped in silence."""

from typing import Generic, TypeVar

import msgspec

T = TypeVar("T")


class Cut(msgspec.Struct, frozen=True):
    """A text, and how many of its characters are not shown."""

    text: str
    more: int


class Listed(msgspec.Struct, Generic[T], frozen=True):
    """Some items, and how many more there are."""

    items: tuple[T, ...]
    more: int


class Limits(msgspec.Struct, frozen=True):
    """How much of each part of a page is shown."""

    description: int = 4_000
    word: int = 400
    """Characters of a title, a name, a link."""
    body: int = 40_000
    query: int = 20_000
    rows: int = 300
    """Rows of a table or list."""

    def halved(self) -> "Limits":
        """Half as much of everything."""
        return Limits(
            *(max(1, part // 2) for part in (self.description, self.word, self.body, self.query, self.rows))
        )

    @staticmethod
    def least() -> "Limits":
        """What nothing is cut below."""
        return Limits(1, 1, 1, 1, 1)

    def cut(self, text: str, length: int) -> Cut:
        """The beginning of a text."""
        return Cut(text, 0) if len(text) <= length else Cut(text[:length], len(text) - length)

    def listed(self, items: tuple[T, ...]) -> Listed[T]:
        """The first of some items."""
        return Listed(items[: self.rows], max(0, len(items) - self.rows))


USUAL = Limits()
MAX_PAGE = 300_000
"""Bytes of a page; a rule whose page is larger is shown with less of everything."""
