"""Makes `mappings/attack.json` and `mappings/incident-calls.json` from the data that they are taken from.

    python -m tests.catalog.reference_tables ../shared/data

A test compares the files with what this makes.
"""

import json
import re
import sys
from pathlib import Path
from typing import Any

MAPPINGS = Path(__file__).resolve().parents[2] / "mappings"

_ATTACK = (
    'Names of ATT&CK enterprise 19.1 tactics and techniques, and of those that 18.1 had beside them. "replaced" leads from '
    'a revoked technique to its successor, "replaced_by" from a tactic of 18.1 to those of 19.1; "tactics_of" gives the '
    "tactics of each technique, for one that only 18.1 has those of 18.1; "
    '"iaas" lists the techniques that ATT&CK has for infrastructure as a service. (c) 2025 The MITRE Corporation. This work '
    "is reproduced and distributed with the permission of The MITRE Corporation. Terms: attack.LICENSE.txt."
)
_CALLS = (
    "API calls that were seen in incidents, with the tactics and techniques that they served and the number of public reports: facts taken "
    "from TrailDiscover (https://traildiscover.cloud) by Adan Alvarez, used under the Creative Commons Attribution 4.0 "
    "International licence (https://creativecommons.org/licenses/by/4.0/). Changed: reduced to names, ids and counts; calls without "
    "a report of an incident are left out. The ids are those of ATT&CK before version 19."
)
_TACTIC = re.compile(r"(TA\d{4})")
_TECHNIQUE = re.compile(r"(T\d{4}(?:\.\d{3})?)")


def attack_table(data: Path) -> dict[str, Any]:
    """The compact ATT&CK table."""
    given = json.loads((data / "attack.json").read_text(encoding="utf-8"))
    legacy = given["legacy"]
    tactics = {one["shortname"]: {"id": one["id"], "name": one["name"]} for one in given["tactics"]}
    tactics |= legacy["tactics"]
    techniques = {**legacy["techniques"], **given["techniques"]}
    return {
        "about": _ATTACK,
        "version": given["version"],
        "order": [one["shortname"] for one in given["tactics"]],
        "tactics": dict(sorted(tactics.items())),
        "techniques": {name: one["name"] for name, one in sorted(techniques.items())},
        "tactics_of": {name: " ".join(one["tactics"]) for name, one in sorted(techniques.items())},
        "iaas": " ".join(
            name for name, one in sorted(given["techniques"].items()) if "IaaS" in one["platforms"]
        ),
        "replaced": dict(sorted(given["technique_aliases"].items())),
    }


def incident_calls(data: Path) -> dict[str, Any]:
    """The API calls known from incidents, by event source."""
    listed = json.loads((data / "reference/traildiscover_events.json").read_text(encoding="utf-8"))
    calls: dict[str, dict[str, Any]] = {}
    for one in listed:
        if not one["incidents"]:
            continue
        techniques = [*one["mitreAttackTechniques"], *one["mitreAttackSubTechniques"]]
        calls.setdefault(one["eventSource"], {})[one["eventName"]] = {
            "tactics": " ".join(_ids(_TACTIC, one["mitreAttackTactics"])),
            "techniques": " ".join(_ids(_TECHNIQUE, techniques)),
            "reports": len({incident["link"] for incident in one["incidents"]}),
        }
    return {"about": _CALLS, "calls": {name: dict(sorted(calls[name].items())) for name in sorted(calls)}}


def _ids(form: re.Pattern[str], texts: list[str]) -> list[str]:
    return sorted({found[1] for text in texts if (found := form.match(text))})


def written(table: dict[str, Any]) -> str:
    """As the file has it: a line for each entry, so that a change shows as one."""
    return json.dumps(table, indent=0, ensure_ascii=False) + "\n"


TABLES = {"attack.json": attack_table, "incident-calls.json": incident_calls}

if __name__ == "__main__":
    for name, make in TABLES.items():
        (MAPPINGS / name).write_text(written(make(Path(sys.argv[1]))), encoding="utf-8")
