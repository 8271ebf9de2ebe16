"""The command line: one thin file for each command, and the only importer of typer.

`main` is the program; it turns every failure into a message and an exit status (docs/exit-codes.md).
"""

import gc
import sys
from pathlib import Path

from osdetect.cli.interrupt import end_at_once

if Path(sys.argv[0]).name == "osdetect" or Path(sys.argv[0]) == Path(__file__).parent.parent / "__main__.py":
    gc.disable()  # what is made while code is read stays: `main` begins to look for garbage behind that
    end_at_once()  # this is the program, and not somebody who imports a part of it

from osdetect.cli.main import main  # reading it takes a while, in which Ctrl-C is answered already

__all__ = ["main"]
