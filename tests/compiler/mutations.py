"""Rules made wrong by chance: in their text, and in their structure."""

import random
from collections.abc import Callable, Sequence
from typing import Any

import yaml

from osdetect.sigma.modifiers import MODIFIERS

_SIGNS = (
    "\0", "\t", "\n", "\r", "\u0085", "\u2028", "\ufeff", "\u202e", "\u200d", "\x1b", "\x7f", "é", "İ", "\u017f", "😀",
    "\U0010ffff", "\ufffe", '"', "'", "\\", "*", "?", "%", "|", ":", "- ", "#", "&a ", "*a ", "!x ", "{", "}", "[", "]", "(", ")",
    "<<", "---\n", "...", "~", "null", "0x1F", "1e999", "-0.0", ".nan", "1:30", "2024-02-30", "9" * 30, "a" * 3_000,
)  # fmt: skip
_TOKENS = (
    "and",
    "or",
    "not",
    "1 of",
    "all of",
    "them",
    "(",
    ")",
    "*",
    "selection",
    "sel*",
    "NOT",
    "|",
    "count()",
    "",
    "1",
    "null",
)
_VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 2.5, 10**15, 2**60, float("inf"), "", "*", "?", "**", "\\*", "\\", "a*b?c", "%x%", "%", "10.0.0.0/8", "::/0",
    "10.0.0.1/8", "999.0.0.0/8", "(", "[a-", "a{1000}", "(?i)a", "\\bx\\b", "(?!a)b", "^a.*b$", "(a|b)+", "\\p{L}", "\\1", "x" * 5_000, "x" * 40_000,
    "İSTANBUL", "ΟΔΟΣ", "😀", "\U0001f600", "\0", "a\nb", "2024-05-01", "2024-05-01T00:00:00Z", "eventName", "userIdentity.arn",
    [], [None], ["a", None, 1], {}, {"a": 1}, [["a"]], [{"a": "b"}], ["*"] * 50, [f"v{number}*" for number in range(300)],
)  # fmt: skip
_FIELDS = (
    "",
    ".",
    "a.",
    ".a",
    "a..b",
    "*",
    "a*",
    "_id",
    "_source",
    "query",
    "values",
    "tests",
    "a/b",
    "a b",
    "İ",
    "😀",
    "\0",
    "x" * 999,
    "a." * 400,
)


def _spot(text: str, chance: random.Random) -> int:
    return chance.randrange(len(text) + 1)


def _flip(text: str, chance: random.Random) -> str:
    at = _spot(text, chance)
    return (
        text[:at] + chr(ord(text[at]) ^ (1 << chance.randrange(7))) + text[at + 1 :]
        if at < len(text)
        else text
    )


def _insert(text: str, chance: random.Random) -> str:
    at = _spot(text, chance)
    return text[:at] + chance.choice(_SIGNS) + text[at:]


def _insert_random(text: str, chance: random.Random) -> str:
    at = _spot(text, chance)
    code = chance.choice((0x80, 0x800, 0x10000, 0x110000))
    return (
        text[:at]
        + "".join(chr(chance.randrange(code)) for _ in range(3)).encode(errors="ignore").decode()
        + text[at:]
    )


def _delete(text: str, chance: random.Random) -> str:
    at = _spot(text, chance)
    return text[:at] + text[at + chance.choice((1, 1, 2, 5, 40)) :]


def _double_lines(text: str, chance: random.Random) -> str:
    lines = text.splitlines(keepends=True)
    start = chance.randrange(len(lines) or 1)
    end = start + chance.randint(1, 6)
    return "".join([*lines[:end], *lines[start:end], *lines[end:]])


def _swap_lines(text: str, chance: random.Random) -> str:
    lines = text.splitlines(keepends=True)
    if len(lines) > 1:
        one, two = chance.sample(range(len(lines)), 2)
        lines[one], lines[two] = lines[two], lines[one]
    return "".join(lines)


def _indent(text: str, chance: random.Random) -> str:
    lines = text.splitlines(keepends=True)
    at = chance.randrange(len(lines) or 1)
    lines[at : at + 1] = [" " * chance.randint(0, 8) + line.lstrip() for line in lines[at : at + 1]]
    return "".join(lines)


def _cut(text: str, chance: random.Random) -> str:
    return text[: _spot(text, chance)]


TEXT: tuple[Callable[[str, random.Random], str], ...] = (
    _flip, _flip, _insert, _insert, _insert_random, _delete, _delete, _double_lines, _swap_lines, _indent, _cut,
)  # fmt: skip


def _maps(data: Any) -> list[dict[str, Any]]:
    """Every map inside, the outer ones first."""
    found, pending = [], [data]
    while pending:
        here = pending.pop()
        if isinstance(here, dict):
            found.append(here)
            pending += here.values()
        elif isinstance(here, list):
            pending += here
    return found


def _field(key: str, chance: random.Random) -> str:
    field, *modifiers = str(key).split("|")
    if chance.random() < 0.25:
        field = chance.choice(_FIELDS)
    if chance.random() < 0.6:
        modifiers.insert(chance.randint(0, len(modifiers)), chance.choice(sorted(MODIFIERS)))
    if modifiers and chance.random() < 0.3:
        modifiers.pop(chance.randrange(len(modifiers)))
    return "|".join((field, *modifiers))


def _condition(condition: Any, chance: random.Random) -> str:
    words = str(condition).split(" ")
    for _ in range(chance.randint(1, 3)):
        at = chance.randrange(len(words) or 1)
        words[at : at + chance.randint(0, 1)] = [chance.choice(_TOKENS)]
    return " ".join(words)


def structure(text: str, others: Sequence[str], chance: random.Random) -> str:
    """The rule with some of its keys, values and conditions changed; the values may be another rule's."""
    data = yaml.safe_load(text)
    donor = yaml.safe_load(chance.choice(others))
    for _ in range(chance.randint(1, 4)):
        detection = data.get("detection")
        if not isinstance(detection, dict) or chance.random() < 0.1:
            key = chance.choice(sorted(data, key=str) or ["x"])
            data[key] = chance.choice((donor.get(key), chance.choice(_VALUES)))
        elif chance.random() < 0.2:
            detection["condition"] = _condition(detection.get("condition"), chance)
        else:
            _change(chance.choice(_maps(detection)), chance)
    return yaml.safe_dump(data, allow_unicode=chance.random() < 0.5, sort_keys=False)


def _change(fields: dict[str, Any], chance: random.Random) -> None:
    keys = [key for key in fields if key != "condition"]
    if not keys:
        return
    key = chance.choice(keys)
    if chance.random() < 0.5:
        fields[_field(key, chance)] = fields.pop(key)
    elif chance.random() < 0.7:
        fields[key] = chance.choice(_VALUES)
    else:
        fields[key] = [fields[key] if not isinstance(fields[key], list) else None, chance.choice(_VALUES)]


def mutated(texts: Sequence[str], chance: random.Random) -> str:
    """One of the rules, changed."""
    text = chance.choice(texts)
    if chance.random() < 0.6:
        return structure(text, texts, chance)
    for _ in range(chance.choice((1, 1, 2, 4))):
        text = chance.choice(TEXT)(text, chance)
    return text
