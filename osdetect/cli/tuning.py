"""`osdetect tuning`, and the settings file that `osdetect deploy --tuning` takes."""

import tomllib
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from osdetect.cli.connect import connect
from osdetect.cli.options import NAMESPACE, CaCerts, Insecure, Namespace, Output, Url
from osdetect.cli.output import OutputFormat, print_json, print_refusals, print_table, write_line
from osdetect.compiler.compiled_file import CompiledRule
from osdetect.deploy.expired import expired_exceptions
from osdetect.deploy.releases import Deployable
from osdetect.detect.tuned import Tuned, tuned_rules
from osdetect.documents.event import check_namespace
from osdetect.errors import UsageError, Where
from osdetect.sigma.options import Pipeline
from osdetect.sigma.tuning_reader import not_placed, placed
from osdetect.tuning import Tuning, settings
from osdetect.vocabulary import ExitCode

TuningFile = Annotated[
    Path | None,
    typer.Option(
        "--tuning",
        help="TOML file that says of rules, by id or title, which mode they have and what is suppressed (docs/tuning.md).",
    ),
]


def tuning(
    namespace: Namespace = NAMESPACE,
    url: Url = None,
    ca_certs: CaCerts = None,
    insecure: Insecure = False,
    output: Output = OutputFormat.TABLE,
) -> int:
    """Show how deployed rules are tuned, and what that withheld: modes, suppression, exceptions with their hits.

    Examples: `osdetect tuning` · `osdetect tuning --output json`
    """
    with connect(url, ca_certs=ca_certs, insecure=insecure) as cluster:
        found = tuned_rules(cluster, check_namespace(namespace))
    today = datetime.now(UTC).date()
    if output is OutputFormat.JSON:
        print_json({"tuned": [one.to_json(today) for one in found]})
    elif not found:
        write_line("no deployed rule is tuned")
    else:
        header = ("rule", "what", "hits", "first", "last", "owner", "expires", "reason")
        print_table("", header, [_row(one, today) for one in found])
    return ExitCode.OK


def _row(one: Tuned, today: date) -> tuple[str, ...]:
    expires = ""
    if one.exception is not None:
        day = one.exception.expires
        expires = f"{day} (expired)" if day <= today else str(day)
    owner, reason = (one.exception.owner, one.exception.reason) if one.exception else ("", "")
    return (one.title, one.what, f"{one.hits:,}", one.first, one.last, owner, expires, reason)


def tuned(
    compiled: Sequence[CompiledRule], file: Path | None, pipeline: Pipeline | None = None
) -> tuple[CompiledRule, ...]:
    """The rules with what a settings file says of them: what it says wins over what they say themselves, the rest stays.

    Args:
        compiled: the rules.
        file: the settings file; None: there is none.
        pipeline: what put the rules into the events' names; None for raw records.

    Raises:
        UsageError: the file cannot be read, says what cannot be used, names no rule, or a field for alerts that the events lack.
    """
    if file is None:
        return tuple(compiled)
    said = _read(file)
    found: set[str] = set()
    rules: list[CompiledRule] = []
    for rule in compiled:
        name = rule.id if rule.id in said else rule.title
        if name in said:
            found.add(name)
            now = settings(said[name], rule.tuning)
            if pipeline is not None and "suppress" in said[name]:
                now = _placed(now, pipeline, file, name)
            rules.append(rule.with_tuning(now))
        else:
            rules.append(rule)
    unknown = sorted(said.keys() - found)
    if unknown:
        raise UsageError(
            f"no rule has the id or title {unknown[0][:100]!r}",
            cure="take it out of the file, or deploy the rule as well",
            where=_where(file, unknown[0]),
        )
    return tuple(rules)


def _placed(tuning: Tuning, pipeline: Pipeline, file: Path, name: str) -> Tuning:
    found = placed(tuning, pipeline)
    error = not_placed(found, pipeline.names, _where(file, name))
    if error is not None:
        raise UsageError(error.what, cause=error.cause, cure=error.cure, where=error.where)
    return found


def _read(file: Path) -> dict[str, Any]:
    """What the file says of each rule; `settings` takes it."""
    try:
        data = tomllib.loads(file.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{file} cannot be read", cause=str(error)) from None
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{file} is not TOML", cause=str(error)) from None
    except RecursionError:
        raise UsageError(f"{file} cannot be read", cause="it is nested too deeply") from None
    rules = data.get("rules")
    if not isinstance(rules, dict) or set(data) != {"rules"}:
        raise UsageError(
            f"{file} has no table of rules",
            cure='write [rules."TITLE OR ID"] and below it mode = "shadow" or suppress = {window = "1h"}',
        )
    for name, given in rules.items():
        try:
            settings(given)
        except ValueError as error:
            raise UsageError(
                f"the settings of {name[:100]!r} cannot be used", cause=str(error), where=_where(file, name)
            ) from None
    return rules


def _where(file: Path, name: str) -> Where:
    """The line on which the file first names it."""
    lines = file.read_text("utf-8").splitlines()
    at = next((number for number, line in enumerate(lines, 1) if name in line), 1)
    text = lines[at - 1] if lines else ""
    return Where(str(file), at, max(1, text.find(name) + 1), text)


def require_unexpired(rules: Sequence[Deployable]) -> None:
    """Refuse to deploy exceptions that do not apply any more: their alerts come back, and somebody should know before.

    Raises:
        UsageError: an exception has expired; nothing was deployed.
        RuleError: a rule is not what was compiled.
    """
    documents = ((rule.id, rule.document) for rule in rules)
    expired = expired_exceptions(documents, datetime.now(UTC).date())
    if not expired:
        return
    told = (
        UsageError(
            one.told,
            cause=f"it is for {one.rule!r}: {one.exception.reason}",
            cure="give it a later day if it is still right, or take it out",
        )
        for one in expired
    )
    print_refusals(tuple(told), all_of_them=True)
    raise UsageError("nothing was deployed", cause=f"{len(expired)} exceptions have expired")
