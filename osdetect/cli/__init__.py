"""The command line: one thin file for each command, and the only importer of typer.

`main` is the program; it turns every failure into a message and an exit status (docs/exit-codes.md).
"""

import gc
import sys
from pathlib import Path

from osdetect.cli.interrupt import end_at_once

if Path(sys.argv[0]).name == "osdetect" or Path(sys.argv[0]) == Path(__file__).parent.parent / "__main__.py":
    # Events are plain trees without cycles, and so is what is made while code is read: looking for garbage among them as
    # often as Python does by default costs about a sixth of a pass (benchmarks/README.md).
    gc.set_threshold(50_000, 20, 50)
    end_at_once()  # this is the program, and not somebody who imports a part of it

from osdetect.cli.main import main  # reading it takes a while, in which Ctrl-C is answered already

__all__ = ["main"]
