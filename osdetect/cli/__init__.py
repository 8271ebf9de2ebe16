"""The command line: one thin file for each command, and the only importer of typer.

`main` is the program; it turns every failure into a message and an exit status (docs/exit-codes.md).
"""

from osdetect.cli.main import main

__all__ = ["main"]
