"""Each test as a function of one value. Made once a test, kept for the life of the process."""

import ipaddress
import math
import operator
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any, assert_never

import re2

from osdetect.expr.lookaround import conjuncts
from osdetect.expr.moments import Moment, moment_of
from osdetect.expr.nodes import (
    Boolean,
    Cidr,
    Compare,
    CompareTime,
    Equals,
    Gap,
    Number,
    Regex,
    TimePart,
    Wildcard,
)
from osdetect.expr.values import fold_case, text_of

Predicate = Callable[[Any], bool]
ValueTest = Equals | Wildcard | Regex | Cidr | Number | Compare | CompareTime | TimePart | Boolean

_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq,
    "lt": operator.lt,
    "lte": operator.le,
    "gt": operator.gt,
    "gte": operator.ge,
}


@lru_cache(maxsize=100_000)
def predicate(test: ValueTest) -> Predicate:
    """The function that decides `test` of one value.

    Raises:
        re2.error: RE2 does not take the pattern; `check_pattern` tells beforehand.
    """
    match test:
        case Equals():
            return _equals(test)
        case Wildcard():
            return _wildcard(test)
        case Regex():
            return _regex(test)
        case Cidr():
            return _cidr(test)
        case Number():
            return _number(test)
        case Compare():
            return _compare(test)
        case CompareTime():
            return _compare_time(test)
        case TimePart():
            return _time_part(test)
        case Boolean():
            return _boolean(test)
        case _:
            assert_never(test)


def check_pattern(test: Regex | Wildcard) -> str | None:
    """Why RE2 does not take the pattern, in its words; None when it does."""
    try:
        predicate(test)
    except re2.error as error:
        said = error.args[0] if error.args else ""
        return said.decode(errors="replace") if isinstance(said, bytes) else str(said)
    return None


def _on_text(decide: Callable[[str], bool]) -> Predicate:
    def holds(value: Any) -> bool:
        text = text_of(value)
        return text is not None and decide(text)

    return holds


def _equals(test: Equals) -> Predicate:
    if test.cased:
        return _on_text(lambda text: text == test.text)
    wanted = fold_case(test.text)
    return _on_text(lambda text: fold_case(text) == wanted)


def _wildcard(test: Wildcard) -> Predicate:
    def same(text: str) -> str:
        return text if test.cased else fold_case(text)

    parts = tuple(part if isinstance(part, Gap) else same(part) for part in test.parts)
    if Gap.ONE in parts:
        pattern = "".join(_re2_part(part) for part in parts)
        whole = _compiled(rf"\A(?:{pattern})\z", "s")
        return _on_text(lambda text: whole.search(_encodable(same(text))) is not None)
    pieces = _between_gaps(parts)
    return _on_text(lambda text: _fits(same(text), pieces))


def _between_gaps(parts: tuple[str | Gap, ...]) -> tuple[str, ...]:
    """The literals between the `*`: ("a", ANY, "b") gives ("a", "b"); a leading `*` gives a leading ""."""
    pieces = [""]
    for part in parts:
        if isinstance(part, Gap):
            pieces.append("")
        else:
            pieces[-1] += part
    return tuple(pieces)


def _fits(text: str, pieces: tuple[str, ...]) -> bool:
    """Whether `*` between the pieces can make the text. The leftmost place for each piece is enough."""
    first, last = pieces[0], pieces[-1]
    if len(pieces) == 1:
        return text == first
    end = len(text) - len(last)
    if not (text.startswith(first) and text.endswith(last)) or end < len(first):
        return False
    at = len(first)
    for piece in pieces[1:-1]:
        found = text.find(piece, at, end)
        if found == -1:
            return False
        at = found + len(piece)
    return True


def _re2_part(part: str | Gap) -> str:
    if part is Gap.ANY:
        return ".*"
    return "." if part is Gap.ONE else str(re2.escape(_encodable(part)))  # type: ignore[no-untyped-call]  # re2 is untyped


def _regex(test: Regex) -> Predicate:
    rewritten = conjuncts(test.pattern, test.flags)
    if rewritten is None:
        compiled = _compiled(test.pattern, test.flags)
        return _on_text(lambda text: compiled.search(_encodable(text)) is not None)
    each = [(_compiled(one.pattern, ""), one.negated) for one in rewritten]

    def holds(text: str) -> bool:
        readable = _encodable(text)
        return all((one.search(readable) is None) == negated for one, negated in each)

    return _on_text(holds)


def _compiled(pattern: str, flags: str) -> Any:
    options = re2.Options()
    options.log_errors = False
    options.max_mem = 8 << 20
    prefix = f"(?{flags})" if flags else ""
    return re2.compile(_encodable(prefix + pattern), options=options)  # type: ignore[no-untyped-call]  # re2 is untyped


def _encodable(text: str) -> str:
    """The text with what UTF-8 cannot hold (a lone surrogate) replaced; RE2 reads UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode(errors="replace").decode()
    return text


def _cidr(test: Cidr) -> Predicate:
    network = ipaddress.ip_network(test.network, strict=False)

    def inside(text: str) -> bool:
        try:
            return ipaddress.ip_address(text) in network
        except ValueError:
            return False

    return _on_text(inside)


_NUMERAL = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")


def _as_number(value: Any) -> int | float | None:
    """The number that a value is or reads as; an integer of any size is compared exactly."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return value
    if not isinstance(value, str) or not _NUMERAL.fullmatch(value):
        return None
    try:
        number = int(value) if value.lstrip("+-").isdigit() else float(value)
    except ValueError:  # more digits than Python reads (sys.set_int_max_str_digits)
        return None
    return number if isinstance(number, int) or math.isfinite(number) else None


def _number(test: Number) -> Predicate:
    value = test.value
    wanted = str(int(value)) if value == int(value) else text_of(value)  # 1 and 1.0 are the same number

    def holds(value: Any) -> bool:
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return value == test.value
        return isinstance(value, str) and value == wanted

    return holds


def _compare(test: Compare) -> Predicate:
    decide = _OPERATORS[test.operator]

    def holds(value: Any) -> bool:
        number = _as_number(value)
        return number is not None and decide(number, test.value)

    return holds


def _compare_time(test: CompareTime) -> Predicate:
    decide = _OPERATORS[test.operator]
    bound = moment_of(test.moment)
    if bound is None:
        raise ValueError(f"{test.moment!r} is no moment")

    def holds(value: Any) -> bool:
        moment = moment_of(value)
        return moment is not None and decide(moment.instant, bound.instant)

    return holds


_PARTS: dict[str, Callable[[Moment], int | None]] = {
    "minute": lambda moment: moment.written.minute if moment.has_time else None,
    "hour": lambda moment: moment.written.hour if moment.has_time else None,
    "day": lambda moment: moment.written.day,
    "week": lambda moment: moment.written.isocalendar().week,
    "month": lambda moment: moment.written.month,
    "year": lambda moment: moment.written.year,
}


def _time_part(test: TimePart) -> Predicate:
    part_of, decide = _PARTS[test.part], _OPERATORS[test.operator]

    def holds(value: Any) -> bool:
        moment = moment_of(value)
        part = part_of(moment) if moment is not None else None
        return part is not None and decide(part, test.value)

    return holds


def _boolean(test: Boolean) -> Predicate:
    wanted = "true" if test.value else "false"
    return _on_text(lambda text: fold_case(text) == wanted)
