"""What the event index knows of each field, read from `mappings/events.template.json`: the one place that says it."""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
import orjson
from msgspec.structs import replace

from osdetect.resources import folder


class EventFields(msgspec.Struct, frozen=True):
    """The fields that stored events can be searched by."""

    keywords: frozenset[str]
    """Paths whose texts are terms, in lower case, up to `ignore_above` characters."""
    ips: Mapping[str, str]
    """Paths that are also read as IP addresses, and the field that holds them."""
    ignore_above: int
    """Characters above which a text is not a term."""
    hollow: frozenset[str] = frozenset()
    """Paths that events name when they have them without a term (`osdetect.documents.event.HOLLOW_FIELDS`)."""

    @staticmethod
    def shipped() -> "EventFields":
        """The fields of the template that `osdetect deploy` installs."""
        template = orjson.loads((folder("mappings") / "events.template.json").read_bytes())
        mappings = template["template"]["mappings"]
        return replace(EventFields.of(mappings["properties"]), hollow=frozenset(mappings["_meta"]["hollow"]))

    @staticmethod
    def of(properties: Mapping[str, Any]) -> "EventFields":
        """The fields of a mapping's `properties`."""
        lowered = {
            path: field
            for path, field in _leaves(properties, "")
            if field.get("type") == "keyword" and field.get("normalizer") == "lowercase"
        }
        ips = {
            path: f"{path}.{name}"
            for path, field in lowered.items()
            for name, inner in field.get("fields", {}).items()
            if inner.get("type") == "ip"
        }
        above = min((field.get("ignore_above", 8191) for field in lowered.values()), default=0)
        return EventFields(frozenset(lowered), ips, above)


def _leaves(properties: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name, field in properties.items():
        if "properties" in field:
            yield from _leaves(field["properties"], f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", field
