"""Reading the rules that a command names: any log source, with placeholders and pipelines."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer

from osdetect.resources import folder
from osdetect.sigma import ReadOptions, Rule, RuleSet, read_rules
from osdetect.sigma.options import NO_PLACEHOLDERS

Placeholders = Annotated[
    Path | None,
    typer.Option(help="YAML file of what %placeholders% stand for: name: [value, ...]", metavar="FILE"),
]
Pipelines = Annotated[
    list[str] | None,
    typer.Option(
        "--pipeline",
        help="Processing pipeline: a name that comes with osdetect, an installed one's, or a file; repeatable.",
        metavar="NAME|FILE",
    ),
]


def read(
    rules: Sequence[Path] | None,
    *,
    placeholders: Path | None,
    pipelines: Sequence[str] | None,
    on_progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> RuleSet[Rule]:
    """The rules in the files and folders; the project's own rules when none are named.

    Raises:
        InputError: a file does not exist.
        UsageError: a pipeline cannot be used.
    """
    return read_rules(rules or [folder("rules")], options_of(placeholders, pipelines), on_progress)


def options_of(placeholders: Path | None, pipelines: Sequence[str] | None) -> ReadOptions:
    """How rules are read, by the options of the command line.

    Raises:
        InputError: a file does not exist.
        UsageError: a pipeline cannot be used.
    """
    from osdetect.sigma.pipelines import load_pipelines  # noqa: PLC0415  # brings pySigma in, for half a second

    return ReadOptions(
        every_log_source=True,
        placeholders=placeholder_values(placeholders),
        pipeline=load_pipelines(pipelines) if pipelines else None,
    )


def placeholder_values(file: Path | None) -> Mapping[str, tuple[str, ...]]:
    """What placeholders stand for by the option `--placeholders`.

    Raises:
        InputError: the file does not exist.
        RuleError: it is no file of placeholders.
    """
    if file is None:
        return NO_PLACEHOLDERS
    from osdetect.sigma.placeholders import read_placeholders  # noqa: PLC0415  # YAML takes a while to import

    return read_placeholders(file)
