"""`osdetect explain`: what a rule means, what OpenSearch is given for it, and why an event matches or does not."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import msgspec
import orjson
import typer

from osdetect.cli.options import Output
from osdetect.cli.output import OutputFormat, print_error, print_json, print_refusals, write_line
from osdetect.cli.reading import Pipelines, Placeholders, read
from osdetect.cloudtrail.reader import Digest, read_file
from osdetect.cloudtrail.record import BadRecord
from osdetect.compiler import Compiled, compile_rule
from osdetect.errors import InputError, OsdetectError, RecordError
from osdetect.expr import evaluate, render, to_json
from osdetect.expr.explanation import Change, Step, explain, nearest_miss
from osdetect.schema.event_fields import EventFields
from osdetect.sigma import Rule, RuleSet
from osdetect.source import printable
from osdetect.vocabulary import ExitCode

_SHOWN = 12
"""Parts of a node that are shown one by one; the rest as a number."""
_VALUES = 3
"""Values of a field that are shown."""


def explain_(
    rule: Annotated[
        str, typer.Argument(help="A rule file, or the id of a rule that comes with osdetect.", metavar="RULE")
    ],
    event: Annotated[
        Path | None,
        typer.Argument(
            help="A file of CloudTrail records, in any layout that `load` takes.", metavar="[EVENT]"
        ),
    ] = None,
    pipeline: Pipelines = None,
    placeholders: Placeholders = None,
    output: Output = OutputFormat.TABLE,
) -> int:
    """Explain a rule: its tree, its queries, how the percolator takes it; with an event, why it matches or not.

    Without an event, every rule of the file is explained. With one, each test is shown with the values that it met,
    and where the rule does not match, the fewest tests that would have to come out otherwise; of a file of several
    records, those that match are explained, or else the one that came nearest.

    Examples: `osdetect explain rule.yml` · `osdetect explain rule.yml event.json`
    """
    rule_set, wanted = _rules(rule, placeholders, pipeline)
    fields = EventFields.shipped()
    records, bad = _records(event) if event else ((), ())
    told = [(one, compile_rule(one, fields), _judged(one, records) if event else ()) for one in wanted]
    if output is OutputFormat.JSON:
        print_json([_json(*one, asked=event is not None) for one in told])
    else:
        for one in told:
            _print(*one, records=len(records), asked=event is not None)
    print_refusals((*rule_set.refused, *bad), all_of_them=True)
    for warning in rule_set.warnings:
        print_error(warning, word="warning")
    return ExitCode.LOSS if rule_set.refused or bad else ExitCode.OK


def _rules(
    named: str, placeholders: Path | None, pipelines: list[str] | None
) -> tuple[RuleSet[Rule], Sequence[Rule]]:
    try:
        identity = str(UUID(named))
    except ValueError:
        rule_set = read([Path(named)], placeholders=placeholders, pipelines=pipelines)
        return rule_set, rule_set.rules
    own = read(None, placeholders=placeholders, pipelines=pipelines)
    found = [rule for rule in own.rules if rule.id == identity]
    if not found:
        raise InputError(
            f"no rule that comes with osdetect has the id {identity}",
            cure="name the file that holds the rule",
        )
    return own, found


Records = Sequence[tuple[int, Mapping[str, Any]]]
"""Number of a record in its file, and what it says."""


def _records(file: Path) -> tuple[Records, tuple[OsdetectError, ...]]:
    delivery = read_file(file)
    if isinstance(delivery, Digest):
        raise InputError(f"{file} is a digest file: it holds no records", cure="name a file of records")
    records = list(delivery.records())
    bad = tuple(
        RecordError(f"record {one.number} of {file} cannot be read", cause=one.reason)
        for one in records
        if isinstance(one, BadRecord)
    )
    good = [(one.number, one.content) for one in records if not isinstance(one, BadRecord)]
    if not good:
        raise InputError(f"there is no CloudTrail record in {file}", cure="name a file that holds a record")
    return good, bad


Judged = tuple[int, Step, tuple[Change, ...] | None]
"""Number of a record, its tree decided, and what keeps it from matching."""


def _judged(rule: Rule, records: Records) -> tuple[Judged, ...]:
    held = [(number, record) for number, record in records if evaluate(rule.tree, record)]
    if not held:
        misses = [(nearest_miss(rule.tree, record), number, record) for number, record in records]
        possible = [miss for miss in misses if miss[0] is not None]
        _, number, record = min(possible or misses, key=lambda miss: len(miss[0] or ()))
        held = [(number, record)]
    return tuple(
        (number, explain(rule.tree, record), nearest_miss(rule.tree, record)) for number, record in held
    )


def _json(rule: Rule, compiled: Compiled, judged: Sequence[Judged], *, asked: bool) -> dict[str, Any]:
    return {
        "id": rule.id,
        "title": rule.title,
        "level": rule.level.value,
        "file": str(rule.where),
        "text": render(rule.tree),
        "tree": to_json(rule.tree),
        "class": compiled.prefilter.word,
        "reason": compiled.prefilter.reason,
        "stored_query": compiled.source["query"],
        "decided_in_process": [render(test) for test in compiled.stored.tests],
        "search_query": compiled.source["search"],
        **(
            {
                "events": [
                    {
                        "record": number,
                        "match": step.held,
                        "step": msgspec.to_builtins(step),
                        "nearest": msgspec.to_builtins(changes),
                    }
                    for number, step, changes in judged
                ]
            }
            if asked
            else {}
        ),
    }


def _print(rule: Rule, compiled: Compiled, judged: Sequence[Judged], *, records: int, asked: bool) -> None:
    write_line(f"{printable(rule.title, 300)}  [{rule.level.value}]  {rule.id}")
    write_line(f"  {rule.where}")
    if not asked:
        for line in _lines_of(compiled):
            write_line(f"  {line}")
        return
    matches = sum(step.held for _, step, _ in judged)
    write_line(
        f"  {matches} of {records} records match" if records > 1 else f"  match: {'yes' if matches else 'no'}"
    )
    for number, step, changes in judged[:_SHOWN]:
        write_line("")
        if records > 1:
            write_line(f"  record {number}{'' if step.held else ' came nearest'}:")
        for line in _lines_of_step(step, 1):
            write_line(line)
        if not step.held:
            for line in _lines_of_changes(changes):
                write_line(f"  {line}")
    if len(judged) > _SHOWN:
        write_line(f"  ... and {len(judged) - _SHOWN} more records that match; --output json lists all")


def _lines_of(compiled: Compiled) -> Iterator[str]:
    yield f"means: {printable(render(compiled.stored.tree), 4_000)}"
    yield f"class: {compiled.prefilter.word}: {printable(compiled.prefilter.reason, 1_000)}"
    yield f"stored query: {_compact(compiled.source['query'])}"
    for test in compiled.stored.tests[:_SHOWN]:
        yield f"decided in process: {printable(render(test), 1_000)}"
    if len(compiled.stored.tests) > _SHOWN:
        yield f"... and {len(compiled.stored.tests) - _SHOWN} more decided in process; --output json lists all"
    yield f"search query: {_compact(compiled.source['search'])}"


def _compact(query: Mapping[str, Any]) -> str:
    return printable(orjson.dumps(query).decode(), 4_000)


def _lines_of_step(step: Step, depth: int) -> Iterator[str]:
    mark = "yes" if step.held else "no "
    indent = "  " * depth
    if step.kind == "test":
        yield f"{indent}{mark} {printable(step.text, 300)}{_met(step.values)}"
        return
    if step.kind == "not" and step.parts[0].kind == "test":
        (inner,) = step.parts
        yield f"{indent}{mark} not {printable(inner.text, 300)}{_met(inner.values)}"
        return
    yield f"{indent}{mark} {step.kind}"
    shown = step.parts if len(step.parts) <= _SHOWN else _telling(step)
    for part in shown:
        yield from _lines_of_step(part, depth + 1)
    if len(shown) < len(step.parts):
        yield f"{indent}    ... and {len(step.parts) - len(shown)} more that came out the same way"


def _telling(step: Step) -> tuple[Step, ...]:
    """The parts that decide a long node first, then others."""
    decisive = step.kind == "any of"
    return tuple(sorted(step.parts, key=lambda part: part.held is not decisive))[:_SHOWN]


def _met(values: tuple[str, ...] | None) -> str:
    if values is None:
        return "   (the event has no such field)"
    shown = ", ".join(printable(value, 100) for value in values[:_VALUES])
    more = f" and {len(values) - _VALUES} more" if len(values) > _VALUES else ""
    return f"   (it is {shown or 'empty'}{more})"


def _lines_of_changes(changes: tuple[Change, ...] | None) -> Iterator[str]:
    if changes is None:
        yield "no event can match this rule"
        return
    yield f"nearest: it would match if {'this' if len(changes) == 1 else f'these {len(changes)}'} came out otherwise:"
    for change in changes[:_SHOWN]:
        wish = "must hold" if change.must_hold else "must not hold"
        yield f"  {wish}: {printable(change.text, 300)}{_met(change.values)}"
    if len(changes) > _SHOWN:
        yield f"  ... and {len(changes) - _SHOWN} more"
