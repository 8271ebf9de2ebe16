"""API calls that were seen in incidents, from `mappings/incident-calls.json` (facts from TrailDiscover, CC BY 4.0)."""

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

import msgspec
import orjson

from osdetect.expr.values import fold_case
from osdetect.resources import folder
from osdetect.schema.attack import Tactic, Technique, tactic, tactic_of_id, technique

CREDIT = (
    "Calls known from incidents: facts from TrailDiscover (https://traildiscover.cloud) by Adan Alvarez, CC BY 4.0, "
    "reduced to names, ids and counts."
)


class KnownCall(msgspec.Struct, frozen=True):
    """A call, and what it served in incidents."""

    source: str
    """The service: "iam.amazonaws.com"."""
    name: str
    techniques: tuple[Technique, ...]
    """Those of today."""
    tactics: tuple[Tactic, ...]
    """Those of today."""
    reports: int
    """Public reports of incidents in which it was seen."""


@cache
def known_calls() -> tuple[KnownCall, ...]:
    """Every call, by service and name."""
    listed = orjson.loads((folder("mappings") / "incident-calls.json").read_bytes())["calls"]
    return tuple(
        _call(source, name, said["tactics"].split(), said["techniques"].split(), said["reports"])
        for source, calls in listed.items()
        for name, said in calls.items()
    )


@cache
def calls_named() -> Mapping[str, tuple[KnownCall, ...]]:
    """The calls of each name, in small letters; services may share one."""
    found: dict[str, list[KnownCall]] = {}
    for one in known_calls():
        found.setdefault(fold_case(one.name), []).append(one)
    return MappingProxyType({name: tuple(calls) for name, calls in found.items()})


def _call(source: str, name: str, tactics: list[str], techniques: list[str], reports: int) -> KnownCall:
    named = [found for one in techniques if (found := technique(one))]
    today = [technique(one.successor) or one if one.successor else one for one in named]
    serving = {tag for one in today for tag in one.tactics}
    meant: dict[str, Tactic] = {}
    for stood in (known for identity in tactics if (known := tactic_of_id(identity))):
        # A tactic that was given up means those of its successors that one of the techniques serves.
        for tag in [tag for tag in stood.now if tag in serving] or stood.now or (stood.tag,):
            if stands := tactic(tag):
                meant.setdefault(stands.tag, stands)
    return KnownCall(
        source, name, tuple({one.id: one for one in today}.values()), tuple(meant.values()), reports
    )
