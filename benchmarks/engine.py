"""How fast is one processor at judging records that are in memory, against parsing the same bytes?

    python benchmarks/engine.py [--records N] [--passes N]

The rules are the public ones for AWS in OSDETECT_SHARED, else those of the project. The records are the scenario's and, with
public data, the real ones, made N by giving each other ids, times, accounts, principals, addresses, sessions, agents and request
parameters, so that nothing remembered is flattered. They are judged in deliveries of 200. Figures, per record, in processor time:

    orjson        orjson.loads of each delivery
    engine        Engine.match_records of each delivery
    tenfold       the same with ten times the rules: copies whose compared names and texts are others
    evaluate      orjson.loads and `evaluate` of every rule, on a few

They take turns, delivery by delivery in any order, so that a busy machine slows all; the median over the passes counts.
Exit status 1: a verdict differs from `evaluate`, or a target is missed.
"""

import argparse
import gzip
import random
import re
import statistics
import sys
import time
import tracemalloc
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import orjson
from msgspec import structs
from records import shared_rules

from osdetect.expr import All, AnyOf, Equals, Expr, Leaf, Not, Wildcard, evaluate
from osdetect.expr.engine import Engine
from osdetect.resources import folder
from osdetect.scenario import iter_records
from osdetect.sigma import read_rules

PARSE_TARGET = 0.7
"""Of the rate of the parse."""
RULES_TARGET = 1.3
"""Times the time with a tenth of the rules."""
A_DELIVERY = 200
_CHECKED = 600
Rules = list[tuple[str, Expr[str]]]

_ACCOUNT = re.compile(rb"\b\d{12}\b")
_ADDRESS = re.compile(rb"\b\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}\b")
_ID = re.compile(rb"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b")
_TIME = re.compile(rb"\b20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ")
_SESSION = re.compile(rb"(assumed-role/[\w+=,.@-]+/)[\w+=,.@-]+")
_NAME = re.compile(rb'("(?:userName|roleName|bucketName|key|name|instanceId|functionName)":")[^"]{3,40}"')
_AGENT = re.compile(rb'("userAgent":"[^"]{20,300})"')


def varied(record: bytes, chance: random.Random) -> bytes:
    """The record as another call would have left it."""

    def number(low: int, high: int) -> bytes:
        return str(chance.randint(low, high)).encode()

    accounts = [b"%012d" % account for account in range(111_111_111_111, 111_111_111_131)]
    account, address = chance.choice(accounts), b".".join(number(1, 250) for _ in range(4))
    moment = b"2024-%02d-%02dT%02d:%02d:%02dZ" % tuple(chance.randint(low, high) for low, high in _MOMENT)
    word = b"%x" % chance.getrandbits(40)
    changes: tuple[tuple[re.Pattern[bytes], Callable[[re.Match[bytes]], bytes]], ...] = (
        (_ACCOUNT, lambda _: account),
        (_ADDRESS, lambda _: address),
        (_ID, lambda _: b"%08x-%04x-4000-8000-%012x" % tuple(map(chance.getrandbits, (32, 16, 48)))),
        (_TIME, lambda _: moment),
        (_SESSION, lambda found: found.group(1) + b"s-" + word),
        (_NAME, lambda found: found.group(1) + b"n-" + word + b'"'),
        (_AGENT, lambda found: found.group(1) + b" b/" + number(0, 400) + b'"'),
    )
    for pattern, change in changes:
        record = pattern.sub(change, record)
    return record


_MOMENT = ((1, 12), (1, 28), (0, 23), (0, 59), (0, 59))


def deliveries(records: int, sources: Sequence[bytes], chance: random.Random) -> list[bytes]:
    """So many records in deliveries; the sources in turn, each varied."""
    made = [varied(sources[number % len(sources)], chance) for number in range(records)]
    return [
        b'{"Records":[' + b",".join(made[start : start + A_DELIVERY]) + b"]}"
        for start in range(0, records, A_DELIVERY)
    ]


def tenfold(rules: Rules) -> Rules:
    """The rules and nine copies of each: what they compare is called differently, as in rules for other services."""
    return [*rules, *((f"{rule_id}/{n}", _renamed(tree, n)) for n in range(1, 10) for rule_id, tree in rules)]


def _renamed(tree: Expr[str], number: int) -> Expr[str]:
    match tree:
        case Leaf(test=Equals(text=text) as test):
            return structs.replace(tree, test=structs.replace(test, text=f"{text}{number}"))
        case Leaf(test=Wildcard(parts=parts) as test) if any(isinstance(part, str) for part in parts):
            renamed = tuple(f"{part}{number}" if isinstance(part, str) else part for part in parts)
            return structs.replace(tree, test=structs.replace(test, parts=renamed))
        case Not(part=part):
            return Not(_renamed(part, number))
        case All(parts=parts):
            return All(tuple(_renamed(part, number) for part in parts))
        case AnyOf(parts=parts):
            return AnyOf(tuple(_renamed(part, number) for part in parts))
        case _:
            return tree


