"""ATT&CK's tactics and techniques, from `mappings/attack.json` (© The MITRE Corporation)."""

import re
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

import msgspec
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


class Tactic(msgspec.Struct, frozen=True):
    """A tactic as a tag may name it."""

    tag: str
    """For example "persistence"."""
    id: str
    name: str
    now: tuple[str, ...]
    """For a tactic that ATT&CK gave up: the tags of those that took its place."""


class Technique(msgspec.Struct, frozen=True):
    """A technique, or one that there was."""

    id: str
    name: str
    """In full: "Account Manipulation: Additional Cloud Credentials"."""
    tactics: tuple[str, ...]
    """Its own tactics, as tags name them; for a technique that was retired those that it had."""
    successor: str
    """The id of the technique that replaced it; empty while it is in use."""

    @property
    def parent(self) -> str:
        """The id of the technique that it is a part of; its own if it is none's."""
        return self.id.partition(".")[0]


@cache
def tactic(tag: str) -> Tactic | None:
    """The tactic that a tag's word names.

    >>> tactic("defense-evasion").now
    ('stealth', 'defense-impairment')
    """
    found = _names()["tactics"].get(tag.lower())
    return (
        Tactic(tag.lower(), found["id"], found["name"], tuple(found.get("replaced_by", ())))
        if found
        else None
    )


@cache
def technique(identity: str) -> Technique | None:
    """The technique with this id, in any letter case.

    >>> technique("t1098.001").name
    'Account Manipulation: Additional Cloud Credentials'
    >>> technique("T1562.008").successor
    'T1685.002'
    """
    names, identity = _names(), identity.upper()
    own = names["techniques"].get(identity)
    later = str(names["replaced"].get(identity, ""))
    if own is None:
        named = technique(later) if later else None
        return Technique(identity, named.name, named.tactics, later) if named else None
    whole = names["techniques"].get(identity.partition(".")[0])
    full = own if "." not in identity or whole is None else f"{whole}: {own}"
    return Technique(identity, full, tuple(names["tactics_of"].get(identity, "").split()), later)


def technique_of_tag(tag: str) -> Technique | None:
    """The technique that a tag names, if it names one that there is or was."""
    found = _TECHNIQUE.fullmatch(tag)
    return technique(found[1]) if found else None


def tactic_of_tag(tag: str) -> Tactic | None:
    """The tactic that a tag names."""
    found = _TACTIC.fullmatch(tag)
    return tactic(found[1].lower()) if found else None


@cache
def tactic_of_id(identity: str) -> Tactic | None:
    """The tactic with this id.

    >>> tactic_of_id("TA0003").name
    'Persistence'
    """
    return next((tactic(tag) for tag, found in _names()["tactics"].items() if found["id"] == identity), None)


def matrix() -> tuple[tuple[Tactic, tuple[Technique, ...]], ...]:
    """The tactics of today in ATT&CK's order, each with its techniques by id."""
    names = _names()
    known = [found for name in names["techniques"] if (found := technique(name)) and not found.successor]
    return tuple(
        (stands, tuple(one for one in known if stands.tag in one.tactics))
        for tag in names["order"]
        if (stands := tactic(tag))
    )


def cloud_techniques() -> frozenset[str]:
    """The ids of the techniques that ATT&CK has for infrastructure as a service."""
    return frozenset(_names()["iaas"].split())


def version() -> str:
    """Which ATT&CK the names are of."""
    return str(_names()["version"])
