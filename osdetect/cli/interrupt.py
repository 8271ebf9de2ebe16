"""Ctrl-C and SIGTERM of a command that does not listen for them: it ends where it stands, but not within an import.

An import that is broken off may swallow the interruption, or end as some other exception. So it is asked again when the import
has had time to end.
"""

import os
import signal
import threading
from types import FrameType

_IMPORT = "<frozen importlib._bootstrap>"
_AGAIN_S = 0.05
_MOST = 200
"""How often it is asked again: an import that waits for something does not hold a command for ever."""
_asked_again = 0


def end_where_it_stands() -> None:
    """From now on the two signals raise KeyboardInterrupt, behind the import that is under way."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupted)


def end_at_once() -> None:
    """Until then nothing was begun that would have to be ended."""
    signal.signal(signal.SIGINT, _gone)


def _gone(_number: int, _frame: FrameType | None) -> None:
    os.write(2, b"interrupted\n")
    os._exit(130)  # ExitCode.INTERRUPTED; the words of the project may not be read yet


def _interrupted(number: int, frame: FrameType | None) -> None:
    global _asked_again  # noqa: PLW0603  # a handler has no other memory
    if _imports(frame) and _asked_again < _MOST:
        _asked_again += 1
        again = threading.Timer(_AGAIN_S, os.kill, (os.getpid(), number))
        again.daemon = True
        again.start()
        return
    raise KeyboardInterrupt


def _imports(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_filename == _IMPORT:
            return True
        frame = frame.f_back
    return False
