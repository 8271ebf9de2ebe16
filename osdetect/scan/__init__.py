"""Judging a folder of CloudTrail files by Sigma rules, without a node: the same verdicts, the same alerts.

    find_files(paths, ...)      which files there are
    Workers(number)             the processes that read them
    scan(files, rules, ...)     judges them; what it found has a report, the first alerts, and all of them

Library only: nothing is printed here, and Ctrl-C is a question that is asked (`stop`).
"""

from osdetect.scan.files import ScanFiles, find_files, tasks
from osdetect.scan.plan import UNDATED, ScanRule
from osdetect.scan.report import RuleAlerts, ScanReport
from osdetect.scan.run import Found, ScanOptions, scan
from osdetect.scan.workers import ScanFailed, Workers

__all__ = [
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
