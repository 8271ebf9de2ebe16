"""Places in a text: from a line and column to a `Where` with its excerpt."""

import msgspec

from osdetect.errors import Where

_EXCERPT = 160


def printable(text: str, limit: int = _EXCERPT) -> str:
    r"""The text as it is safe to show: control and bidirectional characters escaped, and cut to `limit`.

    >>> printable("a\tb\x1b[31m")
    'a b\\x1b[31m'
    """
    shown = harmless(text[: limit + 1])
    return shown[: limit - 1] + "…" if len(shown) > limit else shown


def harmless(text: str) -> str:
    """The same, whole: what is not printable is escaped, so that no terminal takes it for a command."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else " " if c == "\t" else repr(c)[1:-1] for c in text)


class SourceText(msgspec.Struct, frozen=True):
    """A text with the name that a user knows it by (the path as it was given)."""

    name: str
    text: str

    def where(self, line: int = 0, column: int = 0) -> Where:
        """The place at `line` and `column`, both counted from 1; 0 for the file as a whole."""
        lines = self.text.splitlines()
        if not 0 < line <= len(lines):
            return Where(self.name, line, column)
        return Where(self.name, line, column, printable(lines[line - 1].rstrip()))
