"""Rule files that mean harm: what each says, and what reading it must come to."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import yaml

HEAD = "title: T\nid: 6f0b2a0e-2a35-4f3c-9a5e-0d6c1b7f3a11\nlogsource: {product: aws, service: cloudtrail}\n"
READ = "read"
"""In the place of a refusal: the rule is read and compiled."""


class Hostile(msgspec.Struct, frozen=True):
    """A file's content, and a part of what it is refused with."""

    content: Callable[[], str | bytes]
    refused: str
    placed: bool = True
    """Whether the refusal names line and column."""


def _rule(detection: str, *, head: str = HEAD) -> str:
    return f"{head}detection:\n{detection}"


def _selection(item: str, condition: str = "a") -> str:
    return _rule(f"  a:\n    {item}\n  condition: {condition}\n")


def _condition(condition: str) -> str:
    return _rule(f"  a: {{f: x}}\n  b: {{f: y}}\n  condition: {condition}\n")


def _values(modifiers: str, count: int = 10_000, text: str = "value-{}") -> str:
    listed = "".join(f"      - '{text.format(number)}'\n" for number in range(count))
    return _rule(f"  a:\n    f{modifiers}:\n{listed}  condition: a\n")


def _bomb(levels: int, *, inside: str = "[{}]") -> str:
    lines = ["x0: &x0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]"]
    for level in range(1, levels):
        aliases = ", ".join([f"*x{level - 1}"] * 9)
        lines.append(f"x{level}: &x{level} {inside.format(aliases)}")
    return "\n".join(lines)


def _map_bomb(levels: int) -> str:
    lines = ["x0: &x0 {a: lol}"]
    for level in range(1, levels):
        entries = ", ".join(f"{key}: *x{level - 1}" for key in "abcdefghi")
        lines.append(f"x{level}: &x{level} {{{entries}}}")
    return "\n".join(lines)


def _merge_bomb(levels: int) -> str:
    merged = (f"[{', '.join([f'*x{level - 1}'] * 9)}]" for level in range(1, levels))
    later = (
        f"x{level}: &x{level}\n  <<: {all_of_it}\n  k{level}: 1" for level, all_of_it in enumerate(merged, 1)
    )
    return "\n".join(("x0: &x0 {a: lol}", *later))


def _selections(count: int, condition: str) -> str:
    named = "".join(f"  sel{number}: {{f: x{number}}}\n" for number in range(count))
    return _rule(f"{named}  condition: {condition}\n")


def _repeated(count: int) -> str:
    fields = "".join(f"    f{number}: value {number}\n" for number in range(1_000))
    return (
        HEAD + f"detection:\n  a:\n{fields}  condition: a\n" + "---\naction: repeat\ntitle: again\n" * count
    )


def _dashes(count: int) -> str:
    """So many rules, each with as many tests as a rule may have."""
    values = ", ".join(f"' -a -b -c{number}'" for number in range(159))
    detection = f"detection:\n  a:\n    f|windash|contains: [{values}]\n  condition: a\n"
    heads = (HEAD.replace("6f0b2a0e", f"{number:08x}") for number in range(count))
    return "---\n".join(head + detection for head in heads)


def _shared(count: int) -> str:
    fields = "".join(f"    f{number}: value {number}\n" for number in range(1_000))
    first = f"action: global\n{HEAD}detection:\n  a:\n{fields}  condition: a\n"
    return first + "---\ntitle: again\n" * count


def _words(word: str) -> str:
    """A rule with the text in every place where text may stand."""
    text = yaml.safe_dump(word, allow_unicode=True, width=10**9).removesuffix("...\n").strip()
    return (
        f"title: {text}\nlogsource: {{product: aws, service: {text}}}\nname: {text}\ndescription: {text}\n"
        f"author: {text}\nreferences: [{text}]\nfalsepositives: [{text}]\nlicense: {text}\n"
        f"detection:\n  a:\n    {text}: {text}\n    g|re: {text}\n    h|contains: {text}\n  condition: a\n"
    )


