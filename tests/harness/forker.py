"""Starts workers without paying for their imports: a process that has imported osdetect forks, and the child is `osdetect`.

    python -m tests.harness.forker VARIANT        VARIANT: empty, or a wrong one (`tests.harness.variants`)

Reads lines `{"log": FILE, "narrow": BOOL, "arguments": [...]}` and answers `{"started": PID}`; says `{"ended": PID, "status": N}` of
each that ended.
"""

import importlib
import json
import os
import selectors
import sys
from typing import Any

from osdetect.cli import main
from osdetect.detect import flood
from tests.harness.variants import VARIANTS


def _import_what_is_imported_late() -> None:
    import opensearchpy  # noqa: F401, PLC0415
    import re2  # noqa: F401, PLC0415

    import osdetect.detect.run  # noqa: F401, PLC0415
    from osdetect.cli.commands import program  # noqa: PLC0415

    program()  # every command


def _say(**words: object) -> None:
    sys.stdout.write(json.dumps(words) + "\n")
    sys.stdout.flush()


def _start(log: str, arguments: list[str], *, narrow: bool) -> int:
    pid = os.fork()
    if pid:
        return pid
    if narrow:
        pages: Any = importlib.import_module("osdetect.follow.pages")
        pages.FIRST_PAGE = pages.LARGEST_PAGE = pages.SMALLEST_PAGE = 8
        flood.FEWEST, flood.MOST = 4, 7
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    sys.argv = ["osdetect", *arguments]
    try:
        main()
    except SystemExit as ended:
        os._exit(int(ended.code or 0))
    except BaseException:  # noqa: BLE001
        os._exit(99)
    os._exit(98)


def _reap() -> None:
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not pid:
            return
        _say(ended=pid, status=os.waitstatus_to_exitcode(status))


def serve() -> None:
    """Until standard input ends."""
    _import_what_is_imported_late()
    VARIANTS[sys.argv[1]]()
    waiting = selectors.DefaultSelector()
    waiting.register(0, selectors.EVENT_READ)
    rest = b""
    while True:
        if waiting.select(0.05):
            read = os.read(0, 65536)
            if not read:
                return
            *lines, rest = (rest + read).split(b"\n")
            for line in lines:
                wanted = json.loads(line)
                _say(started=_start(wanted["log"], wanted["arguments"], narrow=wanted["narrow"]))
        _reap()


if __name__ == "__main__":
    serve()
