r"""Reads a regular expression in RE2's syntax (github.com/google/re2/wiki/Syntax), look-around besides.

Python's own parser reads another language: its classes are Unicode, `$` also stands before a last line end, flags
stand at the beginning only, and it knows neither `\z`, `[[:alpha:]]`, `\Q...\E` nor `\pL`.
What RE2 accepts is read as RE2 reads it, or not at all.
"""

import msgspec
from msgspec.structs import replace

from osdetect.expr.regex_class import class_at, escape_at
from osdetect.expr.regex_sets import ALL, Ranges, any_case, complement, of
from osdetect.expr.regex_tree import (
    Atomic,
    Chars,
    Edge,
    Look,
    Node,
    choice,
    repeat,
    sequence,
)

MAX_PATTERN = 20_000
"""Characters of a pattern that is read; each costs some microseconds."""
MAX_NESTING = 60
"""Groups in one another; the tree's folds are recursive."""


class Unreadable(Exception):
    """The pattern is beyond what is read here; RE2 may take it all the same."""


class _Flags(msgspec.Struct, frozen=True):
    ignore_case: bool = False
    lines: bool = False
    dot_all: bool = False


def parse(pattern: str, flags: str = "") -> Node:
    """The tree of a pattern under flags out of "ims".

    Raises:
        Unreadable: too long, too deep, or with syntax that is not RE2's nor look-around.
    """
    if len(pattern) > MAX_PATTERN:
        raise Unreadable(f"longer than {MAX_PATTERN:,} characters")
    reader = _Reader(
        pattern.encode(errors="replace").decode()
    )  # a lone surrogate is a question mark, as to RE2
    tree = reader.alternatives(_with(_Flags(), flags, on=True), depth=0)
    if reader.at < len(reader.pattern):
        raise Unreadable("a parenthesis is closed that was not opened")
    return tree


_FLAGS = {"i": "ignore_case", "m": "lines", "s": "dot_all"}


def _with(flags: _Flags, letters: str, *, on: bool) -> _Flags:
    return replace(flags, **{_FLAGS[letter]: on for letter in letters if letter in _FLAGS})


_EDGES = {"A": Edge.BEGIN, "z": Edge.END, "b": Edge.WORD, "B": Edge.NOT_WORD}
_LOOKS = {"?=": (True, False), "?!": (True, True), "?<=": (False, False), "?<!": (False, True)}
_QUANTIFIERS: dict[str, tuple[int, int | None]] = {"*": (0, None), "+": (1, None), "?": (0, 1)}


