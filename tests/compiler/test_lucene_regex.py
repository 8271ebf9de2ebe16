"""Regular expressions as Lucene's: no text that RE2 finds the pattern in is missed, by any translation."""

import json
import random
import sys
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml

from osdetect.cluster import Cluster, Connection
from osdetect.compiler.lucene_effort import within_effort
from osdetect.compiler.lucene_regex import Fit, LuceneRegex, lucene_regex, regex_query
from osdetect.expr import Regex
from osdetect.expr.predicates import check_pattern, predicate
from osdetect.expr.regex_sets import contains, lowered, of
from osdetect.expr.regex_syntax import Unreadable, parse
from osdetect.expr.required_literals import required_literals
from osdetect.expr.values import fold_case

INDEX = "osdetect-regex-test"
PATH = "text"

TRANSLATED = [
    # pattern, flags, Lucene's expression, fit
    ("abc", "", ".*abc.*", Fit.CASE),
    ("^Get[A-Z]", "", "get[a-z].*", Fit.CASE),
    ("^abc$", "", "abc", Fit.CASE),
    (r"\Aabc\z", "m", "abc", Fit.CASE),
    ("^$", "", "()", Fit.SAME),
    ("a|^b$|c$", "", r".*a.*|b|.*c", Fit.CASE),
    ("(^|/)x$", "", r"x|.*\/x", Fit.CASE),
    ("(?m)^a$", "", "(.*\n)?a(\n.*)?", Fit.CASE),
    (r"\bab\b", "", r"(.*[^0-9\_a-hjl-z])?ab([^0-9\_a-hjl-z].*)?", Fit.CASE),
    ("a*?b+?c??", "", ".*b.*", Fit.CASE),
    ("x{2,5}a{3,}y{4}", "", ".*x{2}a{3,}y{4}.*", Fit.CASE),
    ("(?i)k", "", ".*k.*", Fit.SAME),
    ("(?i:S)t", "", ".*[s\u017f]t.*", Fit.CASE),
    ("x[^a]y", "", ".*x.y.*", Fit.CASE),  # the lower case of "not a" is anything: A is not a
    ("x.y", "", ".*x[^\n]y.*", Fit.CASE),
    ("x.y", "s", ".*x.y.*", Fit.CASE),
    ("x#@&<>~y", "", r".*x\#\@\&\<\>\~y.*", Fit.CASE),
    ("\U0001d518\\x{1F600}", "", ".*\U0001d518\U0001f600.*", Fit.SAME),
    (r"x\pLy", "", ".*x.y.*", Fit.MORE),
    ("a^b", "", None, Fit.SAME),
    (r"[\\-_]", "", r".*[\\\]-\_].*", Fit.SAME),
    (r"[W-\\]", "", r".*[\[\\w-z].*", Fit.CASE),
    ("-{4}[^0-9]$", "", r".*\-{4}[^0-9]", Fit.SAME),
    (".*a.{30}", "", ".*a[^\n]{8}.*", Fit.MORE),
    ("(?:^a)*b", "", ".*b.*", Fit.MORE),
    ("", "", ".*", Fit.SAME),
]  # fmt: skip


@pytest.mark.parametrize(
    ("pattern", "flags", "lucene", "fit"), TRANSLATED, ids=[row[0] for row in TRANSLATED]
)
def test_a_pattern_becomes_an_expression_for_the_whole_term(
    pattern: str, flags: str, lucene: str | None, fit: Fit
) -> None:
    assert lucene_regex(pattern, flags) == LuceneRegex(lucene, fit)


