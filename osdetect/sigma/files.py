"""Rule files and folders: which files are read, in which order, and what each document became."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from osdetect.errors import InputError, RuleError, Where
from osdetect.sigma.rule import Rule, RuleSet
from osdetect.sigma.yaml_text import Document, documents
from osdetect.source import SourceText

MAX_BYTES = 1 << 20
"""A larger rule file is refused: the largest public one has 50 KiB."""
SUFFIXES = (".yml", ".yaml")


@dataclass(slots=True)
class _Gathered:
    rules: dict[str, Rule] = field(default_factory=dict)
    refused: list[RuleError] = field(default_factory=list)
    warnings: list[RuleError] = field(default_factory=list)
    other_sources: int = 0
    files: int = 0


def read_rules(paths: Iterable[Path]) -> RuleSet:
    """Read every rule for AWS CloudTrail in the files and folders, in the order of their names.

    A broken file, document or rule is refused with its place and never stops the others. The same id twice:
    the first stays, the second is refused.

    Raises:
        InputError: a path does not exist, or there is no rule file in any of them.
    """
    gathered = _Gathered()
    given = list(paths)
    for path in given:
        for file in _rule_files(path, gathered.refused):
            gathered.files += 1
            _read_file(file, gathered)
    if not gathered.files and not gathered.refused:
        raise InputError(
            "no rule files found",
            cause=f"no {' or '.join(SUFFIXES)} file in {', '.join(map(str, given)) or 'nothing'}",
            cure="name a Sigma rule file, or a folder that holds some",
        )
    rules = tuple(gathered.rules.values())
    return RuleSet(
        rules, tuple(gathered.refused), gathered.other_sources, gathered.files, tuple(gathered.warnings)
    )


def _rule_files(path: Path, refused: list[RuleError]) -> Iterator[Path]:
    if path.is_file():
        yield path
        return
    if not path.is_dir():
        raise InputError(f"{path} does not exist", cure="name a Sigma rule file, or a folder that holds some")
    root = path.resolve()
    for folder, subfolders, names in os.walk(path, onerror=lambda e: refused.append(_unreadable(e))):
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        for name in sorted(names):
            if not name.endswith(SUFFIXES):
                continue
            file = Path(folder, name)
            if file.is_symlink() and not file.resolve().is_relative_to(root):
                refused.append(
                    RuleError(
                        "this link leads out of its folder",
                        where=Where(str(file)),
                        cure="name the file itself",
                    )
                )
            elif file.is_file():
                yield file
            else:
                refused.append(RuleError("this is not a plain file", where=Where(str(file))))


def _unreadable(error: OSError) -> RuleError:
    return RuleError("this cannot be read", cause=str(error.strerror), where=Where(str(error.filename)))


def _read_file(file: Path, gathered: _Gathered) -> None:
    try:
        source = _text(file)
    except RuleError as refusal:
        gathered.refused.append(refusal)
        return
    for document in documents(source):
        if isinstance(document, RuleError):
            gathered.refused.append(document)
        else:
            _read_document(document, gathered)


def _text(file: Path) -> SourceText:
    where = Where(str(file))
    try:
        if file.stat().st_size > MAX_BYTES:
            raise RuleError(f"this file is larger than {MAX_BYTES >> 20} MiB", where=where)
        return SourceText(str(file), file.read_bytes().decode("utf-8-sig"))
    except OSError as error:
        raise RuleError("this cannot be read", cause=str(error.strerror), where=where) from error
    except UnicodeDecodeError as error:
        raise RuleError(
            "this is not UTF-8 text", cause=f"byte {error.start} is not", cure="save it as UTF-8", where=where
        ) from error


def _read_document(document: Document, gathered: _Gathered) -> None:
    from osdetect.sigma.reader import (  # noqa: PLC0415  # pySigma takes half a second to import
        log_source_of,
        read_rule,
        warnings_of,
    )

    logsource = log_source_of(document)
    if isinstance(logsource, RuleError):
        gathered.refused.append(logsource)
        return
    if not logsource.covers_cloudtrail():
        gathered.other_sources += 1
        return
    try:
        rule = read_rule(document, logsource)
    except RuleError as refusal:
        gathered.refused.append(refusal)
        return
    first = gathered.rules.get(rule.id)
    if first is None:
        gathered.rules[rule.id] = rule
        gathered.warnings += warnings_of(document)
        return
    same = "the same rule" if first.hash() == rule.hash() else "another rule"
    gathered.refused.append(
        document.error(
            f"the id {rule.id} is taken",
            at=("id",),
            cause=f"{same} has it: {first.where}",
            cure="give one of them a new id, or leave one out",
        )
    )
