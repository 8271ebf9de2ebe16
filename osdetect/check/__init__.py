"""`osdetect check`: what is wrong with rules before they are deployed.

Each check is a function from a document (with the rule that it became) to findings; `run` puts them together.
Findings have a code that never changes its meaning (`codes`), and stand at the very key or item.
"""

from osdetect.check.codes import CODES, Code, Severity
from osdetect.check.findings import Finding
from osdetect.check.run import Report, check

__all__ = ["CODES", "Code", "Finding", "Report", "Severity", "check"]