LITERALS = [
    ("(Foo|ba[rz]).*x+=", (("bar", "baz", "foo"), ("x=",))),
    ("abc", (("abc",),)),
    ("a|", ()),
    ("(?:ab){2,}c?", (("ab",),)),
    (r"\.exe\s+-f", ((".exe",), ("-f",))),
    ("(?i)us", (("us", "u\u017f"),)),
    (".*", ()),
    (r"^a\bb$", (("ab",),)),
    ("a(?=bc)", (("bc",), ("a",))),
    ("x" * 200, (("x" * 90,),)),
    ("|".join(f"foo{number}" for number in range(900)), (("foo0", "foo1", "foo2", "foo3", "foo4", "foo5", "foo6", "foo7", "foo8", "foo9"),)),
    (r"(a)\1", ()),
]  # fmt: skip


@pytest.mark.parametrize(("pattern", "literals"), LITERALS, ids=[row[0][:20] for row in LITERALS])
def test_a_pattern_requires_literals(pattern: str, literals: tuple[tuple[str, ...], ...]) -> None:
    assert required_literals(pattern) == literals


def test_look_around_asks_for_what_must_be_found() -> None:
    found = regex_query(PATH, Regex("^(?!.*x)(?=.*y)abc"))
    expressions = [r"abc.*", "[^\n]*y.*"]
    queries = [{"regexp": {PATH: {"value": one, "flags": "NONE"}}} for one in expressions]
    assert found == ({"bool": {"filter": queries}}, Fit.MORE)
    assert regex_query(PATH, Regex("^(?!.*x)")) is None


HOSTILE = (
    "a" * 1_000_000,
    "(a|b)" * 200_000,
    ".*a.{30}",
    ".*a.{30}b.{30}c.{30}",
    "(a|b|c|d|e|f|g|h){1000}",
    "(" * 50 + "a" + ")*" * 50,
    "(" * 200 + "a" + ")*" * 200,
    "((a{10}){10}){10}x",
    "(?:(?:(?:a|ab|abc)+b?){1,30}c){1,30}",
    "(?:a?){30}a{30}",
    "(x+x+)+y",
    r"\w{1000}",
    r"(\ba\b|b)" * 500,
    "(^|a)" * 300,
    "[^k]" * 999,
    "(?i)" + "[à-ž]" * 300,
    "|".join(f"{number:x}" for number in range(5_000)),
    "x|" * 9_999,
    "." * 900,
    "(.{0,900}a){1}.{0,900}b",
    "[" + "".join(chr(point) for point in range(0x4E00, 0x6000, 2)) + "]{9}x",
    "(?=a)" * 3_000 + "b",
    "(?:(?:(?:" * 20 + "a" + "|b)+c)?d){1,2}" * 20,
)


@pytest.mark.node
def test_hostile_patterns_are_bounded_and_the_node_does_them_easily(fresh_cluster: str) -> None:
    with Cluster.connect(Connection(url=fresh_cluster)) as cluster:
        _store(cluster, ["a" * 1_000, "b" * 8_000, "ab" * 4_000])
        for pattern in HOSTILE:
            began = time.monotonic()
            if check_pattern(Regex(pattern)) is None:
                _search(cluster, [Regex(pattern)])
            assert time.monotonic() - began < 5  # under a second on an idle machine; tests share theirs
        assert cluster.request("GET", "/_cluster/health")["status"] in {"green", "yellow"}


def test_what_is_too_much_work_is_known_beforehand() -> None:
    assert within_effort(parse("a.{5}"))
    assert not within_effort(parse(".*a.{30}", "s"))
    assert not within_effort(parse("(?:a{100}){100}"))


@pytest.mark.parametrize("pattern", ["(", "a)", "*", "a**", r"\C", r"\1", "[a", r"\p", "(?<n", "a" * 20_001])
def test_what_is_not_read_is_any_event(pattern: str) -> None:
    with pytest.raises(Unreadable):
        parse(pattern)
    assert lucene_regex(pattern) is None
    assert regex_query(PATH, Regex(pattern)) is None


