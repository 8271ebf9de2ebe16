"""The program: commands put together, and what becomes of what they raise."""

import gc
import os
import signal
import sys
from typing import Annotated, NoReturn

import typer
from typer.exceptions import TyperException

from osdetect import __version__
from osdetect.cli import (
    alerts,
    backfill,
    bundle,
    catalog,
    check,
    compile,  # noqa: A004  # named as their commands
    config,
    coverage,
    deploy,
    destroy,
    detect,
    doctor,
    explain,
    hunt,
    load,
    node,
    notify,
    packs,
    plan,
    quickstart,
    releases,
    ruletest,
    scan,
    scenario,
    security,
    status,
    tuning,
)
from osdetect.cli.output import print_error
from osdetect.errors import OsdetectError, UsageError
from osdetect.settings import choose_profile
from osdetect.vocabulary import ExitCode

app = typer.Typer(
    name="osdetect",
    help="Sigma rules in, alerts out, on OpenSearch, for AWS CloudTrail.",
    epilog="Start with: osdetect quickstart. Exit codes: docs/exit-codes.md.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(quickstart.quickstart)
app.command()(check.check)
app.command(name="compile")(compile.compile_)
app.command(name="explain")(explain.explain_)
app.command(name="test")(ruletest.ruletest)
app.command()(plan.plan)
app.command()(deploy.deploy)
app.command()(releases.releases)
app.command()(releases.rollback)
app.command()(releases.drift)
app.command()(bundle.bundle)
app.command()(destroy.destroy)
app.command()(load.load)
app.command()(detect.detect)
app.add_typer(alerts.app, name="alerts")
app.command()(hunt.hunt)
app.command()(status.status)
app.command()(tuning.tuning)
app.command()(backfill.backfill)
app.command()(doctor.doctor)
app.add_typer(notify.app, name="notify")
app.add_typer(packs.app, name="packs")
app.add_typer(node.app, name="node")
app.add_typer(catalog.app, name="catalog")
app.command()(coverage.coverage)
app.add_typer(security.app, name="security")
app.add_typer(config.app, name="config")
app.command()(scan.scan)
app.command()(scenario.scenario)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"osdetect {__version__}")
        raise typer.Exit


@app.callback()
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


def _terminated(_signal: int, _frame: object) -> NoReturn:
    raise KeyboardInterrupt


def main() -> NoReturn:
    """Run the command line and exit with its status."""
    signal.signal(signal.SIGTERM, _terminated)
    # Events are plain trees without cycles: looking for garbage among them as often as Python does by default costs
    # about a sixth of a pass (benchmarks/README.md).
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    try:
        status = run()
        sys.stdout.flush()
    except BrokenPipeError:
        status = _reader_gone()
    except SystemExit as ended:  # what typer and rich make of a broken pipe: 1, which here would mean a loss
        status = _reader_gone() if ended.code == 1 else int(ended.code or 0)
    sys.exit(status)


def _reader_gone() -> int:
    """The reader of our output went away, as `head` does: the rest goes nowhere, and that is no failure."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return int(ExitCode.OK)


def run(arguments: list[str] | None = None) -> int:
    """Run one command and give its exit status; every failure is told on standard error."""
    try:
        status = typer.main.get_command(app).main(args=arguments, prog_name="osdetect", standalone_mode=False)
        return _interrupted() if status == ExitCode.INTERRUPTED else int(status or ExitCode.OK)
    except OsdetectError as error:
        print_error(error)
        return int(error.exit_code)
    except TyperException as error:
        return _usage(error)
    except (KeyboardInterrupt, typer.Abort):
        return _interrupted()
    except BrokenPipeError:
        raise
    except Exception as error:
        if os.environ.get("OSDETECT_DEBUG"):
            raise
        print_error(
            OsdetectError(
                "osdetect has a defect",
                cause=f"{type(error).__name__}: {error}",
                cure="run the command again with OSDETECT_DEBUG=1 and report what it prints",
            )
        )
        return int(ExitCode.INTERNAL)


def _interrupted() -> int:
    typer.echo("interrupted: what was done is kept; run the same command again to go on", err=True)
    return int(ExitCode.INTERRUPTED)


def _usage(error: TyperException) -> int:
    """A command line that cannot be read; one without any command has shown its help and has nothing to say."""
    said = error.format_message().rstrip(".")
    if said:
        print_error(UsageError(said, cure="osdetect --help, or --help behind a command"))
    return int(ExitCode.USAGE)
