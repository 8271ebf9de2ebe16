"""What the published layer format 4.5 of MITRE's ATT&CK Navigator allows, as far as layers of ours go (LAYERFORMATv4_5.md)."""

from collections.abc import Mapping
from typing import Any

_TEXT: Mapping[str, Any] = {"type": "string"}
_TRUTH: Mapping[str, Any] = {"type": "boolean"}
_COLOUR: Mapping[str, Any] = {"type": "string", "pattern": "^#[0-9a-f]{6}$"}


def _closed(required: str, **properties: Mapping[str, Any]) -> Mapping[str, Any]:
    """An object that has no other keys."""
    return {
        "type": "object",
        "required": required.split(),
        "properties": properties,
        "additionalProperties": False,
    }


_METADATA = {"type": "array", "items": _closed("name value", name=_TEXT, value=_TEXT)}
LAYER = _closed(
    "name domain versions",
    name=_TEXT,
    description=_TEXT,
    domain={"enum": ["enterprise-attack", "mobile-attack", "ics-attack"]},
    versions=_closed(
        "navigator layer",
        attack={"type": "string", "pattern": "^[0-9]+$"},
        navigator={"type": "string", "pattern": r"^(4\.9|5\.[0-9]+)\.[0-9]+$"},
        layer={"const": "4.5"},
    ),
    sorting={"enum": [0, 1, 2, 3]},
    layout=_closed(
        "",
        layout={"enum": ["side", "flat", "mini"]},
        showID=_TRUTH,
        showName=_TRUTH,
        showAggregateScores=_TRUTH,
        countUnscored=_TRUTH,
        aggregateFunction={"enum": ["average", "min", "max", "sum"]},
        expandedSubtechniques={"enum": ["none", "all", "annotated"]},
    ),
    hideDisabled=_TRUTH,
    techniques={
        "type": "array",
        "items": _closed(
            "techniqueID",
            techniqueID={"type": "string", "pattern": r"^T[0-9]{4}(\.[0-9]{3})?$"},
            tactic=_TEXT,
            comment=_TEXT,
            enabled=_TRUTH,
            score={"type": "number"},
            color=_COLOUR,
            metadata=_METADATA,
        ),
    },
    gradient=_closed(
        "colors minValue maxValue",
        colors={"type": "array", "minItems": 2, "items": _COLOUR},
        minValue={"type": "number"},
        maxValue={"type": "number"},
    ),
    legendItems={"type": "array", "items": _closed("label color", label=_TEXT, color=_COLOUR)},
    showTacticRowBackground=_TRUTH,
    selectTechniquesAcrossTactics=_TRUTH,
    selectSubtechniquesWithParent=_TRUTH,
    selectVisibleTechniques=_TRUTH,
)
