"""How the results of rules' tests look, and the files that they are written into."""

from collections.abc import Iterator, Sequence
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
from osdetect.ruletest import Draft, Fired, Result, Results, Score, Status, Survivor, total_score
from osdetect.ruletest.scoring import difference
from osdetect.source import printable

_COLOURS = {Status.FAILED: "red", Status.DISAGREED: "bold red", Status.NOT_RUN: "yellow"}

_SURVIVORS = 5


def write(
    results: Results,
    scores: Sequence[Score] | None,
    matched: Fired | None,
    output: OutputFormat,
    *,
    verbose: bool,
) -> None:
    """The results on standard output, what was refused on standard error."""
    print_refusals((*results.refused, *(matched.refused if matched else ())), all_of_them=verbose)
    if output is OutputFormat.JSON:
        print_json(results_json(results, scores, matched))
        return
    if results.bad:
        print_table("", ("result", "rule", "test", "place"), map(_row, results.bad))
        for one in results.bad:
            _explain(one)
    if results.untested:
        _list_untested(results, all_of_them=verbose)
    if scores is not None:
        _write_scores(scores, all_of_them=verbose)
    if matched is not None:
        count = sum(one.rule in matched.counts for one in results.rules)
        write_line(f"{count:,} of {len(results.rules):,} rules match some of {matched.records:,} records")
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


def _write_scores(scores: Sequence[Score], *, all_of_them: bool) -> None:
    """The survivors with the tests that would notice them, then the score of each rule that is not perfect."""
    weak = sorted((one for one in scores if one.survivors), key=lambda one: (one.score or 0, one.title))
    for one in weak if all_of_them else weak[:LISTED]:
        told = f"{one.killed} of {one.killed + len(one.survivors)} changes noticed"
        write_line(f"{one.score:.2f} {printable(one.title, 200)}: {told} ({printable(one.file, 400)})")
        for survivor in one.survivors if all_of_them else one.survivors[:_SURVIVORS]:
            for line in _survivor_lines(survivor):
                write_line(line)
        if not all_of_them and len(one.survivors) > _SURVIVORS:
            write_line(f"    ... and {len(one.survivors) - _SURVIVORS} more; --verbose lists all")
    if not all_of_them and len(weak) > LISTED:
        say(f"... and {len(weak) - LISTED} more rules with changes that no test notices; --verbose lists all")
    total = total_score(scores)
    killed, survived = sum(one.killed for one in scores), sum(len(one.survivors) for one in scores)
    equivalent, more = sum(one.equivalent for one in scores), sum(one.more for one in scores)
    write_line(
        f"mutation score {'-' if total is None else f'{total:.3f}'}: {killed:,} of {killed + survived:,} changes noticed, "
        f"{equivalent:,} without a difference left out"
        + (f", {more:,} beyond the limit not made" if more else "")
    )


def _survivor_lines(survivor: Survivor) -> Iterator[str]:
    mutant = survivor.mutant
    yield f"    {mutant.kind}: {printable(mutant.text, 300)}"
    where = "must_match" if survivor.expected else "must_not_match"
    changed = orjson.dumps(difference(survivor.nearest, survivor.record)).decode()
    yield f"      noticed by {where}, from a record of the tests: {printable(changed, 600)}"


def results_json(results: Results, scores: Sequence[Score] | None, matched: Fired | None) -> dict[str, Any]:
    """The results for machines."""
    mutation = (
        {}
        if scores is None
        else {"mutation": {"score": total_score(scores), "rules": [one.to_json() for one in scores]}}
    )
    told = {} if matched is None else {"data": {"records": matched.records, "fired": dict(matched.counts)}}
    return {
        **mutation,
        **told,
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


def evidence_of(results: Results, scores: Sequence[Score], matched: Fired | None) -> bytes:
    """What is proven of each rule, as the catalog reads it."""
    scored = {one.rule: one.score for one in scores}
    told = {
        one.rule: {
            "tests": one.tests,
            "passed": one.passed,
            "mutation_score": scored.get(one.rule),
            "fired": matched.counts.get(one.rule, 0) if matched else 0,
        }
        for one in results.rules
    }
    return orjson.dumps(told, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE)


def write_drafts(drafts: Sequence[Draft], output: OutputFormat) -> None:
    """What became of each file of tests."""
    if output is OutputFormat.JSON:
        print_json([_draft_json(one) for one in drafts])
        return
    written = [one for one in drafts if one.text]
    if written:
        rows = ((str(one.file), str(one.tests), _score_of(one)) for one in written)
        print_table("", ("written", "tests", "mutation score"), rows)
    for one in drafts:
        for title in one.not_made:
            write_line(
                f"not made: {printable(title, 200)}: no record was found that it matches, or it is a correlation"
            )
    kept = sum(one.kept for one in drafts)
    write_line(f"{len(written):,} files written, {kept:,} files of tests were there and stay as they are")


def _score_of(draft: Draft) -> str:
    total = total_score(draft.scores)
    return "-" if total is None else f"{total:.2f}"


def _draft_json(draft: Draft) -> dict[str, Any]:
    return {
        "file": str(draft.file),
        "written": bool(draft.text),
        "kept": draft.kept,
        "tests": draft.tests,
        "score": total_score(draft.scores),
        "not_made": list(draft.not_made),
    }


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
