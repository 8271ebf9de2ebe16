"""Reads and compiles rule files in a process of its own; says for each what came of it, how long it took, how much memory.

Usage: python judge.py PATH... writes one line of JSON for each.
"""

import gc
import json
import sys
import time
import traceback
from pathlib import Path
from typing import Any

from osdetect.compiler import compile_rule
from osdetect.errors import OsdetectError
from osdetect.schema.event_fields import EventFields
from osdetect.sigma import ReadOptions, read_rules

FIELDS = EventFields.shipped()


def judge(path: Path) -> dict[str, Any]:
    """What came of the rule file or folder."""
    started = time.process_time()
    found: dict[str, Any] = {"name": path.stem, "rules": 0, "refused": [], "crash": ""}
    try:
        read = read_rules([path], ReadOptions(every_log_source=True))
        found["rules"] = len([compile_rule(rule, FIELDS) for rule in read.rules])
        found["refused"] = [_said(one) for one in read.refused]
    except OsdetectError as error:
        found["refused"] = [_said(error)]
    except BaseException:  # noqa: BLE001  # whatever it is, the test shall show it
        found["crash"] = traceback.format_exc()[-2_000:]
    found["seconds"] = time.process_time() - started
    found["peak"] = _peak()
    return found


def _peak() -> int:
    """Bytes that this program held at most; `ru_maxrss` would count what the process held before it became this one."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) << 10


def _said(error: OsdetectError) -> dict[str, Any]:
    where = error.where
    place = [where.line, where.column] if where else []
    return {"what": error.what, "text": str(error), "cure": error.cure, "place": place}


if __name__ == "__main__":
    gc.set_threshold(50_000, 20, 50)  # as the program does (osdetect.cli.main)
    judge(Path(__file__).with_name("absent"))  # imports what is imported at the first use
    for argument in sys.argv[1:]:
        print(json.dumps(judge(Path(argument))), flush=True)  # noqa: T201  # that is what it is for
