"""Small rules for the tests of checks, and what a check says of them."""

from collections.abc import Sequence
from pathlib import Path

from osdetect.check import Finding, Report, check
from osdetect.sigma import read_rules
from osdetect.sigma.check_documents import rule_documents
from osdetect.sigma.options import ReadOptions

WORDS = """\
description: What it is about.
status: test
level: high
author: somebody
date: 2024-05-01
references: [https://example.com/a]
falsepositives: [none known]
tags: [attack.persistence]
"""


def rule(detection: str, *, number: int = 1, words: str = WORDS, logsource: str = "") -> str:
    """A complete rule for CloudTrail with this detection, which stands on lines of its own."""
    return (
        f"title: Rule {number}\nid: 6f0e3f0c-0000-4000-8000-{number:012}\n{words}"
        f"logsource: {logsource or '{product: aws, service: cloudtrail}'}\n"
        f"detection:\n{detection}\n"
    )


def selection(fields: str, number: int = 1) -> str:
    """A rule with one selection of these fields, one a line."""
    lines = "".join(f"        {line}\n" for line in fields.splitlines())
    return rule(f"    selection:\n{lines}    condition: selection", number=number)


def check_paths(paths: Sequence[Path], ignore: Sequence[str] = ()) -> Report:
    """What the command does, without its output."""
    return check(read_rules(paths, ReadOptions(every_log_source=True)), rule_documents(paths), ignore=ignore)


def found(folder: Path, *texts: str, ignore: Sequence[str] = ()) -> tuple[Finding, ...]:
    """What is found in files with these texts."""
    for number, text in enumerate(texts):
        (folder / f"{number}.yml").write_text(text, encoding="utf-8")
    return check_paths([folder], ignore).findings


def codes(findings: Sequence[Finding]) -> list[str]:
    """The codes of the findings, in their order."""
    return [finding.code.id for finding in findings]
