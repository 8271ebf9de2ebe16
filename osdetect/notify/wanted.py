"""Which alerts a channel tells."""

from collections.abc import Mapping
from typing import Any

from osdetect.notify.settings import Channel
from osdetect.vocabulary import Level


def query(channel: Channel) -> Mapping[str, Any] | None:
    """A query that finds every alert that the channel wants, and perhaps more; None: all."""
    wanted = {
        "rule.level": [level.value for level in Level if level.rank >= channel.level.rank]
        if channel.level.rank
        else [],
        "rule.id": list(channel.rules),
        "cloud.account.id": list(channel.accounts),
    }
    filters = [{"terms": {field: values}} for field, values in wanted.items() if values]
    return {"bool": {"filter": filters}} if filters else None


def wants(channel: Channel, alert: Mapping[str, Any]) -> bool:
    """Whether the channel wants the alert; `query` found it."""
    return not channel.tags or any(_has(alert, tag.lower().removeprefix("attack.")) for tag in channel.tags)


def _has(alert: Mapping[str, Any], name: str) -> bool:
    threat = alert.get("threat")
    if not isinstance(threat, Mapping):
        return False
    techniques = [one.lower() for one in _texts(threat.get("technique"), "id")]
    tactics = [*_texts(threat.get("tactic"), "id"), *_texts(threat.get("tactic"), "name")]
    plain = name.replace("_", "-")
    return any(one == name or one.startswith(f"{name}.") for one in techniques) or plain in {
        one.lower().replace(" ", "-") for one in tactics
    }


def _texts(said: object, key: str) -> list[str]:
    """ECS has an object of lists; one object of texts and a list of objects mean the same."""
    objects = said if isinstance(said, list) else [said]
    found = (one.get(key) for one in objects if isinstance(one, Mapping))
    return [
        text for one in found for text in (one if isinstance(one, list) else [one]) if isinstance(text, str)
    ]
