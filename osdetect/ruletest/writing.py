"""Made tests as the text of a `*.tests.yml` file."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from osdetect.ruletest.generating import Made, MadeTest
from osdetect.ruletest.scoring import difference
from osdetect.sigma.record_changes import NoSuchPlace, changed, without

_WIDTH = 110
HEADING = "# Made by osdetect test --generate. Look through it: the records are made up, the reasons are the rule's own words."


def text_of_tests(made: Sequence[Made]) -> str:
    """The text of a file for the rules of one rule file: the first record is the base that the others are told by."""
    base = made[0].tests[0].record
    lines = [HEADING, "base:", *_block(base, 1)]
    several = len(made) > 1
    for key, expected in (("must_match", True), ("must_not_match", False)):
        lines.append(f"{key}:")
        told = [(one, test) for one in made for test in one.tests if test.expected is expected]
        for one, test in told:
            lines += _test(test, base, one.rule.id if several else "")
        if not told:
            lines[-1] += " []"
    return "\n".join([*lines, ""])


def _test(test: MadeTest, base: Mapping[str, Any], rule: str) -> Iterator[str]:
    yield f"  - why: {_scalar(test.why)}"
    if rule:
        yield f"    rule: {rule}"
    told = difference(base, test.record)
    gone = tuple(path for path in told if told[path] is None and _is_gone(test.record, path))
    change = {path: value for path, value in told.items() if path not in gone}
    if not _leads_there(base, test.record, change, gone):
        yield "    event:"
        yield from _block(test.record, 3)
        return
    if change and len(short := f"    change: {_flow(change)}") <= _WIDTH:
        yield short
    elif change:
        yield "    change:"
        yield from _block(change, 3)
    if gone:
        yield f"    remove: [{', '.join(_scalar(path) for path in gone)}]"


def _is_gone(record: Mapping[str, Any], path: str) -> bool:
    here: Any = record
    for key in path.split("."):
        if not isinstance(here, dict) or key not in here:
            return True
        here = here[key]
    return False


def _leads_there(
    base: Mapping[str, Any], record: Mapping[str, Any], change: Mapping[str, Any], gone: tuple[str, ...]
) -> bool:
    """Whether reading the change back makes the record: keys with dots of their own may lead elsewhere."""
    try:
        return changed(without(base, gone), change) == record
    except NoSuchPlace:
        return False


def _block(data: Mapping[str, Any], depth: int) -> Iterator[str]:
    for key, value in data.items():
        head = f"{'  ' * depth}{_scalar(key)}:"
        if isinstance(value, dict) and value:
            yield head
            yield from _block(value, depth + 1)
        else:
            yield f"{head} {_flow(value)}"


def _flow(value: Any) -> str:
    match value:
        case str():
            return _scalar(value)
        case dict():
            return "{" + ", ".join(f"{_scalar(key)}: {_flow(inner)}" for key, inner in value.items()) + "}"
        case list():
            return "[" + ", ".join(map(_flow, value)) + "]"
        case _:
            return json.dumps(value)


_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_./-]*[A-Za-z0-9]|[A-Za-z]")
_WORDS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf"})


def _scalar(text: str) -> str:
    """A text as YAML: plain where nobody could take it for anything else, otherwise in double quotes."""
    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS:
        return text
    return '"' + "".join(map(_escaped, text)) + '"'


def _escaped(character: str) -> str:
    if character in {'"', "\\"}:
        return f"\\{character}"
    if character.isprintable():
        return character
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