ATOMS = (
    "a", "b", "B", "k", "s", "I", "[ab]", "[^a]", "[^A-Z]", "[A-Cx]", ".", r"\w", r"\W", r"\d", r"\s", r"\S", "\n", "-", r"\.",
    "(?i:k)", "(?i:\u017f)", "(?i:[^k])", "(?s:.)", "İ", "ß", "Σ", "😀", r"\x{1F600}", r"\pL", "[[:upper:]]", r"[\W\d]", r"\?",
    '"', "#", "@", "&", "~", "<1-9>", r"\\", r"\Qa.b\E", "\u1c89", "\ufffd", "{", "}", r"\]", "(?i:[[:^alpha:]])", "^", "$", r"\b", r"\B", r"\A", r"\z",
    "(?m:^)", "(?m:$)",
)  # fmt: skip
ALPHABET = (
    'aAbBkK\u212asS\u017fIiİ\u0131ßẞ\u03c3Σς\n -.?\ufffd"#@&~<>19\\]{}_😀\U0001d518\u1c89\u1c8a\u00e9\u00c9x'
)


def _made(chance: random.Random, depth: int) -> str:
    kind = chance.random()
    if depth == 0 or kind < 0.35:
        return chance.choice(ATOMS)
    if kind < 0.7:
        return "".join(_made(chance, depth - 1) for _ in range(chance.randint(1, 3)))
    if kind < 0.8:
        return f"({_made(chance, depth - 1)}|{_made(chance, depth - 1)})"
    if kind < 0.93:
        times = chance.choice(["*", "+", "?", "*?", "+?", "{2}", "{1,3}", "{2,}", "{0,2}?", "{40}"])
        return f"(?:{_made(chance, depth - 1)}){times}"
    return chance.choice(["(?!{})", "(?={})", "(?<!{})", "(?<={})", "(?i:{})", "(?P<n>{})"]).format(
        _made(chance, depth - 1)
    )


def _tests(chance: random.Random, count: int) -> list[Regex]:
    made: list[Regex] = []
    while len(made) < count:
        begin, end = chance.choice(["", "", "^"]), chance.choice(["", "", "$"])
        test = Regex(
            begin + _made(chance, 3) + end, "".join(letter for letter in "ims" if chance.random() < 0.2)
        )
        if check_pattern(test) is None:
            made.append(test)
    return made


def _texts(chance: random.Random, count: int) -> list[str]:
    return ["".join(chance.choices(ALPHABET, k=chance.choice([0, 1, 1, 2, 3, 5, 50]))) for _ in range(count)]


def _store(cluster: Cluster, texts: Iterable[str]) -> None:
    field = {"type": "keyword", "normalizer": "lowercase", "ignore_above": 8_191}
    cluster.request("DELETE", f"/{INDEX}", accept=(404,))
    settings = {"number_of_shards": 1, "number_of_replicas": 0}
    cluster.request(
        "PUT",
        f"/{INDEX}",
        body=orjson.dumps({"settings": settings, "mappings": {"properties": {PATH: field}}}),
    )
    lines = (
        orjson.dumps({"create": {"_index": INDEX, "_id": str(number)}})
        + b"\n"
        + orjson.dumps({PATH: text})
        + b"\n"
        for number, text in enumerate(texts)
    )
    outcomes = cluster.bulk(list(lines), params={"refresh": "true"})
    assert [outcome.reason for outcome in outcomes if not outcome.created] == []


def _search(cluster: Cluster, tests: Sequence[Regex]) -> list[tuple[set[int], Fit]]:
    """For each test the numbers of the texts that its query finds, and how exact that is."""
    asked = [regex_query(PATH, test) or ({"match_all": {}}, Fit.MORE) for test in tests]
    body = b"".join(
        b"{}\n" + orjson.dumps({"size": 10_000, "_source": False, "query": query}) + b"\n"
        for query, _ in asked
    )
    replies = cluster.request("POST", f"/{INDEX}/_msearch", body=body)["responses"]
    refused = [(test, reply["error"]) for test, reply in zip(tests, replies, strict=True) if "error" in reply]
    assert refused == []
    found = [{int(hit["_id"]) for hit in reply["hits"]["hits"]} for reply in replies]
    return [(numbers, fit) for numbers, (_, fit) in zip(found, asked, strict=True)]


