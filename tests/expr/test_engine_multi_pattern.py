"""Many tests decided together are decided as each is alone."""

import ipaddress
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from osdetect.expr import Boolean, Cidr, Compare, Equals, Gap, Number, Regex, Wildcard
from osdetect.expr.engine.multi_pattern import MultiPattern
from osdetect.expr.engine.networks import literals_of
from osdetect.expr.predicates import ValueTest, predicate

_LETTERS = 'aAbB*?\\/"%. 1\n\u0130ßΣς\U0001f600\0'
texts = st.text(alphabet=_LETTERS + "\ud800", max_size=6)
unicode_texts = st.text(alphabet=_LETTERS, max_size=6)
patterns = st.lists(st.one_of(unicode_texts, st.sampled_from(Gap)), max_size=5).map(tuple)
flags = st.sets(st.sampled_from("ims")).map(lambda chosen: "".join(sorted(chosen)))
numbers = st.one_of(st.integers(-2, 3), st.sampled_from([0.5, 1.0, 1e300]))
regexes = [
    "a",
    "^a",
    "b$",
    "a|b",
    "[^a]+",
    "",
    "^$",
    r"\A\z",
    r"(?i)A\b",
    "(?m)^b$",
    ".{3}",
    "ß",
    "😀+",
    r"\x00",
    "^aB",
    r"(?i)\bAb$",
]
tests: st.SearchStrategy[ValueTest] = st.one_of(
    st.builds(Equals, texts, st.booleans()),
    st.builds(Wildcard, patterns, st.booleans()),
    st.builds(Regex, st.sampled_from(regexes), flags),
    st.builds(Cidr, st.sampled_from(["10.0.0.0/8", "2001:db8::/32", "0.0.0.0/0"])),
    st.builds(Number, numbers),
    st.builds(Compare, st.sampled_from(["lt", "lte", "gt", "gte"]), numbers),
    st.builds(Boolean, st.booleans()),
)
scalars = st.one_of(
    st.none(),
    st.booleans(),
    numbers,
    texts,
    st.sampled_from(["10.1.2.3", "2001:db8::1", "true", "FALSE", "9" * 400, "1e3", "a" * 9_000]),
)
values = st.recursive(scalars, lambda inner: st.dictionaries(texts, inner, max_size=3), max_leaves=4)


def _named(listed: Sequence[ValueTest]) -> list[tuple[str, ValueTest]]:
    return [(f"t{place}", test) for place, test in enumerate(listed)]


def _one_by_one(listed: Sequence[ValueTest], value: Any) -> tuple[str, ...]:
    return tuple(name for name, test in _named(listed) if predicate(test)(value))


@settings(max_examples=300)
@given(st.lists(tests, max_size=60), st.lists(values, max_size=8))
def test_tests_decided_together_are_decided_as_each_is_alone(
    listed: list[ValueTest], given: list[Any]
) -> None:
    together = MultiPattern.of(_named(listed))
    for value in given:
        assert together.decide(value) == _one_by_one(listed, value)


@given(
    st.lists(st.builds(Wildcard, patterns, st.booleans()), min_size=40, max_size=80),
    st.lists(texts, max_size=8),
)
def test_many_wildcards_are_decided_as_each_is_alone(listed: list[ValueTest], given: list[str]) -> None:
    together = MultiPattern.of(_named(listed))
    for text in given:
        assert together.decide(text * 3) == _one_by_one(listed, text * 3)


def test_patterns_that_need_more_memory_than_a_set_may_take_are_still_decided() -> None:
    listed = [Regex(rf"(x{place}|[a-y]{{300}})[a-y]{{600}}") for place in range(40)] + [Regex("x7")]
    together = MultiPattern.of(_named(listed))
    for text in ("x7" * 3, "x7x8x9", "a" * 1_300, ""):
        assert together.decide(text) == _one_by_one(listed, text)


def test_a_set_that_runs_out_of_states_still_decides() -> None:
    listed = [Regex(rf"(a|b)*a(a|b){{{length}}}c") for length in range(8, 20)]
    together = MultiPattern.of(_named(listed))
    for text in ("ab" * 5_000 + "c", "abbabaab" * 3_000 + "c", "b" * 100 + "c"):
        assert together.decide(text) == _one_by_one(listed, text)


