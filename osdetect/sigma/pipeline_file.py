"""A processing pipeline's YAML file, checked: it is the user's own, but may come from anywhere.

Format: pySigma documentation, "Processing Pipelines".
"""

from pathlib import Path
from typing import Any

import sigma.exceptions as theirs
from sigma.processing.pipeline import ProcessingPipeline
from sigma.processing.transformations import transformations

from osdetect.errors import RuleError
from osdetect.sigma.text_file import read_text
from osdetect.sigma.yaml_text import Document, documents

JSON_TEXT = "osdetect_json_text"
"""The variable of a pipeline that lists the paths where its events hold an object as JSON text."""

_REFUSED = {
    "command_placeholders": "it runs a program",
    "http_placeholders": "it fetches a page",
    "file_placeholders": "it reads a file that it names itself",
    "query_expression_placeholders": "it writes query text, and osdetect writes none",
}
"""Kinds of transformation that are not taken, and why."""
_QUERY_TEXT = ("postprocessing", "finalizers")


def pipeline_document(file: Path) -> Document:
    """The one document of the file.

    Raises:
        RuleError: the file cannot be read, or is not one YAML document.
    """
    source = read_text(file)
    found = list(documents(source))
    refused = next((one for one in found if isinstance(one, RuleError)), None)
    if refused is not None:
        raise refused
    if len(found) != 1 or not isinstance(found[0], Document):
        raise RuleError(
            "a pipeline is one YAML document", cause=f"this file has {len(found)}", where=source.where()
        )
    return found[0]


_KEYS = frozenset({"name", "priority", "vars", "transformations", "allowed_backends", *_QUERY_TEXT})


def parsed(document: Document) -> ProcessingPipeline:
    """The pipeline that the document is.

    Raises:
        RuleError: it is none, or asks for something that is refused.
    """
    _check(document)
    try:
        return ProcessingPipeline.from_dict(document.data)
    except theirs.SigmaError as error:
        raise document.error(
            "this is not a processing pipeline", cause=" ".join(str(error).split())[:300]
        ) from error
    except (TypeError, ValueError, AttributeError, KeyError, RecursionError) as error:
        raise document.error(
            "this is not a processing pipeline", cause=f"{type(error).__name__}: {error}"[:300]
        ) from error


def _check(document: Document) -> None:
    data = document.data
    if not isinstance(data, dict) or not isinstance(data.get("transformations"), list):
        raise document.error(
            "this is not a processing pipeline",
            cause="a pipeline is a map with a list called transformations",
            cure="see docs/dialects.md; rules belong among the RULES",
        )
    other = next((key for key in data if key not in _KEYS), None)
    if other is not None:
        raise document.error(
            "this is not a processing pipeline", at=(other,), cause=f"a pipeline has no key {other!r}"
        )
    texts = next((key for key in _QUERY_TEXT if data.get(key)), None)
    if texts is not None:
        raise document.error(
            f"{texts} has no place here", at=(texts,), cause="it changes query text, and osdetect writes none"
        )
    if not isinstance(data.get("priority", 0), int):
        raise document.error("a priority must be a whole number", at=("priority",))
    if not isinstance(data.get("vars", {}), dict):
        raise document.error("vars must be a map", at=("vars",))
    paths = data.get("vars", {}).get(JSON_TEXT, [])
    if not isinstance(paths, list) or not all(isinstance(path, str) and path for path in paths):
        raise document.error(f"{JSON_TEXT} must be a list of paths", at=("vars", JSON_TEXT))
    _check_steps(document, data["transformations"], ("transformations",))


def _check_steps(document: Document, steps: list[Any], at: tuple[str | int, ...]) -> None:
    for place, step in enumerate(steps):
        kind = step.get("type") if isinstance(step, dict) else None
        if not isinstance(kind, str):
            raise document.error("a transformation is a map with a type", at=(*at, place))
        if kind in _REFUSED:
            raise document.error(
                f"the transformation {kind} is refused",
                at=(*at, place, "type"),
                cause=_REFUSED[kind],
                cure="write the values into the pipeline: vars and value_placeholders",
            )
        if kind not in transformations:
            raise document.error(f"there is no transformation {kind!r}", at=(*at, place, "type"))
        if isinstance(step.get("items"), list):
            _check_steps(document, step["items"], (*at, place, "items"))
