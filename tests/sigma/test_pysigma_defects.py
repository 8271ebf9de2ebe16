"""What pySigma gets wrong about modifiers and conditions, and what is done here: a row of the document, a test each.

The tests of `DEFECTS` show the defect in pySigma first: they fail when pySigma mends it, and then the row moves to `MENDED`,
whose tests show what is done here with every pySigma that may be installed.
"""

import re
from base64 import b64encode
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import sigma.exceptions as theirs
import yaml
from sigma.backends.test.backend import TextQueryTestBackend
from sigma.collection import SigmaCollection
from sigma.modifiers import modifier_mapping
from sigma.rule import SigmaRule
from sigma.types import SigmaCasedString

from osdetect.errors import RuleError
from osdetect.expr import render
from osdetect.sigma import ReadOptions
from osdetect.sigma.files import read_file
from osdetect.source import SourceText

DOCUMENT = Path(__file__).parents[2] / "docs" / "pysigma-defects.md"
SECTION = "## Modifiers and conditions"
Data = dict[str, Any]


def _rule(selection: Any, condition: Any = "a", **more: Any) -> Data:
    detection = {"a": selection, "condition": condition, **more}
    return {"title": "T", "logsource": {"product": "aws", "service": "cloudtrail"}, "detection": detection}


def _their_value(field: str, value: Any) -> Any:
    """The first value that pySigma makes of it."""
    rule = SigmaRule.from_dict(_rule({field: value}))
    item: Any = rule.detection.detections["a"].detection_items[0]
    return item.value[0]


def _their_query(selection: Any, condition: Any = "a", **more: Any) -> str:
    rules = SigmaCollection([SigmaRule.from_dict(_rule(selection, condition, **more))])
    return str(TextQueryTestBackend().convert(rules))


def _tree(selection: Any, condition: Any = "a", **more: Any) -> str:
    """Our tree, or why there is none."""
    placeholders = more.pop("placeholders", {})
    return _read(yaml.safe_dump(_rule(selection, condition, **more), allow_unicode=True), placeholders)


def _read(text: str, placeholders: Mapping[str, tuple[str, ...]] | None = None) -> str:
    read = read_file(SourceText("rule.yml", text), ReadOptions(placeholders=placeholders or {}))
    if read.refused:
        return str(read.refused[0])
    return "; ".join(render(rule.tree) for rule in read.rules)


def _utf16le() -> None:
    assert "utf16le" not in modifier_mapping
    assert _tree({"f|utf16le|base64": "cmd"}) == 'f is exactly "YwBtAGQA"'


def _beyond_ascii() -> None:
    with pytest.raises(theirs.SigmaValueError):
        _their_value("f|wide|base64", "naïve")
    encoded = b64encode("naïve".encode("utf-16-le")).decode()
    assert _tree({"f|wide|base64": "naïve"}) == f'f is exactly "{encoded}"'


def _letter_case() -> None:
    assert not isinstance(_their_value("f|base64", "whoami"), SigmaCasedString)
    assert _tree({"f|base64": "whoami"}) == 'f is exactly "d2hvYW1p"'


def _one_character() -> None:
    assert "*" in [str(value) for value in _their_value("f|base64offset|contains", "a").values]
    assert "base64offset of a single character" in _tree({"f|base64offset|contains": "a"})


def _other_dashes() -> None:
    assert [str(value) for value in _their_value("f|windash", "\u2013s").values] == ["\u2013s"]
    assert _tree({"f|windash": "\u2013s"}) == " or ".join(
        f'f is "{sign}s"' for sign in "-/\u2013\u2014\u2015"
    )


def _parts_of_a_time() -> None:
    assert "hour" not in _their_query({"f|hour|gte": 8})
    assert _tree({"f|hour|gte": 8}) == "f has hour >= 8"


def _dates() -> None:
    with pytest.raises(theirs.SigmaTypeError):
        _their_value("f|gte", "2024-01-01")
    assert _tree({"f|gte": "2024-01-01"}) == "f >= the time 2024-01-01"


