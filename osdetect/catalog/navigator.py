"""Coverage as a layer of MITRE's ATT&CK Navigator (layer format 4.5)."""

from typing import Any

from osdetect.catalog.coverage import Coverage, TechniqueCoverage
from osdetect.catalog.evidence import State
from osdetect.schema.attack import version

COLOURS = {State.DECLARED: "#cfe2f3", State.TESTED: "#9fc5e8", State.FIRED: "#6aa84f"}
_MEANT = {
    State.DECLARED: "declared: a rule names the technique",
    State.TESTED: "tested: the tests of such a rule pass",
    State.FIRED: "fired: such a rule matched data",
}


def layer(coverage: Coverage, at_least: State) -> dict[str, Any]:
    """The layer of the techniques that are proven at least so far; a technique's score is the number of those rules.

    The Navigator does not know a retired technique under its old number, so the rules stand with its successor.
    """
    shown = [one for one in coverage.techniques if one.rules(at_least)]
    return {
        "name": f"osdetect: {at_least.word}",
        "versions": {"attack": version().partition(".")[0], "navigator": "5.1.0", "layer": "4.5"},
        "domain": "enterprise-attack",
        "description": f"Techniques with rules that are at least {at_least.word}. ATT&CK {version()}.",
        "sorting": 3,
        "layout": {"layout": "side", "showID": True, "showName": True, "expandedSubtechniques": "annotated"},
        "hideDisabled": False,
        "techniques": [_technique(one, at_least) for one in shown],
        "gradient": {
            "colors": ["#ffffff", COLOURS[at_least]],
            "minValue": 0,
            "maxValue": max((one.rules(at_least) for one in shown), default=1),
        },
        "legendItems": [{"label": _MEANT[state], "color": COLOURS[state]} for state in State],
        "showTacticRowBackground": False,
        "selectTechniquesAcrossTactics": True,
        "selectSubtechniquesWithParent": False,
    }


def _technique(one: TechniqueCoverage, at_least: State) -> dict[str, Any]:
    counts = {state.word: one.rules(state) for state in State}
    return {
        "techniqueID": one.technique.id,
        "score": one.rules(at_least),
        "color": COLOURS[one.state],
        "comment": ", ".join(f"{number} {word}" for word, number in counts.items()),
        "enabled": True,
        "metadata": [{"name": word, "value": str(number)} for word, number in counts.items()],
    }
