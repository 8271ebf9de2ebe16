"""The command line: one thin file for each command, and the only importer of typer.

`main` is the program; it turns every failure into a message and an exit status (docs/exit-codes.md).
"""

import sys

from osdetect.vocabulary import ExitCode

try:
    from osdetect.cli.main import main
except KeyboardInterrupt:  # while the program is still being read: nothing was begun
    sys.stderr.write("interrupted\n")
    sys.exit(ExitCode.INTERRUPTED)

__all__ = ["main"]
