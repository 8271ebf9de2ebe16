"""The program as it is run, and what becomes of what its commands raise."""

import gc
import os
import sys
from collections.abc import Callable
from typing import NoReturn

import typer
from typer.exceptions import TyperException

from osdetect.cli.commands import program
from osdetect.cli.interrupt import end_where_it_stands
from osdetect.cli.output import print_error
from osdetect.errors import OsdetectError, UsageError
from osdetect.vocabulary import ExitCode


def __getattr__(name: str) -> typer.Typer:
    """`app`, the program with all its commands: made for who asks for it."""
    if name == "app":
        return program()
    raise AttributeError(name)


def __dir__() -> list[str]:
    return [*globals(), "app"]  # there `typer ... utils docs` looks for it


def main() -> NoReturn:
    """Run the command line and exit with its status."""
    end_where_it_stands()
    try:
        status = run(ready=collect_from_here)
        sys.stdout.flush()
    except BrokenPipeError:
        status = _reader_gone()
    except SystemExit as ended:  # what typer and rich make of a broken pipe: 1, which here would mean a loss
        status = _reader_gone() if ended.code == 1 else int(ended.code or 0)
    gc.freeze()  # nobody has to look for garbage any more
    sys.exit(status)


def collect_from_here() -> None:
    """Leave alone what is there by now; look for garbage among the rest, more seldom than Python does by default.

    Events are plain trees without cycles: to look for garbage among them that often costs about a sixth of a pass (benchmarks/README.md).
    """
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    gc.enable()


def _reader_gone() -> int:
    """The reader of our output went away, as `head` does: the rest goes nowhere, and that is no failure."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return int(ExitCode.OK)


def run(arguments: list[str] | None = None, *, ready: Callable[[], object] = bool) -> int:
    """Run one command and give its exit status; every failure is told on standard error.

    Args:
        arguments: the command line; None: the process's.
        ready: called when the command's code has been read.
    """
    given = sys.argv[1:] if arguments is None else arguments
    try:
        command = typer.main.get_command(program(given))
        ready()
        status = command.main(args=given, prog_name="osdetect", standalone_mode=False)
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
