"""Import the saved objects, read every one back, and set the default index where nobody chose one."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
import orjson

from osdetect.dashboards.door import Dashboards
from osdetect.dashboards.saved_objects import DEFAULT_PATTERN, FILE
from osdetect.dashboards.validate import parsed_lines, problems
from osdetect.errors import ClusterRefused, ResourceError
from osdetect.resources import folder
from osdetect.source import printable

IMPORT = "/api/saved_objects/_import?overwrite=true"
READ = "/api/saved_objects/_bulk_get"
SETTINGS = "/api/opensearch-dashboards/settings"
DEFAULT_INDEX = "defaultIndex"
_NAMED = 10
"""Objects that an error names; it says how many there are."""


class Installed(msgspec.Struct, frozen=True):
    """What an import did."""

    objects: int
    """Saved objects that are there as they were sent."""
    default_index: str
    """The index pattern that Discover opens with now."""
    chosen: bool
    """Whether that was set before, and left alone."""


def install(dashboards: Dashboards) -> Installed:
    """Bring the dashboards that osdetect ships into OpenSearch Dashboards.

    Raises:
        ResourceError: the shipped file is not there or damaged.
        ClusterRefused: an object was not taken, or is not as it was sent; each is named with its reason.
        ClusterUnavailable: Dashboards does not answer.
    """
    content = shipped()
    objects = parsed_lines(content)
    if wrong := problems(objects):
        raise ResourceError(f"{FILE} cannot be imported", cause="; ".join(map(str, wrong[:_NAMED])))
    reply = dashboards.upload(IMPORT, "osdetect.ndjson", content)
    refused = tuple(_refusals(reply))
    if not isinstance(reply, Mapping) or reply.get("success") is not True or refused:
        raise _failed("OpenSearch Dashboards did not take every object", refused or (_unsaid(reply),))
    if differing := tuple(_differing(objects, _read_back(dashboards, objects))):
        raise _failed("objects in OpenSearch Dashboards are not as they were sent", differing)
    return Installed(len(objects), *_default_index(dashboards))


def shipped() -> bytes:
    """The file of saved objects.

    Raises:
        ResourceError: it is not there.
    """
    try:
        return (folder("mappings") / FILE).read_bytes()
    except OSError as error:
        raise ResourceError(
            f"the saved objects {FILE} cannot be read",
            cause=error.strerror or str(error),
            cure="install osdetect again",
        ) from error


def _failed(what: str, objects: Sequence[str]) -> ClusterRefused:
    named = "; ".join(objects[:_NAMED])
    more = f"; and {len(objects) - _NAMED} more" if len(objects) > _NAMED else ""
    return ClusterRefused(
        f"{what}: {len(objects)}",
        cause=named + more,
        cure="mend what is named (docs/dashboards.md), then run the same command again: it replaces what is there",
    )


def _unsaid(reply: Any) -> str:
    return f"it names no object: {printable(str(reply), 300)}"


def _refusals(reply: Any) -> Iterable[str]:
    for one in map(_object, _listed(_object(reply).get("errors"))):
        error = _object(one.get("error"))
        references = map(_object, _listed(error.get("references")))
        missing = ", ".join(f"{ref.get('type')} {ref.get('id')}" for ref in references)
        said = ": ".join(filter(None, (str(error.get("type", "")), str(error.get("message", "")), missing)))
        yield printable(f"{one.get('type')} {one.get('id')}: {said or 'it does not say why'}", 300)


def _object(said: Any) -> Mapping[str, Any]:
    """What an answer says where an object belongs; whatever answers may say anything."""
    return said if isinstance(said, Mapping) else {}


def _listed(said: Any) -> Sequence[Any]:
    return said if isinstance(said, list) else ()


def _read_back(
    dashboards: Dashboards, objects: Sequence[Mapping[str, Any]]
) -> Mapping[tuple[str, str], Mapping[str, Any]]:
    reply = dashboards.ask("POST", READ, [{"type": one["type"], "id": one["id"]} for one in objects])
    found = map(_object, _listed(_object(reply).get("saved_objects")))
    return {(str(one.get("type")), str(one.get("id"))): one for one in found}


def _differing(
    sent: Sequence[Mapping[str, Any]], found: Mapping[tuple[str, str], Mapping[str, Any]]
) -> Iterable[str]:
    for one in sent:
        there = found.get((one["type"], one["id"]))
        name = f"{one['type']} {one['id']}"
        error = there.get("error") if there else None
        if there is None or error:
            why = _object(error).get("message", "it was not answered")
            yield printable(f"{name}: it cannot be read back: {why}", 300)
        elif place := difference(one["attributes"], there.get("attributes")):
            yield printable(f"{name}: it differs in {place}", 300)
        elif difference(_by_name(one["references"]), _by_name(there.get("references"))):
            yield f"{name}: it differs in its references"


def _by_name(references: Any) -> dict[str, Any]:
    return {str(one.get("name")): one for one in map(_object, _listed(references))}


def difference(sent: Any, found: Any, path: str = "") -> str:
    """Where what is there lacks something that was sent; empty if it has all of it.

    Dashboards may add: its migrations do. Attributes that are JSON as text are compared as what they say.

    >>> difference({"a": '{"b": 1}'}, {"a": '{"b":1,"c":2}'}), difference({"a": {"b": 1}}, {"a": {}})
    ('', 'a.b')
    """
    match sent, found:
        case dict(), dict():
            places = (
                difference(value, found[key], f"{path}.{key}") if key in found else f"{path}.{key}"
                for key, value in sent.items()
            )
            return next(filter(None, places), "").removeprefix("." if not path else "")
        case list(), list() if len(sent) == len(found):
            places = (
                difference(one, other, f"{path}[{number}]")
                for number, (one, other) in enumerate(zip(sent, found, strict=True))
            )
            return next(filter(None, places), "")
        case str(), str() if sent != found and sent[:1] in "{[":
            return difference(_opened(sent), _opened(found), path)
        case _:
            return "" if sent == found and type(sent) is type(found) else path or "all of it"


def _opened(text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return text.encode()  # never equal to anything that was sent


def _default_index(dashboards: Dashboards) -> tuple[str, bool]:
    """What is the default index now, and whether somebody had chosen it."""
    reply = dashboards.ask("GET", SETTINGS)
    known = _object(_object(_object(reply).get("settings")).get(DEFAULT_INDEX))
    if chosen := known.get("userValue"):
        return str(chosen), str(chosen) != DEFAULT_PATTERN
    dashboards.ask("POST", f"{SETTINGS}/{DEFAULT_INDEX}", {"value": DEFAULT_PATTERN})
    return DEFAULT_PATTERN, False
