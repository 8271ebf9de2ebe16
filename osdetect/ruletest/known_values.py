"""The values that CloudTrail has in the few fields whose values are a closed list: no test can name another."""

from collections.abc import Iterator, Mapping
from functools import cache

import orjson

from osdetect.resources import folder

_DOMAIN = ".amazonaws.com"
_FIXED: Mapping[str, tuple[str, ...]] = {
    # AWS CloudTrail user guide, "CloudTrail userIdentity element" and "CloudTrail record contents"
    "userIdentity.type": (
        "IAMUser", "AssumedRole", "Root", "Role", "FederatedUser", "AWSAccount", "AWSService", "Directory",
        "IdentityCenterUser", "SAMLUser", "WebIdentityUser", "Unknown",
    ),
    "eventType": (
        "AwsApiCall", "AwsServiceEvent", "AwsConsoleAction", "AwsConsoleSignIn", "AwsVpceEvent", "AwsCloudTrailInsight",
    ),
    "eventCategory": ("Management", "Data", "NetworkActivity", "Insight"),
}  # fmt: skip


@cache
def calls() -> Mapping[str, tuple[str, ...]]:
    """The names of the calls that each eventSource has.

    Raises:
        ResourceError: the installation lacks the table.
    """
    table = orjson.loads((folder("mappings") / "cloudtrail-api.json").read_bytes())
    return {
        f"{source}{_DOMAIN}": tuple(_names(packed)) for source, packed in sorted(table["sources"].items())
    }


def _names(packed: Mapping[str, str]) -> Iterator[str]:
    """The names of a source: it maps the first word of each to the rests (the table's own note)."""
    for verb, rests in packed.items():
        yield from (verb + rest for rest in rests.split(" "))


@cache
def known_values(field: str) -> tuple[str, ...]:
    """Every value that a CloudTrail record can have in the field; none where that is no closed list."""
    if field == "eventName":
        return tuple(sorted({name for names in calls().values() for name in names}))
    if field == "eventSource":
        return tuple(calls())
    return _FIXED.get(field, ())


@cache
def sources_of() -> Mapping[str, tuple[str, ...]]:
    """The sources that have a call of each name, in lower case."""
    found: dict[str, list[str]] = {}
    for source, names in calls().items():
        for name in names:
            found.setdefault(name.lower(), []).append(source)
    return {name: tuple(sources) for name, sources in found.items()}
