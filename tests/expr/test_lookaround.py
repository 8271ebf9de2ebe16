"""Look-around rewritten for RE2 finds what Python's own engine, which has look-around, finds."""

import random
import re
import sys
from collections.abc import Iterator

import pytest
import re2

from osdetect.expr.lookaround import conjuncts
from osdetect.expr.nodes import Regex
from osdetect.expr.predicates import check_pattern, predicate
from osdetect.expr.regex_sets import any_case
from osdetect.expr.regex_syntax import Unreadable, parse

FOUND = [
    # pattern, flags, texts that it is found in, texts that it is not found in
    ("^(?!.*x)(?=.*y)abc", "", ["abcy", "abc y"], ["abc", "abcxy", "yabc", ""]),
    ("foo(?=bar)", "", ["xfoobar"], ["foo", "foobaz"]),
    ("foo(?!bar)", "", ["foo", "foob", "fooba", "foobaz", "foobarfoo"], ["foobar", "fo"]),
    ("foo(?![a-z])", "", ["foo", "foo1", "fooA"], ["foob", "fo"]),
    ("foo(?![a-z])", "i", ["FOO", "foo1"], ["fooA", "foo\u212a"]),
    ("(?<=bar)foo", "", ["barfoo"], ["foo", "ba foo"]),
    ("(?<!bar)foo", "", ["foo", "arfoo", "xarfoo", "barfoo foo"], ["barfoo"]),
    (r'(?<!\\)"', "", ['"', 'a"', '\\""'], ['\\"', ""]),
    (r"a(?<!x+)\.b(?!c)", "", ["a.b", "xa.bd"], ["a.bc"]),
    ("(?<!a+)b", "", ["b", "cb"], ["ab", "aab"]),
    (r"\.exe(?!\.config|\.mui)", "", ["a.exe", "a.exe.", "a.exe.con"], ["a.exe.config", "a.exe.mui"]),
    ("abc(?<!x+abc)$", "", ["abc", "yabc"], ["xabc", "xxabc", "abcd"]),
    ("^(?:(?!foo).)*$", "", ["", "fo", "bar"], ["foo", "a foo b", "a\n"]),
    (r"^arn:(?!aws:iam)[a-z]+", "", ["arn:aws:s3", "arn:x"], ["arn:aws:iam", "arn:"]),
    ('"[^"]*+"', "", ['"a"', '""'], ['"a', ""]),
    ("(?!a?)", "", [], ["", "a", "b"]),
    ("(?>a|ab)", "", ["a", "ab"], ["b"]),
    (r"a(?=\d)\w+b(?!$)", "", ["a1bc"], ["axbc", "a1b"]),
    ("(?m)^(?!#)a", "", ["a", "#\na"], ["#a", "b"]),
    ("(?:foo(?=x)|bar(?!x))", "", ["foox", "bar", "bary"], ["foo", "barx"]),
]  # fmt: skip


@pytest.mark.parametrize(("pattern", "flags", "found", "others"), FOUND, ids=[row[0] for row in FOUND])
def test_look_around_is_rewritten_exactly(
    pattern: str, flags: str, found: list[str], others: list[str]
) -> None:
    decide = predicate(Regex(pattern, flags))
    assert [text for text in found if not decide(text)] == []
    assert [text for text in others if decide(text)] == []


@pytest.mark.parametrize("pattern", ["abc", "(?i)a+?", "[(?=]", r"\(?=a", r"a\++", "(?:a|b)*", "a{2}"])
def test_patterns_without_look_around_are_left_alone(pattern: str) -> None:
    assert conjuncts(pattern) is None


@pytest.mark.parametrize(
    "pattern",
    [
        r"(a)\1",
        "a(?=b+c)b+",
        "(?!foo.*bar)x",
        "(?=a)*",
        "(?<!ca+)b",
        "a*+a?b",
        "(?>a*?)b",
        "(?:a(?!bc))*d",
        "(?=a",
        "(?(1)a|b)",
        "(?=" * 100 + "a" + ")" * 100,
        r"(?!\pL)a",
        "(?!" + "|".join(f"{number:03}" for number in range(100)) + ")x",
    ],
)
def test_what_cannot_be_rewritten_is_refused_in_the_words_of_re2(pattern: str) -> None:
    assert conjuncts(pattern) is None
    assert check_pattern(Regex(pattern)) is not None