def _compare(cluster: Cluster, seed: int, patterns: int, texts: int) -> Counter[Fit]:
    chance = random.Random(seed)
    tests, values = _tests(chance, patterns), _texts(chance, texts)
    values += [fold_case(text) for text in values]
    _store(cluster, values)
    counted: Counter[Fit] = Counter()
    for test, (found, fit) in zip(tests, _search(cluster, tests), strict=True):
        holds = predicate(test)
        held = {number for number, text in enumerate(values) if holds(text)}
        assert [(test, values[number]) for number in held - found] == []
        if fit is Fit.SAME:
            assert [(test, values[number]) for number in found - held] == []
        counted[fit] += 1
    return counted


@pytest.mark.node
def test_two_thousand_random_pairs_miss_no_text(fresh_cluster: str) -> None:
    with Cluster.connect(Connection(url=fresh_cluster)) as cluster:
        counted = _compare(cluster, 1, patterns=150, texts=40)
    assert min(counted[fit] for fit in Fit) > 5  # each kind of translation occurs


@pytest.mark.node
@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", range(2, 12))
def test_two_hundred_thousand_random_pairs_miss_no_text(fresh_cluster: str, seed: int) -> None:
    with Cluster.connect(Connection(url=fresh_cluster)) as cluster:
        _compare(cluster, seed, patterns=250, texts=60)


@pytest.mark.node
def test_a_capital_is_lowered_as_the_node_lowers_it(fresh_cluster: str) -> None:
    points = [point for point in range(1, sys.maxunicode + 1) if not 0xD800 <= point <= 0xDFFF]
    with Cluster.connect(Connection(url=fresh_cluster)) as cluster:
        _store(cluster, [])
        for start in range(0, 0x20000, 8_000):
            asked = "".join(map(chr, points[start : start + 8_000]))
            body = orjson.dumps({"normalizer": "lowercase", "text": asked})
            term = cluster.request("POST", f"/{INDEX}/_analyze", body=body)["tokens"][0]["token"]
            for point, low in zip(asked, term, strict=True):
                if point != low:
                    assert contains(lowered(of(point)), ord(low))


def _public_tests(rules: Path) -> list[Regex]:
    """Every value of a key with the modifier `re` in the public rules."""
    found: dict[Regex, None] = {}
    for file in sorted(rules.rglob("*.y*ml")):
        text = file.read_text(errors="replace")
        if "|re" in text:
            pending: list[Any] = list(yaml.safe_load_all(text))
            while pending:
                here = pending.pop()
                pending += here if isinstance(here, list) else ()
                for key, value in here.items() if isinstance(here, dict) else ():
                    pending.append(value)
                    modifiers = str(key).split("|")[1:]
                    if "re" in modifiers:
                        flags = "".join(sorted(set(modifiers) & set("ims")))
                        found |= {
                            Regex(str(one), flags): None
                            for one in (value if isinstance(value, list) else [value])
                        }
    return list(found)


@pytest.mark.node
def test_the_node_takes_every_regular_expression_of_the_public_rules(
    fresh_cluster: str, shared: Path
) -> None:
    tests = _public_tests(shared / "data" / "rules")
    with Cluster.connect(Connection(url=fresh_cluster)) as cluster:
        _store(cluster, [json.dumps(test.pattern) for test in tests])
        counted = Counter(fit for _, fit in _search(cluster, tests))
    assert len(tests) > 100
    assert sum(regex_query(PATH, test) is None for test in tests) == 0
    assert counted[Fit.SAME] + counted[Fit.CASE] >= 0.85 * len(
        tests
    )  # 119 of 133; the rest is found, and more
