"""Ctrl-C at bad moments: in an import, and while the program is still being read."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from osdetect.vocabulary import ExitCode

SLOW = """
import os, signal, time
os.kill(os.getpid(), signal.{name})
time.sleep(0.3)
whole = True
"""
PROGRAM = """
import sys, time
from osdetect.cli.interrupt import end_where_it_stands
end_where_it_stands()
try:
    import slow
    time.sleep(10)
except KeyboardInterrupt:
    print(sys.modules["slow"].whole)
"""


def test_an_import_comes_to_its_end_before_the_interruption(tmp_path: Path) -> None:
    for name in ("SIGINT", "SIGTERM"):
        (tmp_path / "slow.py").write_text(SLOW.format(name=name))
        begun = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-B", "-c", PROGRAM],
            env={**os.environ, "PYTHONPATH": str(tmp_path)},
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert (done.stdout, done.stderr) == ("True\n", "")
        assert time.monotonic() - begun < 8


def test_the_program_ends_without_a_traceback_whenever_it_is_interrupted() -> None:
    program = Path(sys.executable).with_name("osdetect")
    for after_ms in range(0, 1_000, 90):
        process = subprocess.Popen(
            [program, "config", "show"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        time.sleep(after_ms / 1_000)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)
        if process.returncode == -signal.SIGINT:
            continue  # the interpreter itself was still starting: no line of ours was read
        assert process.returncode in (ExitCode.OK, ExitCode.INTERRUPTED), said
        assert "Traceback" not in said, said
