"""What the public rules come to: counted here, kept in `rules.json`, told in docs/public-rules.md."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from osdetect.compiler import Compiled, compile_rule
from osdetect.errors import RuleError
from osdetect.schema.event_fields import EventFields
from osdetect.sigma import ReadOptions, Rule, RuleSet
from osdetect.sigma.files import read_file
from osdetect.sigma.gather import FileResult, gather
from osdetect.sigma.listing import list_files
from osdetect.sigma.text_file import read_text

SETS = (
    "sigmahq/rules",
    "sigmahq/rules-compliance",
    "sigmahq/rules-emerging-threats",
    "sigmahq/rules-placeholder",
    "sigmahq/rules-threat-hunting",
    "sigmahq/deprecated",
    "sigmahq/unsupported",
    "suzaku",
    "mdecrevoisier",
)
TOGETHER = "all together"
_NAMES = re.compile(r"'[^']*'|%\S+%|\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")
_KINDS: Mapping[str, str] = {
    "Sigma tag must start": "a tag without a namespace",
    "is not a valid Sigma rule status": "a status that Sigma does not know",
}
"""What pySigma says, by kind: a person judges the kinds."""

Files = tuple[tuple[Path, FileResult[Rule]], ...]


def read(folder: Path, options: ReadOptions) -> Files:
    """Every rule file of the folder with what it holds."""
    files, unreadable = list_files([folder])
    assert unreadable == ()
    return tuple((file.relative_to(folder), read_file(read_text(file), options)) for file in files)


def in_set(files: Files, name: str) -> tuple[FileResult[Rule], ...]:
    """The files of one of the sets."""
    return tuple(result for file, result in files if file.is_relative_to(name))


def together(files: Files) -> RuleSet[Rule]:
    """All the files as one rule set."""
    return gather((result for _, result in files), files=len(files))


def reason(refusal: RuleError) -> str:
    """Why a rule is refused, without the names that differ from rule to rule."""
    if refusal.what == "this is not a Sigma rule":
        (kind,) = {kind for words, kind in _KINDS.items() if words in refusal.cause}
        return kind
    return _NAMES.sub("...", refusal.what)


class Counts(msgspec.Struct, frozen=True):
    """A row of the table."""

    files: int
    rules: int
    correlations: int
    other_sources: int
    indexed: int
    token: int
    every_event: int
    refused: Mapping[str, int]

    def to_json(self) -> dict[str, Any]:
        """As kept in `rules.json`."""
        return {name: getattr(self, name) for name in self.__struct_fields__}


def counted(results: Iterable[FileResult[Rule]], kinds: Mapping[str, str]) -> Counts:
    """What the files come to as one set.

    Args:
        results: the files.
        kinds: by a rule's hash how the percolator pre-filters it.
    """
    each = tuple(results)
    found = gather(each, files=len(each))
    kind = Counter(kinds[rule.hash()] for rule in found.rules)
    return Counts(
        files=found.files,
        rules=len(found.rules),
        correlations=len(found.correlations),
        other_sources=found.other_sources,
        indexed=kind["indexed"],
        token=kind["token"],
        every_event=kind["every event"],
        refused=dict(sorted(Counter(map(reason, found.refused)).items())),
    )


def compiled(files: Files) -> dict[str, Compiled]:
    """Every rule that was read, compiled, by its hash; of equal ones, one."""
    fields = EventFields.shipped()
    rules = {rule.hash(): rule for _, result in files for rule in result.rules}
    return {digest: compile_rule(rule, fields) for digest, rule in rules.items()}


def table(files: Files, made: Mapping[str, Compiled]) -> dict[str, dict[str, Any]]:
    """A row for each set, and one for all as one set: there an id counts once."""
    kinds = {digest: one.prefilter.word for digest, one in made.items()}
    rows = {name: counted(in_set(files, name), kinds) for name in SETS}
    rows[TOGETHER] = counted((result for _, result in files), kinds)
    return {name: row.to_json() for name, row in rows.items()}


_COLUMNS = ("files", "rules", "correlations", "other_sources", "indexed", "token", "every_event")


def as_markdown(rows: Mapping[str, Mapping[str, Any]]) -> str:
    """The table as docs/public-rules.md has it."""
    heads = ("set", *(name.replace("_", " ") for name in _COLUMNS), "refused")
    lines = [_line(heads), _line(("---",) + ("---:",) * (len(heads) - 1))]
    for name, row in rows.items():
        lines.append(
            _line((name, *(f"{row[one]:,}" for one in _COLUMNS), f"{sum(row['refused'].values()):,}"))
        )
    return "\n".join(lines)


def reasons_as_markdown(kept: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> str:
    """How many rules of all are refused for each reason, in each way of reading, as docs/public-rules.md has it."""
    refused = {way: rows[TOGETHER]["refused"] for way, rows in kept.items()}
    lines = [_line(("reason", *refused)), _line(("---", *("---:" for _ in refused)))]
    reasons = sorted({why for counts in refused.values() for why in counts})
    lines += [
        _line((why.replace("|", "\\|"), *(str(counts.get(why, 0)) for counts in refused.values())))
        for why in reasons
    ]
    return "\n".join(lines)


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