def _fieldref_behind() -> None:
    with pytest.raises(theirs.SigmaValueError):
        _their_value("f|startswith|fieldref", "g")
    assert _tree({"f|startswith|fieldref": "g"}) == "f starts with the value of g"


def _fieldref_cased() -> None:
    with pytest.raises(theirs.SigmaTypeError):
        _their_value("f|fieldref|cased", "g")
    assert _tree({"f|fieldref|cased": "g"}) == "f is the same as exactly g"


def _edges() -> None:
    found = str(_their_value("f|re|startswith", "ab|cd").regexp)
    assert re.search(found, "xcd")  # a regular expression is searched for, so that its end says nothing
    assert _tree({"f|re|startswith": "ab|cd"}) == r"f matches /\A(?:ab|cd)/"


def _percent_signs() -> None:
    assert _their_value("f|expand", r"\%plain%name%").s[0] == "\\"
    assert _tree({"f|expand": r"\%plain%name%"}, placeholders={"name": ("x",)}) == 'f is "%plainx"'
    assert _tree({"f|expand": r"\\%name%"}, placeholders={"name": ("x",)}) == r'f is "\\x"'


def _no_text() -> None:
    assert _their_value("f|re", True).regexp is True
    assert "a regular expression must be text" in _tree({"f|re": True})


def _empty_lists() -> None:
    assert _their_query({"f": []}) == "['f is null']"
    assert "a list of values must not be empty" in _tree({"f": []})


def _null_keywords() -> None:
    with pytest.raises(TypeError):
        _their_query([None])
    assert "null needs a field" in _tree([None])


def _large_numbers() -> None:
    assert "9007199254740993" not in _their_query({"f": 9007199254740993})
    assert "this number is too large to be compared exactly" in _tree({"f": 9007199254740993})
    assert _tree({"f": "9007199254740993"}) == 'f is "9007199254740993"'


_TWICE = "title: T\nlogsource: {product: aws}\ndetection:\n  a: {f: x, f: y}\n  condition: a\n"


def _keys_given_twice() -> None:
    (rule,) = SigmaCollection.from_yaml(_TWICE).rules
    assert isinstance(rule, SigmaRule)
    assert "'x'" not in str(rule.detection.detections["a"])
    assert "the key 'f' stands here twice" in _read(_TWICE)


_GLOBALS = (
    "action: global\nlogsource: {product: aws}\n---\naction: global\nlevel: high\n---\n"
    "title: T\ndetection: {a: {f: x}, condition: a}\n"
)


def _several_globals() -> None:
    with pytest.raises(theirs.SigmaLogsourceError):
        SigmaCollection.from_yaml(_GLOBALS)
    assert _read(_GLOBALS) == 'f is "x"'


def _patterns_with_dashes() -> None:
    with pytest.raises(theirs.SigmaConditionError):
        _their_query({"f": "x"}, "1 of sel-*", **{"sel-a": {"g": "y"}})
    assert _tree({"f": "x"}, "1 of sel-*", **{"sel-a": {"g": "y"}}) == 'g is "y"'


def _conditions_that_cannot_be_read() -> None:
    with pytest.raises(theirs.SigmaConditionError, match=r"W:\("):
        _their_query({"f": "x"}, "a and")
    assert "this condition cannot be read: it breaks off" in _tree({"f": "x"}, "a and")
    assert "'AND' at its character 3 cannot stand there" in _tree({"f": "x"}, "a AND a")


def _byte_order_marks() -> None:
    encoded = b64encode(b"\xff\xfec\0m\0d\0").decode()
    assert _tree({"f|utf16|base64": "cmd"}) == f'f is exactly "{encoded}"'


