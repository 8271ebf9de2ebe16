"""A YAML text in parts with their kinds, to be coloured: by the scanner that reads rules, not by guesses at its lines."""

from collections.abc import Iterator
from typing import NamedTuple

import yaml


class Part(NamedTuple):
    """A piece of the text; the pieces together are the text."""

    kind: str
    """key, text, word (a scalar without quotes), comment, mark (an anchor, alias or tag); empty for the rest."""
    text: str


_NAMES = (yaml.AnchorToken, yaml.AliasToken, yaml.TagToken, yaml.DirectiveToken)


def yaml_parts(text: str) -> tuple[Part, ...]:
    """The parts of a YAML text; one part without a kind where it cannot be scanned.

    >>> [part.kind for part in yaml_parts("a: 'b' # c") if part.kind]
    ['key', 'text', 'comment']
    """
    try:
        found = tuple(_parts(text))
    except (yaml.YAMLError, RecursionError):
        return (Part("", text),)
    return found if "".join(part.text for part in found) == text else (Part("", text),)


def _parts(text: str) -> Iterator[Part]:
    at, is_key = 0, False
    for token in yaml.scan(text, Loader=yaml.CSafeLoader):
        if isinstance(token, yaml.KeyToken):
            is_key = True
        if not isinstance(token, (yaml.ScalarToken, *_NAMES)):
            continue
        begin, end = token.start_mark.index, token.end_mark.index
        yield from _between(text[at:begin])
        yield Part(_kind(token, is_key=is_key), text[begin:end])
        at = end
        if isinstance(token, yaml.ScalarToken):
            is_key = False
    yield from _between(text[at:])


def _kind(token: yaml.Token, *, is_key: bool) -> str:
    if not isinstance(token, yaml.ScalarToken):
        return "mark"
    return "key" if is_key else "word" if token.plain else "text"


def _between(text: str) -> Iterator[Part]:
    """What stands between values: punctuation and comments; a "#" can be nothing else there."""
    for line in text.splitlines(keepends=True):
        before, hash_mark, comment = line.partition("#")
        if before:
            yield Part("", before)
        if hash_mark:
            yield Part("comment", hash_mark + comment)
