"""What correlations mean: by example, and against a slow definition that looks at every window by itself."""

import time
from collections.abc import Iterable, Sequence
from fractions import Fraction
from itertools import groupby
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from osdetect.expr import All, AnyOf, Exists, Expr, Leaf, Not
from osdetect.expr.correlate import MAX_EVIDENCE, Correlated, correlate, correlate_all
from osdetect.expr.measures import number_of
from osdetect.expr.windows import MAX_COMBINATIONS, Bound, Column, Comparison, Match, Measure, Window

MINUTE = 60_000


def _match(rule: str, minutes: float | None, key: str = "", **event: Any) -> Match:
    at = None if minutes is None else int(minutes * MINUTE)
    return Match(rule, at, event, key or f"{rule}@{minutes}")


def _window(
    measure: Measure = "events",
    comparison: Comparison = "gte",
    value: float = 3,
    *,
    rules: Sequence[str] = ("a",),
    minutes: int = 5,
    by: Sequence[str] = ("user",),
    fields: Sequence[str] = (),
    percentile: float = 50,
    present: Expr[str] | None = None,
) -> Window:
    bounds = () if present else (Bound(comparison, value),)
    columns = tuple(Column(name) for name in by)
    counted = tuple(Column(name) for name in fields)
    return Window("w", tuple(rules), minutes * 60, measure, bounds, columns, counted, percentile, present)


def _times(result: Correlated) -> list[float]:
    return [(signal.time or 0) / MINUTE for signal in result.signals]


def test_the_window_slides_and_holds_both_of_its_ends() -> None:
    inside = correlate(_window(), [_match("a", at, user="x") for at in (0, 4, 5)])
    outside = correlate(_window(), [_match("a", at, user="x") for at in (0, 4, 5.001)])
    assert _times(inside) == [5]
    assert outside.firings == ()


def test_a_firing_is_one_stretch_and_tells_its_evidence() -> None:
    times = (0, 1, 2, 3, 30, 31, 32)
    first, second = correlate(_window(), [_match("a", at, user="x") for at in times]).firings
    assert (first.start, first.first, first.last) == (0, 2 * MINUTE, 3 * MINUTE)
    assert (first.peak, first.moments, first.evidence) == (4, 2, ("a@0", "a@1", "a@2"))
    assert (second.first, second.peak, second.group) == (32 * MINUTE, 3, (("user", "x"),))


def test_groups_are_apart_and_letter_case_is_not() -> None:
    matches = [_match("a", 0, user="X"), _match("a", 1, user="x"), _match("a", 2, "k", user=["x", "y"])]
    result = correlate(_window(), [*matches, _match("a", 3, user="z")])
    assert [firing.group for firing in result.firings] == [(("user", "X"),)]
    assert (result.groups, result.events) == (3, 4)


def test_what_is_left_out_is_counted() -> None:
    lost = [_match("a", 1, "k"), _match("a", 1, "l", user=None), _match("a", None, "m", user="x")]
    result = correlate(_window(value=1), [*lost, _match("a", 1, "n", user=""), _match("b", 1, user="x")])
    assert (result.events, result.ungrouped, result.undated, result.groups) == (4, 2, 1, 1)
    assert [firing.group for firing in result.firings] == [(("user", ""),)]


def test_lists_cannot_multiply_without_end() -> None:
    many = [str(number) for number in range(1000)]
    match = Match("a", 0, {"user": many, "host": many}, "k")
    result = correlate(_window(value=1, by=("user", "host")), [match])
    assert (result.groups, result.crowded) == (MAX_COMBINATIONS, 1)
    one = correlate(_window("values", value=1000, by=(), fields=("user",)), [match])
    assert (one.firings[0].peak, one.crowded) == (1000, 0)


def test_an_event_that_several_rules_match_counts_once() -> None:
    twice = [_match(rule, at, f"k{at}", user="x") for at in (0, 1) for rule in ("a", "b")]
    assert correlate(_window(rules=("a", "b")), twice).firings == ()
    total = correlate(
        _window("sum", "gt", 1, rules=("a", "b"), fields=("n",)),
        [_match(r, 0, "k", user="x", n=1) for r in "ab"],
    )
    assert total.firings == ()


def test_values_are_counted_each_once_and_combined_when_there_are_several_fields() -> None:
    rows = [("v1", "w1"), ("V1", "w2"), ("v1", "w1"), ("v2", None)]
    matches = [_match("a", at, user="x", v=v, w=w) for at, (v, w) in enumerate(rows)]
    assert correlate(_window("values", value=2, fields=("v",)), matches).firings[0].peak == 2
    both = correlate(_window("values", value=1, fields=("v", "w")), matches)
    assert both.firings[0].peak == 2


