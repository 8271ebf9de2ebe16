"""Judging a folder of CloudTrail files by Sigma rules, without a node: the same verdicts, the same alerts.

    find_files(paths, ...)      which files there are
    Workers(number)             the processes that read them
    scan(files, rules, ...)     judges them; what it found has a report, the first alerts, and all of them
    READER_MISSING              why records are read without compiled code; empty if they are not

Library only: nothing is printed here, and Ctrl-C is a question that is asked (`stop`).
"""

from osdetect.expr.engine.native import MISSING as READER_MISSING
from osdetect.scan.files import ScanFiles, find_files, tasks
from osdetect.scan.plan import UNDATED, ScanRule
from osdetect.scan.report import RuleAlerts, ScanReport
from osdetect.scan.run import Found, ScanOptions, scan
from osdetect.scan.workers import ScanFailed, Workers

__all__ = [
    "READER_MISSING",
    "UNDATED",
    "Found",
    "RuleAlerts",
    "ScanFailed",
    "ScanFiles",
    "ScanOptions",
    "ScanReport",
    "ScanRule",
    "Workers",
    "find_files",
    "scan",
    "tasks",
]