_MEBIBYTE = 1 << 20
_LONG = "x" * (_MEBIBYTE - 1_000)

HOSTILE: Mapping[str, Hostile] = {
    # aliases
    "alias bomb": Hostile(lambda: _bomb(9) + "\n" + HEAD, "more than 50000 nodes"),
    "alias bomb in the detection": Hostile(
        lambda: _bomb(9) + "\n" + HEAD + "detection:\n  a: {f: *x8}\n  condition: a\n", "more than 50000 nodes"
    ),
    "alias bomb of maps": Hostile(lambda: _map_bomb(9) + "\n" + HEAD, "more than 50000 nodes"),
    "alias bomb of maps in lists": Hostile(lambda: _bomb(9, inside="[{{k: [{}]}}]") + "\n" + HEAD, "more than 50000 nodes"),
    "billion laughs by merge keys": Hostile(lambda: _merge_bomb(12) + "\n" + HEAD, "merge keys"),
    "alias to itself": Hostile(lambda: HEAD + "detection: &d\n  a: *d\n  condition: a\n", "nested more than"),
    "list that holds itself": Hostile(lambda: "&a [*a, *a]\n", "more than"),
    # conditions
    "5,000 parentheses": Hostile(lambda: _condition("(" * 5_000 + "a" + ")" * 5_000), "condition is too long"),
    "40 parentheses": Hostile(lambda: _condition("(" * 40 + "a" + ")" * 40), READ),
    "parentheses that do not close": Hostile(lambda: _condition("(" * 39 + "a"), "condition cannot be read"),
    "5,000 not": Hostile(lambda: _condition("not " * 5_000 + "a"), "condition is too long"),
    "1,900 not": Hostile(lambda: _condition("not " * 1_900 + "a"), "condition"),
    "5,000 and": Hostile(lambda: _condition(" and ".join(["a"] * 5_000)), "condition is too long"),
    "1,000 and": Hostile(lambda: _condition(" and ".join(["a"] * 1_000)), READ),
    "and or by turns": Hostile(lambda: _condition("a" + " and b or a" * 600), READ),
    "not and by turns": Hostile(lambda: _condition("a" + " and not b" * 700), READ),
    "parentheses side by side": Hostile(lambda: _condition(" and ".join(["(a or b)"] * 40)), READ),
    "nested to the right": Hostile(lambda: _condition("(a and " * 40 + "b" + ")" * 40), READ),
    "nested with not": Hostile(lambda: _condition("not (a and " * 40 + "b" + ")" * 40), "nested more than"),
    "a selection used 1,000 times": Hostile(
        lambda: _values("", 1_000).replace("condition: a", "condition: " + " or ".join(["a"] * 1_000)), "more than 20,000 tests"
    ),
    "1 of them over 5,000": Hostile(lambda: _selections(5_000, "1 of them"), READ),
    "all of them over 5,000": Hostile(lambda: _selections(5_000, "all of them"), READ),
    "1 of sel* over 5,000, 100 times": Hostile(
        lambda: _selections(5_000, " and ".join(["1 of sel*"] * 100)), "more than 20,000 tests"
    ),
    "1,000 conditions": Hostile(
        lambda: _selections(5_000, "[" + ", ".join(["1 of them"] * 1_000) + "]"), "more than 20,000 tests"
    ),
    "condition of stars": Hostile(lambda: _selections(500, "1 of " + "*" * 5_000 + "x"), "condition cannot be used"),
    "condition of selectors with brackets": Hostile(lambda: _condition("1 of [a"), "condition cannot be read"),
    # lists
    "10,000 values": Hostile(lambda: _values(READ), READ),
    "10,000 values, contains": Hostile(lambda: _values("|contains"), READ),
    "10,000 values, contains, all": Hostile(lambda: _values("|contains|all"), READ),
    "10,000 values, all": Hostile(lambda: _values("|all"), READ),
    "10,000 values, windash": Hostile(lambda: _values("|windash|contains", text=" -a{}"), "more than 20,000"),
    "10,000 values, three dashes": Hostile(lambda: _values("|windash|contains", text=" -a -b -c{}"), "more than 20,000"),
    "10,000 values, base64offset": Hostile(lambda: _values("|base64offset|contains"), "more than 20,000"),
    "10,000 values, wide, base64offset": Hostile(lambda: _values("|wide|base64offset|contains"), "more than 20,000"),
    "10,000 regular expressions": Hostile(lambda: _values("|re"), "this detection asks for more than 20,000 tests"),
    "10,000 dear regular expressions": Hostile(lambda: _values("|re", text=".*a.{{30}}{}"), "this detection asks for more than 20,000 tests"),
    "10,000 networks": Hostile(lambda: _values("|cidr", text="10.0.0.0/8"), READ),
    "10,000 networks of IPv6": Hostile(lambda: _values("|cidr", text="::/0"), READ),
    "10,000 wildcards": Hostile(lambda: _values("", text="*a?b*c?d{}*"), READ),
    "10,000 keywords": Hostile(
        lambda: _rule("  a:\n" + "".join(f"    - word{number}\n" for number in range(10_000)) + "  condition: a\n"), READ
    ),
    "10,000 maps": Hostile(
        lambda: _rule("  a:\n" + "".join(f"    - f{number}: x\n" for number in range(10_000)) + "  condition: a\n"), READ
    ),
    "many dashes": Hostile(lambda: _selection("f|windash: '" + " -a" * 20 + "'"), "at most 3 dashes"),
    "a wildcard of 100,000 stars": Hostile(lambda: _selection("f: '" + "*" * 100_000 + "'"), READ),
    "a wildcard of 100,000 question marks": Hostile(lambda: _selection("f: '" + "?" * 100_000 + "'"), "this wildcard pattern is too long"),
    "a wildcard a*a*a*...": Hostile(lambda: _selection("f: '" + "a*" * 50_000 + "'"), READ),
    # regular expressions
    "1 MB regular expression": Hostile(lambda: _selection(f"f|re: '{_LONG}'"), "at most 10,000 characters"),
    ".*a.{30}": Hostile(lambda: _selection("f|re: '.*a.{30}'"), READ),
    ".*a.{1000}": Hostile(lambda: _selection("f|re: '.*a.{1000}'"), READ),
    "(a+)+$": Hostile(lambda: _selection("f|re: '(a+)+$'"), READ),
    "counted thrice": Hostile(lambda: _selection("f|re: '((a{100}){100}){100}'"), "regular expression is not supported"),
    "counted twice": Hostile(lambda: _selection("f|re: '(a{30}){30}'"), READ),
    "classes of everything": Hostile(lambda: _selection("f|re: '(?i)" + r"[\p{L}]{1,50}" * 20 + "'"), "this regular expression is not supported"),
    "alternatives of alternatives": Hostile(lambda: _selection("f|re: '" + "(a|b|c)?" * 1_000 + "'"), READ),
    "5,000 groups in groups": Hostile(lambda: _selection("f|re: '" + "(" * 5_000 + "a" + ")" * 5_000 + "'"), "regular expression"),
    "900 groups in groups": Hostile(lambda: _selection("f|re: '" + "(" * 900 + "a" + ")" * 900 + "'"), READ),
    "look-around of look-around": Hostile(lambda: _selection("f|re: '" + "(?=" * 300 + "a" + ")" * 300 + "'"), "this regular expression is not supported"),
    "many look-arounds": Hostile(lambda: _selection("f|re: '" + "(?!a.*b)" * 1_000 + "x'"), "this regular expression is not supported"),
    "stars of stars": Hostile(lambda: _selection("f|re: '" + "(" * 50 + "a" + "*)" * 50 + "'"), READ),
    "a class of 9,000 letters": Hostile(
        lambda: _selection('f|re: "[' + "".join(chr(0x4E00 + 2 * number) for number in range(4_900)) + ']{5}"'), READ
    ),
    # texts
    "1 MB title": Hostile(lambda: _rule("  a: {f: x}\n  condition: a\n", head=HEAD.replace("T\n", f"{_LONG}\n")), "this is not a Sigma rule"),
    "1 MB description": Hostile(lambda: _rule(f"  a: {{f: x}}\n  condition: a\ndescription: {_LONG}\n"), READ),
    "1 MB field": Hostile(lambda: _selection(f"? {_LONG}\n    : x"), "a field's name has at most"),
    "a field of 500,000 dots": Hostile(lambda: _selection(f"? {'.' * 500_000}\n    : x"), "a field's name has at most"),
    "1 MB value": Hostile(lambda: _selection(f"f: {_LONG}"), READ),
    "1 MB value, contains": Hostile(lambda: _selection(f"f|contains: {_LONG}"), READ),
    "1 MB value, base64offset": Hostile(lambda: _selection(f"f|base64offset: {_LONG}"), READ),
    "1 MB keyword": Hostile(lambda: _rule(f"  a: [{_LONG}]\n  condition: a\n"), READ),
    "1 MB of modifiers": Hostile(lambda: _selection(f"? f{'|contains' * 100_000}\n    : x"), READ),
    "1 MB of condition": Hostile(lambda: _condition(_LONG), "condition is too long"),
    "1 MB key": Hostile(lambda: HEAD + f"? {_LONG}\n: x\n", "a rule needs a detection"),
    "1 MB name of a selection": Hostile(lambda: _rule(f"  ? {_LONG}\n  : {{f: x}}\n  condition: 1 of them\n"), READ),
    "1 MB tag": Hostile(lambda: _rule(f"  a: {{f: x}}\n  condition: a\ntags: [attack.{_LONG}]\n"), READ),
    "100,000 tags": Hostile(lambda: _rule("  a: {f: x}\n  condition: a\ntags: [" + "a.b," * 40_000 + "]\n"), READ),
    "control characters": Hostile(lambda: _words("a\x01\x1b[31m\x7fb"), "this regular expression is not supported"),
    "bidirectional characters": Hostile(lambda: _words("a\u202e\u2066b\u2069\u200b"), READ),
    "line ends of Unicode": Hostile(lambda: _words("a\u2028b\u0085c"), "this is not YAML"),
    "surrogates escaped": Hostile(lambda: _words("x").replace("x", '"\\ud800"'), "this is not YAML"),
    "surrogate in a regular expression": Hostile(lambda: _selection('f|re: "\\ud800.*"'), "this is not YAML"),
    "surrogate pair escaped": Hostile(lambda: _selection('f: "\\ud83d\\ude00"'), "this is not YAML"),
    "characters outside the first plane": Hostile(lambda: _words("\U0001d518\U0010fffd"), READ),
    # bytes
    "binary": Hostile(lambda: bytes(range(256)) * 1_000, "not UTF-8", placed=False),
    "NUL bytes": Hostile(lambda: HEAD.encode() + b"\0" * 1_000, "not YAML"),
    "NUL escaped": Hostile(lambda: _selection('f: "a\\0b"'), READ),
    "UTF-16 with a mark": Hostile(lambda: _condition("a").encode("utf-16"), "not UTF-8", placed=False),
    "UTF-16 without a mark": Hostile(lambda: _condition("a").encode("utf-16-le"), "not YAML"),
    "UTF-8 with a mark": Hostile(lambda: _condition("a").encode("utf-8-sig"), READ),
    "Latin-1": Hostile(lambda: _condition("a").encode() + b"author: J\xfcrgen\n", "not UTF-8", placed=False),
    "lone surrogate in UTF-8": Hostile(lambda: _condition("a").encode() + b"author: \xed\xa0\x80\n", "not UTF-8", placed=False),
    "1 MiB and a byte": Hostile(lambda: "#" * (_MEBIBYTE + 1), "larger than 1 MiB", placed=False),
    "empty": Hostile(lambda: "", READ),
    "only comments": Hostile(lambda: "# x\n" * 100_000, READ),
    "500,000 empty lines": Hostile(lambda: "\n" * 500_000 + "a: [", "not YAML"),
    "100,000 documents": Hostile(lambda: "---\n" * 100_000, "more than 500 documents", placed=False),
    # YAML
    "100,000 brackets": Hostile(lambda: "[" * 100_000, "not YAML"),
    "100,000 brackets that close": Hostile(lambda: "[" * 100_000 + "]" * 100_000, "this is not YAML"),
    "100,000 braces": Hostile(lambda: "{a: " * 100_000 + "}" * 100_000, "this is not YAML"),
    "1,000 brackets": Hostile(lambda: "a: " + "[" * 900 + "]" * 900 + "\n" + HEAD, "nested"),
    "nested by blocks": Hostile(lambda: "".join(" " * depth + "a:\n" for depth in range(1_000)), "this is not YAML"),
    "nested by dashes": Hostile(lambda: "- " * 100_000 + "a", "this is not YAML"),
    "100,000 question marks": Hostile(lambda: "? " * 100_000 + "a", "this is not YAML"),
    "100,000 anchors": Hostile(lambda: "a:\n" + "".join(f"  - &a{number} x\n" for number in range(60_000)), "this document has more than 50000 nodes"),
    "a tag of Python": Hostile(lambda: _selection("f: !!python/object/apply:os.system ['true']"), "is not part of Sigma"),
    "a tag of Python with a text": Hostile(lambda: _selection("f: !!python/name:os.system ''"), "cannot be read"),
    "binary tag": Hostile(lambda: _selection("f: !!binary aGVsbG8="), "not a value that events have"),
    "tag of our own": Hostile(lambda: _selection("f: !custom x"), "cannot be read"),
    "tag on a map": Hostile(lambda: _rule("  a: !custom {f: x}\n  condition: a\n"), "the tag '!custom' is not part of Sigma"),
    "set": Hostile(lambda: _selection("f: !!set {a, b}"), "the tag 'tag:yaml.org,2002:set' is not part of Sigma"),
    "ordered map": Hostile(lambda: _selection("f: !!omap [a: 1]"), "the tag 'tag:yaml.org,2002:omap' is not part of Sigma"),
    "integer that is none": Hostile(lambda: _selection("f: !!int x"), "cannot be read"),
    "float that is none": Hostile(lambda: _selection("f: !!float x"), "cannot be read"),
    "boolean that is none": Hostile(lambda: _selection("f: !!bool x"), "cannot be read"),
    "moment that is none": Hostile(lambda: _selection("f: !!timestamp x"), "cannot be read"),
    "null that is none": Hostile(lambda: _selection("f: !!null x"), READ),
    "YAML directive": Hostile(lambda: "%YAML 9.9\n---\n" + _condition("a"), "this is not YAML"),
    "duplicate key": Hostile(lambda: _rule("  a: {f: x}\n  a: {f: y}\n  condition: a\n"), "stands here twice"),
    "duplicate key by quotes": Hostile(lambda: _rule("  a: {f: x}\n  'a': {f: y}\n  condition: a\n"), "stands here twice"),
    "duplicate key by escape": Hostile(lambda: _rule('  a: {f: x}\n  "\\x61": {f: y}\n  condition: a\n'), "stands here twice"),
    "duplicate detection": Hostile(lambda: _condition("a") + "detection: {}\n", "stands here twice"),
    "key of a list": Hostile(lambda: _rule("  a: {[x]: y}\n  condition: a\n"), "a key must be plain text"),
    "key of a map": Hostile(lambda: _rule("  a: {{x: y}: z}\n  condition: a\n"), "a key must be plain text"),
    "key of a number": Hostile(lambda: _rule("  a: {1: x, 2.5: y}\n  condition: a\n"), READ),
    "key of null": Hostile(lambda: _rule("  a: {null: x, ~: y}\n  condition: a\n"), READ),
    "empty key": Hostile(lambda: _rule("  a: {? : x}\n  condition: a\n"), READ),
    "key of a truth value": Hostile(lambda: _rule("  a: {yes: x, true: y}\n  condition: a\n"), READ),
    "selection called 1": Hostile(lambda: _rule("  1: {f: x}\n  condition: 1\n"), "a detection needs a condition: text, or a list of texts"),
    # values
    "1e999": Hostile(lambda: _selection("f: 1e999"), READ),
    "1.0e+999": Hostile(lambda: _selection("f: 1.0e+999"), "a number must be finite"),
    ".nan": Hostile(lambda: _selection("f: .nan"), "a number must be finite"),
    "-.inf": Hostile(lambda: _selection("f|lt: -.inf"), "a number must be finite"),
    "hexadecimal": Hostile(lambda: _selection("f: 0x1F"), READ),
    "huge hexadecimal": Hostile(lambda: _selection("f: 0x" + "F" * 100_000), "this number is too large to be compared exactly"),
    "a numeral of 100,000 digits": Hostile(lambda: _selection("f: " + "9" * 100_000), "this value cannot be read"),
    "a binary numeral of 100,000 digits": Hostile(lambda: _selection("f: 0b" + "1" * 100_000), "this number is too large to be compared exactly"),
    "octal": Hostile(lambda: _selection("f: 0755"), READ),
    "sexagesimal": Hostile(lambda: _selection("f: 1:30"), READ),
    "sexagesimal without end": Hostile(lambda: _selection("f: 1" + ":59" * 10_000), "this number is too large to be compared exactly"),
    "sexagesimal fraction": Hostile(lambda: _selection("f: 1" + ":59" * 10_000 + ".5"), "this value cannot be read"),
    "numeral with low lines": Hostile(lambda: _selection("f: 1_000"), READ),
    "2**53 + 1": Hostile(lambda: _selection(f"f: {2**53 + 1}"), "too large"),
    "a date": Hostile(lambda: _selection("f: 2024-01-01"), "not a value that events have"),
    "a date, gte": Hostile(lambda: _selection("f|gte: 2024-01-01"), READ),
    "a moment": Hostile(lambda: _selection("f: 2024-01-01T00:00:00Z"), "not a value that events have"),
    "a day that is none": Hostile(lambda: _selection("f: 2024-02-30"), "cannot be read"),
    "an offset that is none": Hostile(lambda: _selection("f|gte: 2024-01-01T00:00:00+99:99"), "this value cannot be read"),
    "a moment of year 1": Hostile(lambda: _selection("f|gte: 0001-01-01T00:00:00+14:00"), READ),
    "yes": Hostile(lambda: _selection("f: yes"), READ),
    "exists: no": Hostile(lambda: _selection("f|exists: no"), READ),
    "exists: maybe": Hostile(lambda: _selection("f|exists: maybe"), "takes true or false"),
    "a map as value": Hostile(lambda: _selection("f: {g: x}"), "a map inside a field"),
    "a list in a list": Hostile(lambda: _selection("f: [[x]]"), "a list inside a list"),
    "null, contains": Hostile(lambda: _selection("f|contains: null"), "null does not go with"),
    "keyword null": Hostile(lambda: _rule("  a: [null]\n  condition: a\n"), "null needs a field"),
    "keyword *": Hostile(lambda: _rule("  a: ['*']\n  condition: a\n"), "a keyword must have a letter"),
    "keywords deep": Hostile(lambda: _rule("  a: " + "[" * 25 + "x" + "]" * 25 + "\n  condition: a\n"), READ),
    "title of a number": Hostile(lambda: _rule("  a: {f: x}\n  condition: a\n", head=HEAD.replace("T\n", "1\n")), "needs a title"),
    "id of a number": Hostile(lambda: _rule("  a: {f: x}\n  condition: a\n", head=HEAD.replace("6f0b2a0e-2a35-4f3c-9a5e-0d6c1b7f3a11", "1")), "must be a UUID"),
    "everything a list": Hostile(lambda: "title: [x]\nid: [x]\nlogsource: [x]\ndetection: [x]\n", "a rule needs a logsource"),
    "level of a list": Hostile(lambda: _condition("a") + "level: [high]\n", "this is not a Sigma rule"),
    "tags of a map": Hostile(lambda: _condition("a") + "tags: {a: b}\n", "this is not a Sigma rule"),
    "date of a list": Hostile(lambda: _condition("a") + "date: [1]\n", "this is not a Sigma rule"),
    "related of a text": Hostile(lambda: _condition("a") + "related: x\n", "this is not a Sigma rule"),
    "related of texts": Hostile(lambda: _condition("a") + "related: [x]\n", "this is not a Sigma rule"),
    "references of maps": Hostile(lambda: _condition("a") + "references: [{a: b}]\n", READ),
    "fields of a number": Hostile(lambda: _condition("a") + "fields: 1\n", "this is not a Sigma rule"),
    "taxonomy of a list": Hostile(lambda: _condition("a") + "taxonomy: [1]\n", "this is not a Sigma rule"),
    "detection of null": Hostile(lambda: HEAD + "detection:\n", "needs a detection"),
    "selection of null": Hostile(lambda: _rule("  a:\n  condition: a\n"), "null needs a field"),
    "condition of a map": Hostile(lambda: _rule("  a: {f: x}\n  condition: {a: b}\n"), "needs a condition"),
    # actions
    "action: repeat 499 times": Hostile(lambda: _repeated(499), "share too much"),
    "200 rules that are as large as can be": Hostile(lambda: _dashes(200), "ask for more than 30,000 tests"),
    "action: global with 498 rules": Hostile(lambda: _shared(498), "share too much"),
    "action of a list": Hostile(lambda: HEAD + "action: [global]\n", "action must be one of"),
    # other kinds of rules
    "correlation of everything": Hostile(
        lambda: "title: C\ncorrelation:\n  type: event_count\n  rules: ["
        + ", ".join(f"r{number}" for number in range(10_000)) + "]\n  group-by: [a]\n  timespan: 1h\n  condition: {gte: 1}\n", "rules takes at most 50 texts"
    ),
    "correlation without anything": Hostile(lambda: "title: C\ncorrelation: {}\n", "a correlation needs a type"),
    "correlation of a list": Hostile(lambda: "title: C\ncorrelation: [x]\n", "a correlation must be a map"),
    "timespan without end": Hostile(
        lambda: "title: C\ncorrelation:\n  type: event_count\n  rules: [a]\n  group-by: [a]\n  timespan: "
        + "9" * 10_000 + "d\n  condition: {gte: 1}\n", "this timespan is too long"
    ),
    "correlation of itself": Hostile(
        lambda: "title: C\nname: c\ncorrelation:\n  type: event_count\n  rules: [c]\n  group-by: [a]\n  timespan: 1h\n  condition: {gte: 1}\n", "this correlation names itself, directly or through others"
    ),
    "correlation by a dear condition": Hostile(
        lambda: "title: C\ncorrelation:\n  type: temporal\n  rules: [a]\n  group-by: [a]\n  timespan: 1h\n  condition: "
        + "(" * 5_000 + "a" + ")" * 5_000 + "\n", "this condition is too long"
    ),
    "filter on everything": Hostile(
        lambda: "title: F\nlogsource: {product: aws}\nfilter:\n  rules: any\n  a:\n    f: ["
        + ", ".join(f"v{number}" for number in range(10_000)) + "]\n  condition: not a\n", READ
    ),
    "filter of a list": Hostile(lambda: "title: F\nlogsource: {product: aws}\nfilter: [x]\n", ""),
}  # fmt: skip


def content(case: Hostile) -> bytes:
    """What to write into the file."""
    made: Any = case.content()
    return made if isinstance(made, bytes) else made.encode("utf-8", "surrogatepass")
