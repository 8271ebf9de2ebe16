"""How results, progress and errors look. Results go to standard output, all else to standard error."""

import csv
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from typing import Any, TextIO

import orjson
from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table
from rich.text import Text

from osdetect.errors import OsdetectError
from osdetect.source import harmless, printable

LISTED = 20
"""Refusals that are shown one by one; all are counted."""
_CELL = 32_000
"""Characters of a cell of CSV; spreadsheets take 32,767."""


class OutputFormat(StrEnum):
    """How a command writes its result."""

    TABLE = "table"
    JSON = "json"


class RowsFormat(StrEnum):
    """How a command writes rows."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


out = Console(highlight=False)
err = Console(stderr=True, highlight=False)


def _as_json(value: object) -> object:
    """What orjson makes of a value that Python's own module does not know, a time for example."""
    return orjson.loads(orjson.dumps(value))


def print_json(data: object) -> None:
    """One JSON document on standard output."""
    try:
        written = orjson.dumps(data, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    except (
        orjson.JSONEncodeError
    ):  # half a character, as of a file whose name is not UTF-8: only escapes can say it
        written = f"{json.dumps(data, indent=2, default=_as_json)}\n".encode("ascii")
    sys.stdout.buffer.write(written)
    sys.stdout.flush()


def write_bytes(data: bytes) -> None:
    """Bytes on standard output as they are."""
    sys.stdout.buffer.write(data)
    sys.stdout.flush()


def print_csv(header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Rows as CSV that no spreadsheet takes for formulas (OWASP, "CSV Injection") and no terminal for commands."""
    csv_rows(sys.stdout, header, rows)
    sys.stdout.flush()


def csv_rows(out: TextIO, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """The same into any file."""
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(header)
    writer.writerows([_inert(cell) for cell in row] for row in rows)


def _inert(cell: str) -> str:
    shown = printable(cell, _CELL)
    return f"'{shown}" if shown[:1] in {"=", "+", "-", "@"} or cell[:1] in {"\t", "\r"} else shown


def print_table(title: str, header: Sequence[str], rows: Iterable[Sequence[str | Text]]) -> None:
    """Rows as a table; on a pipe it is as wide as it needs to be."""
    table = Table(title=title or None, title_justify="left", title_style="bold", show_header=any(header))
    for name in header:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*(cell if isinstance(cell, Text) else Text(printable(cell)) for cell in row))
    if out.is_terminal:
        out.print(table)
    else:
        Console(width=240, highlight=False).print(table)


def write_line(text: str) -> None:
    """A line of the result, on one line however narrow the terminal, and without what a terminal takes for commands."""
    out.print(harmless(text), markup=False, soft_wrap=True)


def say(text: str) -> None:
    """A line for people, beside the result."""
    err.print(harmless(text), markup=False, soft_wrap=True)


def print_error(error: OsdetectError, *, word: str = "error") -> None:
    """What happened, where, why, and what to do."""
    colour = "red" if word == "error" else "yellow"
    err.print(f"[bold {colour}]{word}:[/] {escape(printable(error.what, 600))}", soft_wrap=True)
    if error.where:
        err.print(f"  [cyan]{escape(printable(str(error.where), 600))}[/]", soft_wrap=True)
        if error.where.excerpt:
            err.print(f"    | {escape(error.where.excerpt)}", soft_wrap=True)
    if error.cause:
        err.print(f"  cause: {escape(printable(error.cause, 1200))}", soft_wrap=True)
    if error.cure:
        err.print(f"  cure:  {escape(printable(error.cure, 600))}", soft_wrap=True)


def print_refusals(refused: Sequence[OsdetectError], *, all_of_them: bool) -> None:
    """Refusals one by one, up to `LISTED` unless all are wanted; the rest as a number."""
    shown = refused if all_of_them else refused[:LISTED]
    for refusal in shown:
        print_error(refusal, word="refused")
    if len(refused) > len(shown):
        say(f"... and {len(refused) - len(shown)} more refused; --verbose lists all")


def error_json(error: OsdetectError) -> dict[str, Any]:
    """An error for machines."""
    where = error.where
    return {
        "what": error.what,
        "cause": error.cause,
        "cure": error.cure,
        **({"file": where.file, "line": where.line, "column": where.column} if where else {}),
    }


@contextmanager
def progress_bar(label: str, *, unit_bytes: bool = False) -> Iterator[Callable[[int, int], None]]:
    """A bar on standard error while the work goes on; nothing where that is no terminal."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn() if unit_bytes else MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as bars:
        task = bars.add_task(label, total=None)
        yield lambda done, total: bars.update(task, completed=done, total=total)