def test_hostile_look_around_is_bounded() -> None:
    for pattern in (
        "(?=a)" * 3_000,
        "(?=a)" * 40 + r"\b" * 1_000,
        "^" + "(?!.*a{900}b)" * 100,
        "(?:a(?!b)|c(?!d)|e(?!f)|g(?!h))" * 25,
        "(?!" + "[ab]" * 500 + ")",
        "(?:" * 79 + "(?=a)" + "){8}" * 79,
        "(?=" * 5_000,
    ):
        check_pattern(Regex(pattern))  # that it ends in time is the test: the whole suite has a limit


PIECES = ("a", "b", "[ab]", "[^a]", ".", "c", r"\w", r"\W", "\n", "-", "(?i:a)", "k")
LOOKS = ("(?=", "(?!", "(?<=", "(?<!")


def _made(chance: random.Random, depth: int) -> str:
    """A random pattern, whose meaning to Python under re.ASCII is RE2's; `$` is written so that it is."""
    kind = chance.random()
    if depth == 0 or kind < 0.3:
        return chance.choice(PIECES)
    if kind < 0.6:
        return "".join(_made(chance, depth - 1) for _ in range(chance.randint(1, 3)))
    if kind < 0.7:
        return f"(?:{_made(chance, depth - 1)}|{_made(chance, depth - 1)})"
    if kind < 0.8:
        return f"(?:{_made(chance, depth - 1)}){chance.choice(['*', '+', '?', '{2}', '{1,2}', '*?', '*+', '?+'])}"
    if kind < 0.9:
        return chance.choice(["^", r"(?!\n|.)", r"\b", "WITHIN"])
    return f"{chance.choice(LOOKS)}{_made(chance, depth - 1)})"


def _pattern(chance: random.Random) -> str:
    middle = _made(chance, 3)
    before = "".join(f"{chance.choice(LOOKS)}{_made(chance, 2)})" for _ in range(chance.randint(0, 2)))
    after = "".join(f"{chance.choice(LOOKS)}{_made(chance, 2)})" for _ in range(chance.randint(0, 2)))
    begin, end = chance.choice(["", "^", "^ab"]), chance.choice(["", "", "END"])
    tempered = f"(?:(?!{_made(chance, 2)}).)*" if chance.random() < 0.1 else ""
    return begin + before + tempered + middle + after + end


def _text(chance: random.Random) -> str:
    return "".join(chance.choice("aabbck-A\n\u212a") for _ in range(chance.randint(0, 6)))


def _rewritten(seed: int, count: int) -> Iterator[tuple[str, re.Pattern[str]]]:
    chance = random.Random(seed)
    found = 0
    while found < count:
        pattern = _pattern(chance)
        ours = pattern.replace("END", "$").replace("WITHIN", r"\B")
        theirs = pattern.replace("END", r"\Z").replace("WITHIN", r"(?!\b)")  # before 3.14, \B is not in ""
        if conjuncts(ours) is None:
            continue
        try:
            oracle = re.compile(theirs, re.ASCII)
        except re.error:  # Python has no look-behind of varying width, and takes ^* for an error
            continue
        found += 1
        yield ours, oracle


def _differences(seed: int, patterns: int, texts: int) -> tuple[list[tuple[str, str]], int]:
    chance = random.Random(-seed)
    wrong, hits = [], 0
    for pattern, oracle in _rewritten(seed, patterns):
        decide = predicate(Regex(pattern))
        for text in (_text(chance) for _ in range(texts)):
            expected = oracle.search(text) is not None
            hits += expected
            if decide(text) != expected:
                wrong.append((pattern, text))
    return wrong, hits


def test_random_look_around_is_what_python_finds() -> None:
    wrong, hits = _differences(1, patterns=400, texts=20)
    assert wrong == []
    assert 500 < hits < 7_500  # both answers are common


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", range(2, 12))
def test_much_random_look_around_is_what_python_finds(seed: int) -> None:
    wrong, _ = _differences(seed, patterns=2_000, texts=20)
    assert wrong == []


def test_letter_case_is_folded_as_re2_folds_it() -> None:
    cased = [point for point in range(sys.maxunicode + 1) if chr(point).lower() != chr(point).upper()]
    everything = "".join(map(chr, cased))
    assert len(cased) > 2_800
    for point in cased:
        ours = {chr(one) for first, last in any_case(((point, point),)) for one in range(first, last + 1)}
        theirs = re2.compile(f"(?i)\\x{{{point:x}}}")  # type: ignore[no-untyped-call]  # re2 is untyped
        assert set(theirs.findall(everything)) == ours


def test_a_pattern_is_read_up_to_a_length() -> None:
    parse("a" * 20_000)
    with pytest.raises(Unreadable, match="longer"):
        parse("a" * 20_001)
