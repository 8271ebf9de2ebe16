"""A rule that pySigma has read, read again by us: its selections from its file, its condition as pySigma has it now."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from msgspec.structs import replace
from sigma.rule import SigmaRule

from osdetect.errors import RuleError
from osdetect.sigma.actions import with_actions
from osdetect.sigma.options import ReadOptions
from osdetect.sigma.reader import log_source_of, read_rule
from osdetect.sigma.rule import Rule
from osdetect.sigma.text_file import read_text
from osdetect.sigma.yaml_text import Document, documents
from osdetect.source import SourceText


def read_again(rule: SigmaRule, file: Path | None, options: ReadOptions) -> Rule:
    """The rule as our reader reads it.

    Args:
        rule: pySigma's rule; Sigma filters may have added selections and changed its conditions.
        file: where it was read from; None if nobody knows.
        options: how to read it.

    Raises:
        RuleError: it is refused.
    """
    document = next(_same(rule, file), None) if file is not None and file.is_file() else None
    if document is None:
        document = Document(SourceText(str(file or rule.title), ""), rule.to_dict(), {})
    else:
        document = replace(document, data={**document.data, "detection": _detection(rule, document.data)})
    read, _ = read_rule(document, log_source_of(document), options)
    return read


def _same(rule: SigmaRule, file: Path) -> Iterator[Document]:
    for one in with_actions(documents(read_text(file))):
        if isinstance(one, RuleError):
            continue
        document, _ = one
        data: Mapping[str, Any] = document.data
        same = str(data["id"]).lower() == str(rule.id) if "id" in data else data.get("title") == rule.title
        if same and isinstance(data.get("detection"), dict):
            yield document


def _detection(rule: SigmaRule, given: Mapping[str, Any]) -> dict[str, Any]:
    written = given["detection"]
    plain = rule.detection.to_dict()
    selections = {
        name: written.get(name, value)
        for name, value in plain.items()
        if name not in {"condition", "timeframe"}
    }
    kept = {"timeframe": written["timeframe"]} if "timeframe" in written else {}
    return {**selections, **kept, "condition": plain["condition"]}
