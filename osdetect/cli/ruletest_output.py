"""How the results of rules' tests look, and the files that they are written into."""

from pathlib import Path
from typing import Any

import orjson
from rich.text import Text

from osdetect.cli.output import (
    LISTED,
    OutputFormat,
    error_json,
    print_json,
    print_refusals,
    print_table,
    say,
    write_line,
)
from osdetect.errors import OutputError
from osdetect.ruletest import Result, Results, Status
from osdetect.source import printable

_COLOURS = {Status.FAILED: "red", Status.DISAGREED: "bold red", Status.NOT_RUN: "yellow"}


def write(results: Results, output: OutputFormat, *, verbose: bool) -> None:
    """The results on standard output, what was refused on standard error."""
    print_refusals(results.refused, all_of_them=verbose)
    if output is OutputFormat.JSON:
        print_json(results_json(results))
        return
    if results.bad:
        print_table("", ("result", "rule", "test", "place"), map(_row, results.bad))
        for one in results.bad:
            _explain(one)
    if results.untested:
        _list_untested(results, all_of_them=verbose)
    write_line(_summary(results))


def _row(one: Result) -> tuple[str | Text, ...]:
    case = one.case
    wanted = "must match" if case.expected else "must not match"
    status = Text(one.status.value, style=_COLOURS[one.status])
    return status, case.title, f"{wanted}: {case.why}", f"{case.where.file}:{case.where.line}"


def _explain(one: Result) -> None:
    place = f"{one.case.where.file}:{one.case.where.line}:{one.case.where.column}"
    write_line(f"{printable(place, 600)}: {one.status.value}: {printable(one.reason, 1_200)}")


def _list_untested(results: Results, *, all_of_them: bool) -> None:
    shown = results.untested if all_of_them else results.untested[:LISTED]
    for rule in shown:
        write_line(f"no tests: {printable(rule.title, 200)} ({printable(rule.file, 400)})")
    if len(shown) < len(results.untested):
        say(f"... and {len(results.untested) - len(shown)} more rules without tests; --verbose lists all")


def _summary(results: Results) -> str:
    counts = ", ".join(f"{results.count(status):,} {status}" for status in Status if results.count(status))
    by = "evaluator, engine and percolator" if results.percolated else "evaluator and engine"
    with_tests = len(results.rules) - len(results.untested)
    return (
        f"{len(results.results):,} tests of {with_tests:,} rules by {by}: {counts or 'none'}; "
        f"{len(results.untested):,} rules without tests, {len(results.refused):,} refused"
    )


def results_json(results: Results) -> dict[str, Any]:
    """The results for machines."""
    return {
        "tests": len(results.results),
        **{status.name.lower(): results.count(status) for status in Status},
        "percolated": results.percolated,
        "rules": [
            {"rule": one.rule, "title": one.title, "file": one.file, "tests": one.tests, "passed": one.passed}
            for one in results.rules
        ],
        "untested": len(results.untested),
        "refused": [error_json(one) for one in results.refused],
        "results": [one.to_json() for one in results.results],
    }


def evidence_of(results: Results) -> bytes:
    """What is proven of each rule, as the catalog reads it."""
    told = {
        one.rule: {"tests": one.tests, "passed": one.passed, "mutation_score": None, "fired": 0}
        for one in results.rules
    }
    return orjson.dumps(told, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE)


def write_file(file: Path, data: bytes) -> None:
    """A result in a file.

    Raises:
        OutputError: it cannot be written.
    """
    try:
        file.write_bytes(data)
    except OSError as error:
        raise OutputError(
            f"{file} cannot be written",
            cause=str(error.strerror),
            cure="name a file in a folder that you may write to",
        ) from error
