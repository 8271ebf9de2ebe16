"""Lists that are as long as the catalog is large, on as many pages as they need."""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from osdetect.catalog.blocks import Block, Bullets, Line, Look, Page, Paragraph, Section, Span, Table, line
from osdetect.catalog.entries import Entry
from osdetect.catalog.page import SOURCE
from osdetect.catalog.places import INDEX, rule_page

ROWS = 200
"""Rows of a page: with the longest titles that lists show, it stays below `MAX_PAGE`."""
_TITLE = 120
"""Characters of a title in a list."""

ROOT = "Detection rules"


class Head(msgspec.Struct, frozen=True):
    """What stands above a list, on each of its pages."""

    path: str
    title: str
    lead: tuple[Paragraph, ...] = ()
    crumbs: tuple[Span, ...] = (Span(ROOT, INDEX),)
    sections: tuple[Section, ...] = ()
    """Before the list, on the first page only."""


class Row(msgspec.Struct, frozen=True):
    """A row of a list, for people and for machines."""

    cells: tuple[Line, ...]
    data: dict[str, Any]


def paged(
    head: Head, about: str, header: tuple[str, ...], rows: Sequence[Row], data: dict[str, Any]
) -> tuple[Page, ...]:
    """The pages of a list.

    Args:
        head: what stands above it.
        about: the heading of the list.
        header: the names of its columns.
        rows: all of them.
        data: what machines are told beside the rows.
    """
    parts = [rows[at : at + ROWS] for at in range(0, len(rows), ROWS)] or [[]]
    return tuple(
        Page(
            path=_numbered(head.path, number),
            title=head.title if len(parts) == 1 else f"{head.title}, page {number + 1} of {len(parts)}",
            crumbs=(*head.crumbs, Span(head.title)),
            badges=(),
            lead=head.lead if number == 0 else (),
            sections=(
                *(head.sections if number == 0 else ()),
                Section(
                    "list", about, (*_table(about, header, part), *_steps(head.path, number, len(parts)))
                ),
            ),
            data={
                **data,
                "title": head.title,
                "page": number + 1,
                "pages": len(parts),
                "rows": [one.data for one in part],
            },
        )
        for number, part in enumerate(parts)
    )


def _numbered(path: str, number: int) -> str:
    return path if number == 0 else f"{path}~{number + 1}"


def _table(about: str, header: tuple[str, ...], rows: Sequence[Row]) -> tuple[Block, ...]:
    if not rows:
        return (Paragraph(line("None.")),)
    if len(header) == 1:
        return (Bullets(tuple(one.cells[0] for one in rows)),)
    return (Table(about, header, tuple(one.cells for one in rows)),)


def _steps(path: str, number: int, pages: int) -> tuple[Block, ...]:
    if pages == 1:
        return ()
    steps = [
        *([Span("Previous page", _numbered(path, number - 1))] if number else []),
        *([Span("Next page", _numbered(path, number + 1))] if number + 1 < pages else []),
    ]
    return (Paragraph(line(*(piece for step in steps for piece in (step, " ")))),)


RULE_HEADER = ("Rule", "Level", "Status", "Log source", "Pack")


def rule_row(entry: Entry, note: str = "") -> Row:
    """A rule in a list."""
    rule = entry.rule
    title = short(rule.title)
    return Row(
        (
            line(
                Span(title, rule_page(entry.id)),
                f" ({SOURCE})",
                *([Span(f" {note}", look=Look.QUIET)] if note else []),
            ),
            line(rule.level.value),
            line(rule.status),
            line(short(entry.source_label)),
            line(short(entry.pack)),
        ),
        {
            "id": entry.id,
            "title": title,
            "source": SOURCE,
            "level": rule.level.value,
            "status": rule.status,
            "logsource": short(entry.source_label),
            "pack": short(entry.pack),
            "note": note,
        },
    )


def rule_pages(
    head: Head, entries: Sequence[Entry], data: dict[str, Any], note: Callable[[Entry], str] = lambda _: ""
) -> tuple[Page, ...]:
    """A list of rules."""
    about = f"{len(entries):,} rule{'s' if len(entries) != 1 else ''}"
    return paged(head, about, RULE_HEADER, [rule_row(one, note(one)) for one in entries], data)


def short(text: str) -> str:
    """A text as lists show it."""
    return text if len(text) <= _TITLE else f"{text[: _TITLE - 1]}…"
