"""Findings as SARIF 2.1.0 (OASIS, "Static Analysis Results Interchange Format"), as code scanning services take them.

The same findings give the same bytes: there is no time and no absolute path in it.
"""

import hashlib
from collections import Counter
from collections.abc import Mapping
from pathlib import PurePath, PurePosixPath
from typing import Any
from urllib.parse import quote

from osdetect.check.codes import CODES, Code
from osdetect.check.findings import Finding
from osdetect.check.run import Report

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_ROOT = "SRCROOT"


def sarif(report: Report, *, root: PurePath, version: str) -> dict[str, Any]:
    """The report as a SARIF log of one run.

    Args:
        report: what was found.
        root: the absolute folder that files are named relative to; a file outside it keeps its whole path.
        version: osdetect's own.
    """
    used = sorted({finding.code.id for finding in report.findings})
    places = {code: place for place, code in enumerate(used)}
    seen: Counter[str] = Counter()
    return {
        "$schema": _SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "osdetect",
                        "semanticVersion": version,
                        "rules": [_rule(CODES[code]) for code in used],
                    }
                },
                "originalUriBaseIds": {_ROOT: {"description": {"text": "The folder that the check ran in."}}},
                "columnKind": "unicodeCodePoints",
                "results": [_result(finding, places, root, seen) for finding in report.findings],
            }
        ],
    }


def _rule(code: Code) -> dict[str, Any]:
    return {
        "id": code.id,
        "name": code.name,
        "shortDescription": {"text": code.summary},
        "help": {"text": f"{code.summary} docs/check.md explains {code.id} with an example."},
        "defaultConfiguration": {"level": code.severity.value},
        "properties": {"tags": ["sigma"]},
    }


def _result(
    finding: Finding, places: Mapping[str, int], root: PurePath, seen: Counter[str]
) -> dict[str, Any]:
    location, uri = _location(finding, root)
    return {
        "ruleId": finding.code.id,
        "ruleIndex": places[finding.code.id],
        "level": finding.severity.value,
        "message": {"text": _message(finding)},
        "locations": [{"physicalLocation": location}],
        "partialFingerprints": {"osdetect/v1": _fingerprint(finding, uri, seen)},
    }


def _message(finding: Finding) -> str:
    sentences = (finding.what, finding.cause, f"Cure: {finding.cure}" if finding.cure else "")
    return " ".join(f"{one[:1].upper()}{one[1:]}." for one in sentences if one)


def _location(finding: Finding, root: PurePath) -> tuple[dict[str, Any], str]:
    where = finding.where
    file = root / where.file
    inside = file.is_relative_to(root) and ".." not in file.parts
    path = PurePosixPath(file.relative_to(root)) if inside else PurePosixPath(file)
    uri = quote(str(path)) if inside else f"file://{quote(str(path))}"
    artifact = {"uri": uri, "uriBaseId": _ROOT} if inside else {"uri": uri}
    region = {
        **({"startLine": where.line} if where.line else {}),
        **({"startColumn": where.column} if where.line and where.column else {}),
        **({"snippet": {"text": where.excerpt}} if where.line and where.excerpt else {}),
    }
    return {"artifactLocation": artifact, **({"region": region} if region else {})}, uri


def _fingerprint(finding: Finding, uri: str, seen: Counter[str]) -> str:
    """Stays when lines move: made of what was found and where in words, not of line numbers."""
    told = "\0".join((finding.code.id, finding.rule_id or uri, finding.what, finding.where.excerpt.strip()))
    digest = hashlib.sha256(told.encode(errors="replace")).hexdigest()[:32]
    seen[digest] += 1
    return f"{digest}:{seen[digest]}"
