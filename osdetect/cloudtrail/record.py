"""One record: its bytes, checked to be an object that every JSON reader reads the same way."""

import re
from collections.abc import Mapping
from typing import Any

import msgspec
import orjson

from osdetect.cloudtrail.split import depth_of

DEEPEST = 100
"""How deep a record may nest. Real ones stay under 20; readers behind us (queries, consoles) give up at 100 to 1000."""
NOT_UNICODE = "text is not Unicode: replaced by U+FFFD"
"""A problem that is noted on the event: the record is stored, with its unreadable characters replaced."""

_ESCAPE = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|.)", re.DOTALL
)
_LONE = re.compile(rb"\\u[dD][89a-fA-F][0-9a-fA-F]{2}")
_REPLACEMENT = rb"\ufffd"


class RawRecord(msgspec.Struct, frozen=True):
    """A record as delivered."""

    number: int
    """Its place in the file's list, from 1."""
    offset: int
    """Where it begins in the file's unpacked text, in bytes."""
    raw: bytes
    """A JSON object on one line, valid UTF-8."""
    content: Mapping[str, Any]
    """The same, parsed."""
    problems: tuple[str, ...] = ()
    """What had to be changed in `raw` to make it readable."""


class BadRecord(msgspec.Struct, frozen=True):
    """Something in a file's list of records that cannot be read as one."""

    number: int
    offset: int
    raw: bytes
    """Its bytes as they are in the file."""
    reason: str


def parse(number: int, offset: int, raw: bytes, longest: int) -> RawRecord | BadRecord:
    """The record whose text is `raw`; `longest` is the most bytes that it may have."""
    if len(raw) > longest:
        return BadRecord(number, offset, raw, f"larger than {longest} bytes")
    if raw.count(b"{") + raw.count(b"[") > DEEPEST and depth_of(raw, DEEPEST) > DEEPEST:
        return BadRecord(number, offset, raw, f"nested deeper than {DEEPEST} levels")
    problems: tuple[str, ...] = ()
    text = raw
    try:
        content = orjson.loads(text)
    except orjson.JSONDecodeError as first:
        text = repair(raw)
        try:
            content = orjson.loads(text)
        except orjson.JSONDecodeError:
            return BadRecord(number, offset, raw, f"not JSON: {first.msg} (at byte {offset + first.pos})")
        problems = (NOT_UNICODE,)
    if not isinstance(content, dict):
        return BadRecord(number, offset, raw, f"not an object but {_NAMES[type(content)]}")
    # A bulk request has one line per document. Valid JSON has line ends between its tokens only.
    line = text.translate(_ONE_LINE) if b"\n" in text or b"\r" in text else text
    return RawRecord(number, offset, line, content, problems)


_ONE_LINE = bytes.maketrans(b"\r\n", b"  ")
_NAMES: Mapping[type, str] = {
    list: "a list",
    str: "a string",
    int: "a number",
    float: "a number",
    bool: "true or false",
    type(None): "null",
}


def repair(raw: bytes) -> bytes:
    """`raw` with what is no Unicode replaced by U+FFFD: invalid UTF-8, and escapes of half a surrogate pair.

    Such text cannot be stored so that every reader can read it back. Refusing the whole record for one character
    would hand an attacker the means to stay unseen.
    """
    text = raw.decode("utf-8", "replace").encode()
    return _ESCAPE.sub(lambda m: _REPLACEMENT if _LONE.fullmatch(m.group()) else m.group(), text)
