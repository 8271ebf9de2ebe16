"""Rule files and folders: which files are read, and in which order."""

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path, PurePath
from typing import TypeVar

from osdetect.errors import InputError, RuleError, Where

P = TypeVar("P", bound=PurePath)

SUFFIXES = (".yml", ".yaml")
TESTS_SUFFIXES = (".tests.yml", ".tests.yaml")
"""Files that hold the tests of the rule beside them: `key.tests.yml` those of `key.yml`. They are no rules."""


def list_files(paths: Iterable[Path]) -> tuple[tuple[Path, ...], tuple[RuleError, ...]]:
    """The rule files that the paths name, in order, and what cannot be one.

    The files of a folder come first, then its folders, each in the order of their names; hidden folders, links to
    folders and the rules' tests (`list_tests`) are left out.

    Raises:
        InputError: a path does not exist, or there is no rule file in any of them.
    """
    refused: list[RuleError] = []
    given = list(paths)
    files = tuple(file for path in given for file in _yaml_files(path, refused) if not holds_tests(file))
    if not files and not refused:
        raise InputError(
            "no rule files found",
            cause=f"no {' or '.join(SUFFIXES)} file in {', '.join(map(str, given)) or 'nothing'}",
            cure="name a Sigma rule file, or a folder that holds some",
        )
    return files, tuple(refused)


def list_tests(paths: Iterable[Path]) -> tuple[tuple[Path, ...], tuple[RuleError, ...]]:
    """The files of rules' tests in the files and folders, in order, and what cannot be one.

    A rule file that is named stands for the tests beside it, if there are any.

    Raises:
        InputError: a path does not exist.
    """
    refused: list[RuleError] = []
    found: dict[Path, None] = {}
    for path in paths:
        for file in _yaml_files(path, refused):
            if holds_tests(file):
                found[file] = None
            elif path == file:
                found.update(dict.fromkeys(one for one in beside_rule(file) if one.is_file()))
    return tuple(found), tuple(refused)


def holds_tests(file: PurePath) -> bool:
    """Whether a file holds tests of rules, by its name.

    >>> holds_tests(Path("aws/key.tests.yml")), holds_tests(Path("aws/key.yml")), holds_tests(Path(".tests.yml"))
    (True, False, False)
    """
    return any(file.name.endswith(suffix) and file.name != suffix for suffix in TESTS_SUFFIXES)


def beside_rule(rule_file: P) -> tuple[P, ...]:
    """Where the tests of a rule file's rules would be.

    >>> [path.as_posix() for path in beside_rule(Path("aws/key.yml"))]
    ['aws/key.tests.yml', 'aws/key.tests.yaml']
    """
    return tuple(rule_file.with_name(rule_file.stem + suffix) for suffix in TESTS_SUFFIXES)


def _yaml_files(path: Path, refused: list[RuleError]) -> Iterator[Path]:
    if path.is_file():
        yield path
        return
    if not path.is_dir():
        raise InputError(f"{path} does not exist", cure="name a Sigma rule file, or a folder that holds some")
    root = os.path.realpath(path)
    waiting = [str(path)]
    while waiting:
        folders: list[str] = []
        for entry in _entries(waiting.pop(), refused):
            if not _holds(entry.is_dir):
                yield from _yaml_file(entry, root, refused)
            elif not entry.name.startswith(".") and not entry.is_symlink():
                folders.append(entry.path)
        waiting += reversed(folders)


def _entries(folder: str, refused: list[RuleError]) -> list["os.DirEntry[str]"]:
    """What a folder holds, by name. Its own listing tells files, folders and links apart, without a call for each."""
    try:
        with os.scandir(folder) as found:
            return sorted(found, key=lambda entry: entry.name)
    except OSError as error:
        refused.append(RuleError("this cannot be read", cause=str(error.strerror), where=Where(folder)))
        return []


def _holds(asked: Callable[[], bool]) -> bool:
    """False also of a link that leads in a circle, or to where nobody may look."""
    try:
        return asked()
    except OSError:
        return False


def _yaml_file(entry: "os.DirEntry[str]", root: str, refused: list[RuleError]) -> Iterator[Path]:
    if not entry.name.endswith(SUFFIXES):
        return
    if entry.is_symlink() and not Path(os.path.realpath(entry.path)).is_relative_to(root):
        where = Where(entry.path)
        refused.append(
            RuleError("this link leads out of its folder", where=where, cure="name the file itself")
        )
    elif _holds(entry.is_file):
        yield Path(entry.path)
    else:
        refused.append(RuleError("this is not a plain file", where=Where(entry.path)))