def _offsets_beyond_ascii() -> None:
    data = "naïve-Ω".encode()
    literals = re.findall(r'"\*(.+?)\*"', _tree({"f|base64offset|contains": data.decode()}))
    assert len(literals) == 3
    for before in range(3):
        for behind in (b"", b"x", b"xy"):
            assert literals[before] in b64encode(b"." * before + data + behind).decode()


def _escaped_wildcards() -> None:
    assert _tree({"f|base64": r"a\*b\?"}) == f'f is exactly "{b64encode(b"a*b?").decode()}"'


def _alias_bombs() -> None:
    lines = [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}' if i else 'x'] * 10)}]\n" for i in range(9)]
    assert "this document has more than 50000 nodes" in _read("".join(lines))


def _names_of_operators() -> None:
    assert _tree({"f": "x"}, "notable and android", notable={"g": "y"}, android={"h": "z"}) == (
        'g is "y" and h is "z"'
    )


def _selectors_of_nothing() -> None:
    assert "'1 of filter*' fits no selection" in _tree({"f": "x"}, "a and not 1 of filter*")


def _many_dashes() -> None:
    assert "windash takes at most 3 dashes in one value, this has 5" in _tree(
        {"f|windash": " -a -b -c -d -e"}
    )


def _engines() -> None:
    assert _tree({"f|re": r"a(?i)b\z"}) == r"f matches /a(?i)b\z/"


DEFECTS: Mapping[str, Callable[[], None]] = {
    "utf16le": _utf16le,
    "encodings beyond ASCII": _beyond_ascii,
    "letter case of Base64": _letter_case,
    "base64offset of one character": _one_character,
    "windash and other dashes": _other_dashes,
    "parts of a time": _parts_of_a_time,
    "dates": _dates,
    "fieldref behind startswith": _fieldref_behind,
    "fieldref with cased": _fieldref_cased,
    "re with startswith": _edges,
    "percent signs": _percent_signs,
    "regular expressions that are no text": _no_text,
    "empty lists": _empty_lists,
    "null as keyword": _null_keywords,
    "large numbers": _large_numbers,
    "keys given twice": _keys_given_twice,
    "several globals": _several_globals,
    "patterns with dashes": _patterns_with_dashes,
    "conditions that cannot be read": _conditions_that_cannot_be_read,
}
MENDED: Mapping[str, Callable[[], None]] = {
    "utf16": _byte_order_marks,
    "base64offset beyond ASCII": _offsets_beyond_ascii,
    "base64 of escaped wildcards": _escaped_wildcards,
    "alias bombs": _alias_bombs,
    "names that begin with an operator": _names_of_operators,
    "selectors that fit nothing": _selectors_of_nothing,
    "windash without bound": _many_dashes,
    "regular expressions of other engines": _engines,
}


@pytest.mark.parametrize("name", DEFECTS)
def test_a_defect_is_there_and_is_corrected(name: str) -> None:
    DEFECTS[name]()


@pytest.mark.parametrize("name", MENDED)
def test_what_was_mended_is_right_with_every_version(name: str) -> None:
    MENDED[name]()


def test_a_refusal_is_an_error_with_a_place() -> None:
    read = read_file(SourceText("rule.yml", yaml.safe_dump(_rule({"f": []}))))
    (refusal,) = read.refused
    assert isinstance(refusal, RuleError)
    assert refusal.where
    assert refusal.where.line == 3


def test_the_document_has_a_row_for_each_defect() -> None:
    section = DOCUMENT.read_text(encoding="utf-8").partition(SECTION)[2].partition("\n## ")[0]
    rows = [
        [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", row)[1:-1]]
        for row in re.findall(r"^\|.*\|$", section, re.MULTILINE)
    ]
    named = [row for row in rows if row[0] not in {"name", "---"}]
    assert [row[0] for row in named] == [*DEFECTS, *MENDED]
    for name, they, we, upstream in named:
        assert len(they.split()) > 3, name
        assert len(we.split()) > 3, name
        assert upstream == "none found" or re.search(r"#\d+", upstream), name