@pytest.mark.parametrize(
    ("times", "fires"),
    [
        (((0, "a"), (1, "b"), (2, "c")), True),
        (((0, "a"), (2, "b"), (1, "c")), False),
        (((0, "c"), (0, "b"), (0, "a")), True),
    ],
)
def test_an_order_is_that_of_time_and_one_moment_has_none(
    times: Sequence[tuple[float, str]], fires: bool
) -> None:
    window = _window("order", rules=("a", "b", "c"))
    assert bool(correlate(window, [_match(rule, at, user="x") for at, rule in times]).firings) is fires
    any_order = _window("rules", rules=("a", "b", "c"))
    assert correlate(any_order, [_match(rule, at, user="x") for at, rule in times]).firings


def test_a_boolean_condition_asks_which_rules_are_there() -> None:
    present: Expr[str] = All((AnyOf((Leaf("a", Exists()), Leaf("b", Exists()))), Not(Leaf("c", Exists()))))
    window = _window("rules", rules=("a", "b", "c"), present=present)
    matches = [_match(rule, at, user="x") for at, rule in ((0, "c"), (1, "a"), (7, "b"))]
    assert _times(correlate(window, matches)) == [7]


@pytest.mark.parametrize(
    ("measure", "values", "peak"),
    [
        ("sum", [1, "2.5", True, "x", None, float("nan"), "1e999"], 3.5),
        ("average", [1, 2], 1.5),
        ("percentile", [4, 1, 2, 3], 2.5),
        ("percentile", [7], 7),
        ("share", ["v", "w", "w", "w"], 75),
        ("sum", [10**400, 1], 10**400 + 1),
    ],
)
def test_numbers_are_measured_exactly(measure: Measure, values: list[Any], peak: float) -> None:
    matches = [_match("a", 0, f"k{place}", user="x", n=value) for place, value in enumerate(values)]
    (firing,) = correlate(_window(measure, "gt", 0, fields=("n",)), matches).firings
    assert firing.peak == peak


def test_without_numbers_there_is_nothing_to_compare() -> None:
    matches = [_match("a", at, user="x", n="none") for at in range(3)]
    for measure in ("sum", "average", "percentile"):
        assert correlate(_window(measure, "lt", 5, fields=("n",)), matches).firings == ()


def test_aliases_find_one_value_in_different_fields() -> None:
    column = Column("ip", (("a", "src"), ("b", "dst")))
    window = Window("w", ("a", "b"), 60, "rules", (Bound("gte", 2),), (column,))
    matches = [_match("a", 0, src="10.0.0.1", dst="q"), _match("b", 0, src="q", dst="10.0.0.1")]
    assert [firing.group for firing in correlate(window, matches).firings] == [(("ip", "10.0.0.1"),)]


def test_a_chain_correlates_what_held_by_its_own_fields() -> None:
    inner = Window("many", ("fail",), 600, "events", (Bound("gte", 3),), (Column("host"),))
    outer = Window("w", ("many", "login"), 600, "order", (Bound("gte", 2),), (Column("user"),))
    fails = [_match("fail", at, host="h", user="u") for at in (0, 1, 2, 12)]
    login = _match("login", 11, host="other", user="u")
    results = correlate_all((inner, outer), [*fails, login])
    assert [firing.group for firing in results["w"].firings] == [(("user", "u"),)]
    assert correlate_all((inner, outer), [*fails[:2], login])["w"].firings == ()


def test_a_stretch_is_one_event_to_the_next_correlation() -> None:
    inner = Window("many", ("fail",), 600, "events", (Bound("gte", 2),), (Column("user"),))
    outer = Window("w", ("many",), 86_400, "events", (Bound("gte", 2),), (Column("user"),))
    burst = [_match("fail", at, user="u") for at in range(10)]
    assert correlate_all((inner, outer), burst)["w"].firings == ()
    later = [_match("fail", 100 + at, user="u") for at in range(10)]
    assert len(correlate_all((inner, outer), [*burst, *later])["w"].firings) == 1


def test_evidence_is_bounded_and_the_order_of_matches_does_not_matter() -> None:
    matches = [_match("a", at / 1000, user="x") for at in range(300)]
    window = _window(value=250)
    assert correlate(window, matches) == correlate(window, matches[::-1])
    assert len(correlate(window, matches).firings[0].evidence) == MAX_EVIDENCE


