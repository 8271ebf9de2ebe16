"""The rules and the events of an episode."""

import json
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

import msgspec

from osdetect.cli.rules import compile_rules
from osdetect.cluster import Cluster
from osdetect.compiler.compiled_file import CompiledRule
from osdetect.deploy import deploy
from osdetect.expr import Expr, evaluate
from osdetect.tuning import Suppression
from tests.faults.material import ACCOUNT, record, rule_id, write_rules

RULES = (
    "{eventName: DeleteThing}",
    "{eventName|startswith: delete}",
    "{eventSource: things.amazonaws.com}",
    "{userAgent|contains: sqlmap}",
    "{requestParameters|contains: needle}",
    "{sourceIPAddress|cidr: 203.0.113.0/24}",
    "{errorCode: AccessDenied, userIdentity.userName|re: '^c.*y$'}",
    "{eventName|endswith: Key, requestParameters.size|gte: 20000}",
    "{eventName: DeleteThing, sourceIPAddress|cidr: 203.0.113.0/24}",
    "{eventName|startswith: delete, userAgent|contains: sqlmap}",
)
"""The third holds for every event: what is missed cannot hide."""
SUPPRESSION = Suppression(("eventName",), 86_400)
TUNING = {
    9: "osdetect: {mode: shadow}",
    10: "osdetect: {suppress: {group_by: [eventName], window: 24h}}",
}
"""By the number of the rule: matches that make no alert of their own are kept as matches, each once. `SUPPRESSION` is that of the last."""
GATHERED_RULE = rule_id(10)
LATER_RULE = "{eventName: GetThing, userAgent|contains: curl}"
"""Comes with the release that is deployed in the middle: its alerts may be there or not."""

_NAMES = ("DeleteThing", "DeleteOther", "GetThing", "CreateThing", "CreateAccessKey")
_AGENTS = ("aws-cli/2.17", "SQLMap/1.8", "curl/8", "Boto3/1.34")
_ADDRESSES = ("198.51.100.7", "203.0.113.9", "cloudtrail.amazonaws.com")


class Judge(msgspec.Struct, frozen=True):
    """The rules by the definition of their meaning, and the releases that hold them."""

    trees: tuple[tuple[str, Expr[str]], ...]
    first: tuple[CompiledRule, ...]
    second: tuple[CompiledRule, ...]

    @staticmethod
    def of(folder: Path) -> "Judge":
        """Compile the rules."""
        first = compile_rules([_tuned(folder / "first", RULES)], no_cache=True).compiled
        second = compile_rules([_tuned(folder / "second", (*RULES, LATER_RULE))], no_cache=True).compiled
        return Judge(tuple((one.id, one.tree) for one in second), first, second)

    @property
    def lasting(self) -> frozenset[str]:
        """Rules that are in both releases."""
        return frozenset(one.id for one in self.first)

    def matches(self, event: Mapping[str, Any]) -> frozenset[str]:
        """The rules that the event matches."""
        return frozenset(rule for rule, tree in self.trees if evaluate(tree, event))

    def deploy(self, cluster: Cluster, *, second: bool) -> None:
        """Make one of the releases live."""
        deploy(cluster, self.second if second else self.first, on_progress=lambda _done, _total: None)


def _tuned(folder: Path, rules: Sequence[str]) -> Path:
    write_rules(folder, rules)
    for number, words in TUNING.items():
        file = folder / f"rule_{number}.yml"
        file.write_text(f"{file.read_text()}{words}\n")
    return folder


class Event(msgspec.Struct, frozen=True):
    """An event as a writer sends it."""

    id: str
    """Its `_id`."""
    body: bytes
    matches: frozenset[str]
    named: bool
    """Its record has account and event id: in whatever index it stands, it is the same event."""
    event_id: str


def event(rng: Random, judge: Judge, *, largest: int, named: bool = True, again: str = "") -> Event:
    """An event of 1 KB to `largest` bytes, small ones more often; `again`: another content for that event id."""
    event_id = again or str(uuid.UUID(int=rng.getrandbits(128)))
    size = int(1_000 * (largest / 1_000) ** rng.random())
    happened = Random(event_id)  # another content for an event does not change when it happened
    month = happened.choice((5, 5, 5, 6, 4))
    made = record(
        rng.randrange(10_000),
        eventID=event_id,
        eventName=rng.choice(_NAMES),
        eventTime=f"2024-{month:02}-{happened.randint(1, 28):02}T{happened.randint(0, 23):02}:00:00Z",
        userAgent=rng.choice(_AGENTS),
        sourceIPAddress=rng.choice(_ADDRESSES),
        requestParameters={
            "size": size,
            "blob": f"{rng.getrandbits(64):x}" * ((size - 700) // 16 + 1),
            **({"note": "a Needle in it"} if rng.random() < 0.2 else {}),
        },
        **({"errorCode": "AccessDenied"} if rng.random() < 0.3 else {}),
    )
    if not named:
        del made["eventID"]
    doc_id = f"{ACCOUNT}-{event_id}" if named else event_id
    return Event(doc_id, json.dumps(made).encode(), judge.matches(made), named, event_id)


def restamped(one: Event, rng: Random) -> Event:
    """The same record as another shipper would store it: with the time of its arrival as @timestamp."""
    stamp = f',"@timestamp":"2024-{rng.randint(5, 6):02}-11T00:00:00Z"}}'
    return Event(one.id, one.body.removesuffix(b"}") + stamp.encode(), one.matches, one.named, one.event_id)
