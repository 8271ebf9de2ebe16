"""What a page is made of. HTML, Markdown and the terminal are three ways to write the same blocks."""

from collections.abc import Iterable
from enum import Enum
from typing import TypeAlias

import msgspec

TRAIL = " \N{SINGLE RIGHT-POINTING ANGLE QUOTATION MARK} "
"""What stands between the steps of a breadcrumb."""


class Look(Enum):
    """How a piece of text looks."""

    PLAIN = ""
    CODE = "code"
    """A name or a value of the machine's."""
    QUIET = "quiet"
    """A remark beside what is said."""
    BADGE = "badge"
    """A word that classifies."""


class Span(msgspec.Struct, frozen=True):
    """A piece of text, perhaps leading somewhere."""

    text: str
    link: str = ""
    """A path from the root of the site, or an address on the web."""
    look: Look = Look.PLAIN

    @property
    def external(self) -> bool:
        """Whether it leads out of the site."""
        return self.link.startswith(("http://", "https://"))


Line: TypeAlias = tuple[Span, ...]


class Paragraph(msgspec.Struct, frozen=True):
    """A line of text."""

    line: Line


class Bullets(msgspec.Struct, frozen=True):
    """A list."""

    lines: tuple[Line, ...]
    ordered_from: int | None = None
    """For a numbered list, its first number."""


class Table(msgspec.Struct, frozen=True):
    """Rows under a header."""

    about: str
    """What the table is of, for those who do not see it."""
    header: tuple[str, ...]
    rows: tuple[tuple[Line, ...], ...]


class Code(msgspec.Struct, frozen=True):
    """Text as a machine reads it, with a button that copies it."""

    language: str
    text: str
    label: str
    """What it is, for the button and for those who do not see it."""


class Subhead(msgspec.Struct, frozen=True):
    """A heading within a section."""

    text: str


Block: TypeAlias = Paragraph | Bullets | Table | Code | Subhead


class Section(msgspec.Struct, frozen=True):
    """A part of a page under a heading."""

    anchor: str
    title: str
    blocks: tuple[Block, ...]


class Page(msgspec.Struct, frozen=True):
    """A page of the site, whatever it is about."""

    path: str
    """From the root of the site, without the ending: "rules/1497f3a3-..."."""
    title: str
    crumbs: tuple[Span, ...]
    badges: tuple[Span, ...]
    lead: tuple[Paragraph, ...]
    """What stands under the title: a description."""
    sections: tuple[Section, ...]
    data: object
    """The page for machines."""
    foot: tuple[Paragraph, ...] = ()


def line(*parts: str | Span) -> Line:
    """Pieces of text in a row."""
    return tuple(Span(part) if isinstance(part, str) else part for part in parts)


def joined(lines: Iterable[Line], between: str = ", ") -> Line:
    """Lines put into one."""
    found: list[Span] = []
    for number, one in enumerate(lines):
        found += [Span(between), *one] if number else one
    return tuple(found)
