"""The commands, and the program that is made of them: of all, or of the one that is asked for.

Reading the code of every command takes longer than many commands take; a command line that names a command reads that one's alone.
"""

import importlib
from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
import typer

from osdetect import __version__
from osdetect.settings import choose_profile


class Command(msgspec.Struct, frozen=True):
    """Where a command's code is."""

    name: str
    module: str
    function: str = ""
    """Empty: the module has commands of its own, in `app`."""


COMMANDS = (
    Command("quickstart", "quickstart", "quickstart"),
    Command("check", "check", "check"),
    Command("compile", "compile", "compile_"),
    Command("explain", "explain", "explain_"),
    Command("test", "ruletest", "ruletest"),
    Command("plan", "plan", "plan"),
    Command("deploy", "deploy", "deploy"),
    Command("releases", "releases", "releases"),
    Command("rollback", "releases", "rollback"),
    Command("drift", "releases", "drift"),
    Command("bundle", "bundle", "bundle"),
    Command("destroy", "destroy", "destroy"),
    Command("load", "load", "load"),
    Command("detect", "detect", "detect"),
    Command("alerts", "alerts"),
    Command("hunt", "hunt", "hunt"),
    Command("status", "status", "status"),
    Command("tuning", "tuning", "tuning"),
    Command("backfill", "backfill", "backfill"),
    Command("doctor", "doctor", "doctor"),
    Command("notify", "notify"),
    Command("packs", "packs"),
    Command("node", "node"),
    Command("catalog", "catalog"),
    Command("coverage", "coverage", "coverage"),
    Command("security", "security"),
    Command("config", "config"),
    Command("scan", "scan", "scan"),
    Command("scenario", "scenario", "scenario"),
)
"""In the order of the help."""


def program(asked: Sequence[str] = ()) -> typer.Typer:
    """The program.

    Args:
        asked: the command line. If it names a command, the program has that command alone; if it is `--version`, none.
    """
    app = typer.Typer(
        name="osdetect",
        help="Sigma rules in, alerts out, on OpenSearch, for AWS CloudTrail.",
        epilog="Start with: osdetect quickstart. Exit codes: docs/exit-codes.md.",
        no_args_is_help=True,
        rich_markup_mode="markdown",
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_options)
    for one in _needed(asked):
        module: Any = importlib.import_module(f"osdetect.cli.{one.module}")
        if one.function:
            app.command(name=one.name)(getattr(module, one.function))
        else:
            app.add_typer(module.app, name=one.name)
    return app


def _needed(asked: Sequence[str]) -> Sequence[Command]:
    """The commands without which the command line cannot be understood.

    >>> [one.name for one in _needed(["--profile", "test", "scan", "check"])]
    ['scan']
    >>> _needed(["--version"]), len(_needed(["--help"])) == len(COMMANDS)
    ((), True)
    """
    rest = list(asked)
    while rest and rest[0].startswith("--profile"):
        del rest[: 2 if rest[0] == "--profile" else 1]
    if rest[:1] == ["--version"]:
        return ()
    return [command for command in COMMANDS if rest[:1] == [command.name]] or COMMANDS


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"osdetect {__version__}")
        raise typer.Exit


def _options(
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and exit."),
    ] = False,
    profile: Annotated[
        str,
        typer.Option("--profile", help="Settings of this name. [$OSDETECT_PROFILE]", metavar="NAME"),
    ] = "",
) -> None:
    if profile:
        choose_profile(profile)