@pytest.mark.parametrize("measure", ["events", "values", "rules", "order", "sum", "percentile", "share"])
def test_twenty_thousand_matches_in_one_window_take_seconds(measure: Measure) -> None:
    matches = [_match("ab"[at % 2], at / 1000, user="x", n=at) for at in range(20_000)]
    begun = time.perf_counter()
    result = correlate(_window(measure, value=2, rules=("a", "b"), minutes=1000, fields=("n",)), matches)
    assert result.events == len(matches)
    assert time.perf_counter() - begun < 20


def test_a_text_that_reads_as_a_number_is_bounded() -> None:
    assert number_of("9" * 401) is None
    assert number_of("1e5") == 100_000
    assert number_of("\u0661") is None


# A slow definition: each window is looked at by itself, nothing is carried from one to the next.

RULES = ("a", "b", "c")
MATCHES = st.lists(
    st.builds(
        lambda rule, at, user, v, key: Match(rule, at * 1000, {"user": user, "v": v}, f"k{key}"),
        st.sampled_from(RULES),
        st.integers(0, 40),
        st.sampled_from(["x", "X", "y", None, ["x", "y"]]),
        st.sampled_from([1, 2, 3.5, "2", "t", None, [1, 7]]),
        st.integers(0, 12),
    ),
    max_size=25,
)


def _users(match: Match) -> set[str]:
    user = match.event["user"]
    return {one.lower() for one in (user if isinstance(user, list) else [user]) if one is not None}


def _values(match: Match) -> list[str]:
    value = match.event["v"]
    return [str(one) for one in (value if isinstance(value, list) else [value]) if one is not None]


def _chain(matches: Iterable[Match]) -> int:
    places = [RULES.index(match.rule) for match in sorted(matches, key=lambda m: (m.time, m.rule))]
    best: list[int] = []
    for at, place in enumerate(places):
        best.append(1 + max((best[before] for before in range(at) if places[before] < place), default=0))
    return max(best)


def _slowly(measure: Measure, inside: list[Match], now: int) -> list[Fraction | int]:
    once = list({(match.key, match.time): match for match in reversed(inside)}.values())
    numbers = sorted(n for match in once for n in map(number_of, _values(match)) if n is not None)
    if measure == "events":
        return [len({match.key for match in inside})]
    if measure == "values":
        return [len({value for match in once for value in _values(match)})]
    if measure == "rules":
        return [len({match.rule for match in inside})]
    if measure == "order":
        return [_chain(inside)]
    if measure == "share":
        every = [value for match in once for value in set(_values(match))]
        latest = {value for match in once if match.time == now for value in _values(match)}
        return [Fraction(100 * every.count(value), len(every)) for value in latest]
    if not numbers:
        return []
    if measure == "percentile":
        rank = Fraction(len(numbers) - 1) / 4
        low, high = numbers[int(rank)], numbers[min(int(rank) + 1, len(numbers) - 1)]
        return [low + (high - low) * (rank - int(rank))]
    return [sum(numbers) if measure == "sum" else Fraction(sum(numbers), len(numbers))]


def _held(window: Window, matches: list[Match]) -> list[tuple[str, int]]:
    """The group and time of each moment at which the condition holds; the bound is `gte`."""
    found = []
    for user in ("x", "y"):
        mine = sorted((m for m in matches if user in _users(m)), key=lambda m: (m.time, m.key, m.rule))
        for now, _ in groupby(mine, key=lambda m: m.time):
            assert now is not None
            inside = [m for m in mine if m.time is not None and now - window.span * 1000 <= m.time <= now]
            if any(reading >= window.bounds[0].value for reading in _slowly(window.measure, inside, now)):
                found.append((user, now))
    return found


@pytest.mark.parametrize(
    "measure", ["events", "values", "rules", "order", "sum", "average", "percentile", "share"]
)
@given(matches=MATCHES, span=st.integers(1, 20), value=st.sampled_from([1, 2, 3, 5.5, 50]))
@settings(max_examples=150, deadline=None)
def test_sliding_gives_what_looking_at_each_window_gives(
    measure: Measure, matches: list[Match], span: int, value: float
) -> None:
    window = Window("w", RULES, span, measure, (Bound("gte", value),), (Column("user"),), (Column("v"),), 25)
    result = correlate(window, matches)
    assert sorted((dict(s.settled)["user"].lower(), s.time) for s in result.signals) == _held(window, matches)
    assert sum(firing.moments for firing in result.firings) == len(result.signals)
