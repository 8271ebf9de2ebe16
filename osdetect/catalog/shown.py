"""Texts as they are safe to show: what a reader sees is what is there, whatever a rule's author put in."""

import re
from urllib.parse import urlsplit

_CONTROLS = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f\ud800-\udfff]"
)
"""Characters that show nothing, or change the order or place of those that do (Unicode TR 36, section 2)."""
_STACKED = re.compile(r"[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]{4,}")
"""More marks on one letter than any script writes: a tower of them covers the lines above and below."""


def visible(text: str) -> str:
    r"""The text with each character that hides or moves others written as its code; line ends and tabs stay.

    >>> visible("a\u202eb\tc")
    'a\\u202eb\tc'
    """
    if text.isascii() and text.isprintable():
        return text
    flat = _STACKED.sub(lambda found: "".join(map(_coded, found[0])), text)
    return _CONTROLS.sub(_code, flat.replace("\r\n", "\n"))


def _code(found: re.Match[str]) -> str:
    return _coded(found[0])


def _coded(character: str) -> str:
    number = ord(character)
    return (
        f"\\x{number:02x}"
        if number < 0x100
        else f"\\u{number:04x}"
        if number < 0x10000
        else f"\\U{number:08x}"
    )


def web_address(text: str) -> str:
    """The text if it is an address that a browser may be sent to, else nothing.

    >>> web_address("https://example.org/a"), web_address("javascript:alert(1)")
    ('https://example.org/a', '')
    """
    try:
        parts = urlsplit(text)
    except ValueError:
        return ""
    plain = text.isascii() and text.isprintable() and not set(text) & set(" \"'<>\\^`{|}")
    return text if plain and parts.scheme in {"http", "https"} and parts.hostname else ""