class _Reader:
    """The pattern and how far it is read; one method for each level of the grammar."""

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self.at = 0
        self.lazy = False

    def _take(self, text: str) -> bool:
        taken = self.pattern.startswith(text, self.at)
        self.at += len(text) * taken
        return taken

    def _until(self, end: str) -> str:
        found = self.pattern.find(end, self.at)
        if found < 0:
            raise Unreadable(f"{end} is missing")
        taken = self.pattern[self.at : found]
        self.at = found + len(end)
        return taken

    def alternatives(self, flags: _Flags, depth: int) -> Node:
        """Up to a closing parenthesis or the end; a flag set between two parts holds for the rest."""
        if depth > MAX_NESTING:
            raise Unreadable(f"groups are nested more than {MAX_NESTING} deep")
        branches: list[list[Node]] = [[]]
        while self.at < len(self.pattern) and self.pattern[self.at] != ")":
            if self._take("|"):
                branches.append([])
                continue
            changed = self._flags_here(flags)
            if changed is not None:
                flags = changed
                continue
            branches[-1] += self._quantified(self._atom(flags, depth))
        return choice([sequence(branch) for branch in branches])

    def _flags_here(self, flags: _Flags) -> _Flags | None:
        """The flags after `(?i)` or `(?i-s)`, if that stands here."""
        if not self.pattern.startswith("(?", self.at):
            return None
        end = self.pattern.find(")", self.at)
        letters = self.pattern[self.at + 2 : end]
        if end < 0 or set(letters) - set("imsU-"):
            return None
        self.at = end + 1
        self.lazy = self.lazy or "U" in letters
        return _changed(flags, letters)

    def _quantified(self, atoms: list[Node]) -> list[Node]:
        """The atoms; a quantifier, if one follows, belongs to the last of them."""
        bounds = self._bounds()
        if bounds is None:
            return atoms
        if not atoms or isinstance(atoms[-1], Look):
            raise Unreadable("a quantifier without anything to repeat")
        repeated = repeat(atoms[-1], *bounds)
        if self._take("+"):
            repeated = Atomic(repeated)
        elif self._take("?"):
            self.lazy = True
        elif self._bounds() is not None:
            raise Unreadable("two quantifiers")
        return [*atoms[:-1], repeated]

    def _bounds(self) -> tuple[int, int | None] | None:
        sign = self.pattern[self.at : self.at + 1]
        if sign in _QUANTIFIERS:
            self.at += 1
            return _QUANTIFIERS[sign]
        end = self.pattern.find("}", self.at) if sign == "{" else -1
        low, comma, high = self.pattern[self.at + 1 : end].partition(",") if end > 0 else ("", "", "")
        if not _is_count(low) or (high and not _is_count(high)):
            return None  # a brace that stands for itself
        self.at = end + 1
        return (int(low), int(high) if high else None if comma else int(low))

    def _atom(self, flags: _Flags, depth: int) -> list[Node]:
        character = self.pattern[self.at]
        if character == "\\":
            return self._escape(flags)
        if character == "[":
            found, self.at = class_at(self.pattern, self.at, any_case=flags.ignore_case)
            if found is None:
                raise Unreadable("a character class that is not read")
            return [Chars(*found)]
        self.at += 1
        match character:
            case "(":
                return [self._group(flags, depth)]
            case ".":
                return [Chars(ALL if flags.dot_all else complement(of("\n")))]
            case "^":
                return [Edge.BEGIN_LINE if flags.lines else Edge.BEGIN]
            case "$":
                return [Edge.END_LINE if flags.lines else Edge.END]
            case "*" | "+" | "?":
                raise Unreadable("a quantifier without anything to repeat")
            case _:
                return [_chars(of(character), flags)]

    def _group(self, flags: _Flags, depth: int) -> Node:
        for sign, (ahead, negated) in _LOOKS.items():
            if self._take(sign):
                return Look(self._closed(flags, depth), ahead, negated)
        if self._take("?>"):
            atomic = Atomic(self._closed(flags, depth))
            if self.lazy:
                raise Unreadable("which match an atomic group takes depends on a lazy quantifier")
            return atomic
        if self._take("?P<") or self._take("?<"):
            self._until(">")
        elif self._take("?"):
            letters = self._until(":")
            if set(letters) - set("imsU-"):
                raise Unreadable("a group that is not read")
            self.lazy = self.lazy or "U" in letters
            flags = _changed(flags, letters)
        return self._closed(flags, depth)

    def _closed(self, flags: _Flags, depth: int) -> Node:
        inner = self.alternatives(flags, depth + 1)
        if not self._take(")"):
            raise Unreadable("a parenthesis is not closed")
        return inner

    def _escape(self, flags: _Flags) -> list[Node]:
        letter = self.pattern[self.at + 1 : self.at + 2]
        if letter in _EDGES:
            self.at += 2
            return [_EDGES[letter]]
        if letter == "Q":
            self.at += 2
            end = self.pattern.find("\\E", self.at)
            quoted = self.pattern[self.at : end if end >= 0 else None]
            self.at += len(quoted) + 2 * (end >= 0)
            return [_chars(of(character), flags) for character in quoted]
        if letter == "E":
            self.at += 2
            return []
        found, self.at = escape_at(self.pattern, self.at, any_case=flags.ignore_case)
        if found is None:
            raise Unreadable(f"the escape \\{letter}")
        return [Chars(*found)]


def _changed(flags: _Flags, letters: str) -> _Flags:
    on, _, off = letters.partition("-")
    return _with(_with(flags, on, on=True), off, on=False)


def _chars(ranges: Ranges, flags: _Flags) -> Chars:
    return Chars(any_case(ranges) if flags.ignore_case else ranges)


def _is_count(digits: str) -> bool:
    return digits.isascii() and digits.isdigit() and (digits == "0" or digits[0] != "0") and len(digits) <= 4
