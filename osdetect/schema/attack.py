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