def test_half_a_surrogate_pair_in_a_literal_or_in_a_value_is_no_obstacle() -> None:
    listed = [Wildcard((Gap.ANY, f"{letter}\ud800", Gap.ANY)) for letter in "abcdefghijklmnopqrstuvwxyz"]
    together = MultiPattern.of(_named([*listed, Wildcard(("x", Gap.ANY)), Regex("x$")]))
    for text in ("xc\ud800", "xc\ud801", "c", "c\ud800x", "?"):
        assert together.decide(text) == _one_by_one([*listed, Wildcard(("x", Gap.ANY)), Regex("x$")], text)


@settings(max_examples=200)
@given(st.lists(tests, max_size=40), st.lists(texts, max_size=12))
def test_many_texts_are_decided_as_each_is_alone(listed: list[ValueTest], given: list[str]) -> None:
    together = MultiPattern.of(_named(listed))
    assert together.places_of_texts(given) == [together.places(text) for text in given]


@pytest.mark.parametrize(
    "pattern", ["^a", "a$", r"a\b", r"\Aa", "(?m)^a$", r"a(?!\n)", r"(?=a)", "a.b", "(?s)a.b", "[^x]b"]
)
def test_a_pattern_is_not_found_across_texts(pattern: str) -> None:
    test = Regex(pattern)
    together = MultiPattern.of([("r", test)])
    given = ["x", "a", "b", "ab", "bx", "axb"]
    assert together.places_of_texts(given) == [[0] if predicate(test)(text) else [] for text in given]


@pytest.mark.parametrize(
    "text", ["10.0.0.1", "010.0.0.1", "10.0.0.1 ", "10.1", "::ffff:10.0.0.1", "1\0", "fe80::1%eth0", "x"]
)
def test_an_address_is_in_a_network_as_the_test_alone_says(text: str) -> None:
    listed = [
        Cidr(network)
        for network in ("10.0.0.0/8", "10.0.0.1/32", "::/0", "fe80::/10", "0.0.0.0/0", "::ffff:0:0/96")
    ]
    assert MultiPattern.of(_named(listed)).decide(text) == _one_by_one(listed, text)


def test_one_name_may_stand_for_several_tests() -> None:
    together = MultiPattern.of([("n", Equals("a")), ("n", Equals("A", cased=True)), ("m", Wildcard(("a",)))])
    assert together.decide("A") == ("n", "n", "m")


@pytest.mark.parametrize("value", [None, "", "x", 0, True, {}])
def test_no_tests_hold_for_nothing(value: object) -> None:
    assert MultiPattern.of([]).decide(value) == ()


networks = st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)).flatmap(
    lambda address: st.integers(0, address.max_prefixlen).map(
        lambda length: ipaddress.ip_network((address, length), strict=False)
    )
)


@given(networks, st.data())
def test_an_address_has_one_of_its_network_s_literals_in_it(
    network: ipaddress.IPv4Network | ipaddress.IPv6Network, data: st.DataObject
) -> None:
    literals = literals_of(Cidr(str(network)))
    address = network[data.draw(st.integers(0, network.num_addresses - 1))]
    written = {str(address), address.exploded, str(address).upper(), f"{address}%eth0"}
    for text in written:
        if predicate(Cidr(str(network)))(text):
            assert not literals or any(literal in text.lower() for literal in literals)
    if network.version == 4 and network.prefixlen >= 4:
        assert literals


@settings(max_examples=200)
@given(st.lists(tests, max_size=8), texts)
def test_a_text_that_passes_a_test_has_a_clue_in_it(listed: list[ValueTest], text: str) -> None:
    together = MultiPattern.of(_named(listed))
    found = [place for place, test in enumerate(listed) if predicate(test)(text)]
    if (
        together.clues is not None
        and text.isascii()
        and not (together.free and any(True for _ in together.free(text)))
    ):
        assert not found or any(clue in text.lower() for clue in together.clues)


@pytest.mark.parametrize(
    ("test", "clues"),
    [
        (Cidr("10.0.0.0/8"), ("10.",)),
        (Cidr("0.0.0.0/0"), None),
        (Regex("^aws-cli/"), ("aws-cli/",)),
        (Regex("root$"), ("root",)),
        (Regex("^.$"), None),
    ],
)
def test_networks_and_anchored_patterns_have_clues(test: ValueTest, clues: tuple[str, ...] | None) -> None:
    assert MultiPattern.of([("t", test)]).clues == clues
