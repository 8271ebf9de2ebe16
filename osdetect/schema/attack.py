"""Names of ATT&CK tactics and techniques, from `mappings/attack.json` (© The MITRE Corporation)."""

import re
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

import orjson

from osdetect.resources import folder

_TECHNIQUE = re.compile(r"attack\.(t\d{4}(?:\.\d{3})?)", re.IGNORECASE)
_TACTIC = re.compile(r"attack\.([a-z][a-z-]+)", re.IGNORECASE)


@cache
def _names() -> Mapping[str, Any]:
    return dict(orjson.loads((folder("mappings") / "attack.json").read_bytes()))


def threat(tags: Iterable[str]) -> dict[str, dict[str, list[str]]]:
    """The ECS `threat` object for a rule's tags (Sigma appendix, "Tags"): tactics and techniques with names.

    A tag that names no tactic or technique we know is left out here; it stays among the rule's tags.

    >>> threat(["attack.persistence", "attack.t1098.001"])["technique"]["id"]
    ['T1098.001']
    """
    names = _names()
    tactics: dict[str, str] = {}
    techniques: dict[str, str] = {}
    for tag in tags:
        if found := _TECHNIQUE.fullmatch(tag):
            identity = found[1].upper()
            techniques[identity] = names["techniques"].get(identity, identity)
        elif (found := _TACTIC.fullmatch(tag)) and (tactic := names["tactics"].get(found[1].lower())):
            tactics[tactic["id"]] = tactic["name"]
    listed = {"tactic": tactics, "technique": techniques}
    return {
        kind: {"id": list(found), "name": list(found.values())} for kind, found in listed.items() if found
    }


_OTHER = re.compile(r"attack\.(?:(?:ta|ds|g|s|m|a)\d{4}|t0\d{3}(?:\.\d{3})?)", re.IGNORECASE)


def is_attack_tag(tag: str) -> bool:
    """Whether ATT&CK has, or had, the tactic or technique that a tag names (Sigma appendix, "Tags").

    Groups, software, data sources, mitigations, assets, and techniques of ATT&CK for ICS are told by their form alone.

    >>> is_attack_tag("attack.t1098.001"), is_attack_tag("attack.persistance"), is_attack_tag("attack.g0016")
    (True, False, True)
    """
    names = _names()
    if found := _TECHNIQUE.fullmatch(tag):
        return found[1].upper() in names["techniques"] or found[1].upper() in names["replaced"]
    found = _TACTIC.fullmatch(tag)
    return found[1].lower() in names["tactics"] if found else _OTHER.fullmatch(tag) is not None


def tactics() -> tuple[str, ...]:
    """The tactics as tags name them: "persistence", "initial-access", ..."""
    return tuple(_names()["tactics"])


def successor(tag: str) -> str:
    """The technique that replaced the one which a tag names; empty when it was not replaced.

    >>> successor("attack.t1086"), successor("attack.t1098")
    ('T1059.001', '')
    """
    found = _TECHNIQUE.fullmatch(tag)
    return str(_names()["replaced"].get(found[1].upper(), "")) if found else ""
