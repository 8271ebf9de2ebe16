"""All checks over all documents, and what they found."""

from collections.abc import Callable, Iterable, Iterator

import msgspec

from osdetect.check.codes import CODES, Severity
from osdetect.check.events import events
from osdetect.check.fields import fields, values
from osdetect.check.filters import narrowing_filter
from osdetect.check.findings import Finding, Subject
from osdetect.check.logic import canonical, contradictions
from osdetect.check.selections import habits, repeated_values, unused_selections
from osdetect.check.specification import specification
from osdetect.check.words import attack_tags, missing_words
from osdetect.errors import RuleError, UsageError, Where
from osdetect.sigma import Rule, RuleSet
from osdetect.sigma.yaml_text import Document

Check = Callable[[Subject], Iterator[Finding]]
CHECKS: tuple[Check, ...] = (
    specification,
    fields,
    values,
    events,
    contradictions,
    unused_selections,
    repeated_values,
    habits,
    narrowing_filter,
    missing_words,
    attack_tags,
)
"""Each looks at one document. A new check is a function, a line here, and its codes in `codes.py`."""


class Report(msgspec.Struct, frozen=True):
    """What was found."""

    findings: tuple[Finding, ...]
    """By file, line, column and code."""
    files: int
    documents: int
    rules: int
    """Rules that osdetect can use."""
    ignored: int
    """Findings that the command line or a rule switched off."""

    def count(self, severity: Severity) -> int:
        """How many findings are of this severity."""
        return sum(finding.severity is severity for finding in self.findings)

    def reaches(self, threshold: Severity) -> bool:
        """Whether a finding is as grave as the threshold, or graver."""
        return any(finding.severity.rank >= threshold.rank for finding in self.findings)


def check(read: RuleSet[Rule], documents: Iterable[Document], *, ignore: Iterable[str] = ()) -> Report:
    """Look at every document, and at the rules that they became.

    A document switches codes off for itself by a custom attribute: `osdetect: {ignore: [OSD306]}`.

    Args:
        read: what `read_rules` made of the files.
        documents: the same files' documents (`rule_documents`).
        ignore: codes that are not told.

    Raises:
        UsageError: `ignore` names a code that there is not.
    """
    off = _codes(ignore)
    rules = {_line(rule.where): rule for rule in read.rules}
    told = [
        *(_told(error, "OSD001") for error in read.refused),
        *(_told(error, "OSD002") for error in read.warnings),
    ]
    lines = frozenset(_line(finding.where) for finding in told)
    subjects = [Subject.of(document, rules.get(_beginning(document))) for document in documents]
    looked = [(subject, finding) for subject in subjects for finding in _look(subject, lines)]
    looked += _same_meaning(subjects)
    found = dict.fromkeys((*told, *(finding for _, finding in looked)))
    silent = {finding for subject, finding in looked if finding.code.id in _own(subject)}
    kept = [finding for finding in found if finding.code.id not in off and finding not in silent]
    return Report(
        findings=tuple(sorted(kept, key=_order)),
        files=read.files,
        documents=len(subjects),
        rules=len(read.rules),
        ignored=len(found) - len(kept),
    )


def _look(subject: Subject, told: frozenset[tuple[str, int]]) -> Iterator[Finding]:
    """What the checks find, without warnings of form in lines that the reader spoke of."""
    for look in CHECKS:
        for finding in look(subject):
            of_form = finding.code.id.startswith("OSD1") and finding.severity is Severity.WARNING
            if not (of_form and _line(finding.where) in told):
                yield finding


def _codes(names: Iterable[str]) -> frozenset[str]:
    codes = frozenset(name.upper() for name in names)
    for unknown in sorted(codes - CODES.keys()):
        raise UsageError(
            f"there is no code {unknown}", cure=f"docs/check.md lists them: {min(CODES)} to {max(CODES)}"
        )
    return codes


def _order(finding: Finding) -> tuple[str, int, int, str, str]:
    where = finding.where
    return where.file, where.line, where.column, finding.code.id, finding.what


def _line(where: Where) -> tuple[str, int]:
    return where.file, where.line


def _beginning(document: Document) -> tuple[str, int]:
    return document.source.name, document.positions.get((), (0, 0))[0]


def _told(error: RuleError, code: str) -> Finding:
    return Finding(CODES[code], error.what, error.cause, error.cure, error.where or Where(""))


def _own(subject: Subject) -> frozenset[str]:
    """The codes that a document switches off for itself."""
    given = subject.data.get("osdetect")
    named = given.get("ignore") if isinstance(given, dict) else None
    return frozenset(str(code).upper() for code in (named if isinstance(named, list) else [named]) if code)


def _same_meaning(subjects: Iterable[Subject]) -> Iterator[tuple[Subject, Finding]]:
    """Rules that match what an earlier one matches; parts of correlations are meant to."""
    listed = list(subjects)
    parts = {name for subject in listed for name in _references(subject)}
    first: dict[bytes, Rule] = {}
    for subject in listed:
        rule = subject.rule
        if rule is None or not parts.isdisjoint((rule.id, rule.name, rule.title)):
            continue
        source = rule.logsource
        words = f"{source.category}\0{source.product}\0{source.service}\0".encode()
        other = first.setdefault(words + canonical(rule.tree), rule)
        if other is not rule:
            yield (
                subject,
                subject.finding(
                    "OSD305",
                    f"this rule matches the same events as {other.title[:100]!r}",
                    at=("detection",),
                    cause=f"their detections have the same meaning: {other.where}",
                    cure="leave one of them out, or mend the one that was copied",
                ),
            )


def _references(subject: Subject) -> Iterator[str]:
    """What a correlation calls its rules."""
    given = subject.data.get("correlation")
    named = given.get("rules") if isinstance(given, dict) else None
    yield from (str(one) for one in (named if isinstance(named, list) else [named]) if one)