class Figures(msgspec.Struct, frozen=True):
    """Microseconds a record."""

    parse: float
    engine: float
    tenfold: float
    matched: int
    """Records that some rule holds for."""


def measured(sources: Sequence[bytes], records: int, rules: Rules, passes: int) -> Figures:
    """All figures of one set of records; every pass has others, so that only names of calls and the like are known."""
    judges: dict[str, Callable[[bytes], Any]] = {
        "parse": orjson.loads,
        "engine": Engine.of(rules).match_records,
    }
    judges["tenfold"] = Engine.of(tenfold(rules)).match_records
    taken: dict[str, list[float]] = {name: [] for name in judges}
    chance = random.Random(8)
    matched = 0
    for _ in range(passes + 1):
        spent = dict.fromkeys(judges, 0.0)
        matched = 0
        for text in deliveries(records, sources, chance):
            # In any order: what comes first finds the processor's caches full of what was before.
            for name in chance.sample(sorted(judges), len(judges)):
                start = time.process_time()
                judged = judges[name](text)
                spent[name] += time.process_time() - start
                if name == "engine":
                    matched += len(judged.matches)
        for name, seconds in spent.items():
            taken[name].append(seconds / records * 1e6)
    median = {name: statistics.median(figures[1:]) for name, figures in taken.items()}
    return Figures(**median, matched=matched)


def plain(texts: Sequence[bytes], rules: Rules) -> float:
    """Microseconds a record of parsing and evaluating every rule, on some deliveries; their verdicts must be the engine's."""
    engine = Engine.of(rules)
    spent, seen = 0.0, 0
    for text in texts:
        start = time.process_time()
        events = orjson.loads(text)["Records"]
        wanted = [tuple(rule_id for rule_id, tree in rules if evaluate(tree, event)) for event in events]
        spent += time.process_time() - start
        seen += len(events)
        for _ in range(2):
            judged = engine.match_records(text)
            assert judged is not None
            found = {match.number - 1: match.rules for match in judged.matches}
            if [found.get(number, ()) for number in range(len(events))] != wanted:
                raise SystemExit("a verdict differs from that of `evaluate`")
    return spent / seen * 1e6


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Judging records in memory against parsing them.")
    parser.add_argument("--records", type=int, default=20_000)
    parser.add_argument("--passes", type=int, default=5)
    options = parser.parse_args()
    public = shared_rules()
    rules = [(rule.id, rule.tree) for rule in read_rules([public or folder("rules")]).rules]
    start = time.process_time()
    Engine.of(rules)
    print(f"{len(rules)} rules; an engine is built in {time.process_time() - start:.2f} s")
    sources = {"scenario": [orjson.dumps(record) for record in iter_records(seed=1, background_count=5_000)]}
    if public is not None:
        sources["real"] = _real(public.parent / "oracle" / "corpus.ndjson.gz")
    good = True
    for name, some in sources.items():
        texts = deliveries(_CHECKED, some, random.Random(7))
        evaluated = plain(texts, rules)
        figures = measured(some, options.records, rules, options.passes)
        size = sum(map(len, texts)) // _CHECKED
        good = _report(name, figures, evaluated, options.records, size) and good
        print(
            f"  {_memory(rules, deliveries(options.records, some, random.Random(9))):.0f} MB are held by an engine after them"
        )
    return 0 if good else 1


def _report(name: str, figures: Figures, evaluated: float, records: int, size: int) -> bool:
    share, growth = figures.parse / figures.engine, figures.tenfold / figures.engine
    print(
        f"\n{name}: {records} records of {size} bytes; rules hold for {figures.matched / records:.0%} of them"
    )
    for what, microseconds in (
        ("orjson", figures.parse),
        ("engine", figures.engine),
        ("tenfold", figures.tenfold),
        ("evaluate", evaluated),
    ):
        print(f"  {what:9} {microseconds:8.2f} µs a record {1e6 / microseconds:12,.0f} events/s")
    for what, ratio, sign, target in (
        ("engine, of orjson's rate:      ", share, ">=", PARSE_TARGET),
        ("ten times the rules, of the time:", growth, "<=", RULES_TARGET),
    ):
        met = ratio >= target if sign == ">=" else ratio <= target
        print(f"  {what:<34} {ratio:.2f}   target {sign} {target}   {'met' if met else 'missed'}")
    return share >= PARSE_TARGET and growth <= RULES_TARGET


def _real(file: Path) -> list[bytes]:
    with gzip.open(file) as lines:
        return [orjson.dumps(orjson.loads(line)["event"]) for line in lines]


def _memory(rules: Rules, texts: Sequence[bytes]) -> float:
    """Megabytes of Python objects that an engine holds after judging these, RE2's automata not counted."""
    tracemalloc.start()
    engine = Engine.of(rules)
    for text in texts:
        engine.match_records(text)
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    return held / (1 << 20)


if __name__ == "__main__":
    sys.exit(main())
