"""Where each page of the site stands. Names that come from rules become names that any file system and URL can hold."""

import hashlib
import re

from osdetect.expr.values import fold_case

INDEX = "index"
MATRIX = "matrix"
CALLS = "calls"
TECHNIQUES = "techniques"
COVERAGE = "coverage"
ABOUT = "about"

_SAFE = re.compile(r"[a-z0-9][a-z0-9_-]{0,79}")
_TAKEN = re.compile(r"con|prn|aux|nul|(com|lpt)[0-9]")
"""Names that Windows gives to devices, with any ending."""
_UNSAFE = re.compile(r"[^a-z0-9_-]+")


def rule_page(identity: str) -> str:
    """The page of a rule; its id is a UUID."""
    return f"rules/{identity}"


def technique_page(identity: str) -> str:
    """The page of a technique, whose id is one that ATT&CK has or had."""
    return f"techniques/{identity}"


def call_page(platform: str, call: str) -> str:
    """The page of a platform's API call or operation.

    >>> call_page("aws", "CreateApiKey"), call_page("azure", "../Add member")
    ('calls/aws/createapikey', 'calls/azure/add-member-439715a67c')
    """
    return f"calls/{file_name(platform or 'any')}/{file_name(call)}"


def file_name(text: str) -> str:
    """A name for files: the text in lower case if it can be one, else what can be of it and a digest."""
    folded = fold_case(text)
    if _SAFE.fullmatch(folded) and not _TAKEN.fullmatch(folded):
        return folded
    digest = hashlib.sha256(folded.encode(errors="backslashreplace")).hexdigest()[:10]
    return f"{_UNSAFE.sub('-', folded).strip('-')[:60]}-{digest}".lstrip("-")
