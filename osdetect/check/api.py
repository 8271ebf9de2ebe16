"""Which eventName an eventSource has, from `mappings/cloudtrail-api.json`.

AWS adds operations daily: a name that is not here is not known to osdetect, and no more than that.
"""

import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from functools import cache, lru_cache

import msgspec
import orjson

from osdetect.check.items import matcher
from osdetect.resources import folder

Names = Mapping[str, str]
"""Names in lower case, and as AWS writes them: Sigma compares without regard to case."""
_SIMILAR = 0.8


class Api(msgspec.Struct, frozen=True):
    """The table, arranged for looking up. Every name that is asked for may have any letter case."""

    sources: Mapping[str, Names]
    """The names of each eventSource."""
    sdk_names: Names
    """Sources by the names that AWS's SDKs have for their services, where those differ: "cloudwatch"."""
    open: frozenset[str]
    """Sources that are known, but not their names."""
    dated: Mapping[str, re.Pattern[str]]
    """What may stand behind an operation's name in the events of a source: the API's date."""
    recorded_as: Mapping[str, Names]
    always_dated: Mapping[str, Names]
    everything: Names

    def knows_source(self, source: str) -> bool:
        """Whether some service has this eventSource."""
        source = source.lower().removesuffix(".cn")  # some sources of the China partition end so
        return source in self.sources or source in self.open

    def knows(self, source: str, name: str) -> bool:
        """Whether the source has the event; also when nothing is known of its events."""
        source, name = source.lower(), name.lower()
        names = self.sources.get(source)
        if names is None or name in names:
            return True
        return _without_date(name, self.dated.get(source)) in names

    def sources_of(self, name: str) -> tuple[str, ...]:
        """The sources that have an event of this name."""
        return tuple(source for source in self.sources if self.knows(source, name))

    def recorded(self, source: str, name: str) -> str:
        """What CloudTrail calls the operation instead; empty when it keeps its name."""
        source, name = source.lower(), name.lower()
        if (other := self.recorded_as.get(source, {}).get(name)) is not None:
            return other
        spelled = self.always_dated.get(source, {}).get(name)
        return f"{spelled}{_EXAMPLES[source]}" if spelled and source in _EXAMPLES else ""

    def nearest_name(self, name: str, source: str = "") -> str:
        """The name that was probably meant; empty when none is similar."""
        names = self.sources.get(source.lower()) or self.everything
        return _nearest(name.lower(), names)

    def nearest_source(self, source: str) -> str:
        """The source that was probably meant; empty when none is similar."""
        if (meant := self.sdk_names.get(source.lower().removesuffix(_DOMAIN))) is not None:
            return meant
        found = get_close_matches(source.lower()[:128], self.sources, n=1, cutoff=_SIMILAR)
        return found[0] if found else ""


_EXAMPLES: Mapping[str, str] = {
    "lambda.amazonaws.com": "20150331v2",
    "cloudfront.amazonaws.com": "2020_05_31",
}


def _without_date(name: str, date: re.Pattern[str] | None) -> str:
    found = date.search(name) if date else None
    return name[: found.start()] if found else name


def _nearest(name: str, names: Names) -> str:
    """The most similar name with the same beginning and about the same length: comparing with all takes too long."""
    near = [one for one in names if one.startswith(name[:4]) and abs(len(one) - len(name)) <= 2]
    found = get_close_matches(name, near[:_COMPARED], n=1, cutoff=_SIMILAR) if len(name) < 128 else []
    return names[found[0]] if found else ""


_COMPARED = 1_000


def _lowered(names: Iterator[str]) -> dict[str, str]:
    return {name.lower(): name for name in names}


def _unpacked(packed: Mapping[str, str]) -> Iterator[str]:
    for verb, rests in packed.items():
        for rest in rests.split(" "):
            yield verb + rest


@cache
def shipped() -> Api:
    """The table that comes with osdetect.

    Raises:
        ResourceError: the installation lacks it.
    """
    table = orjson.loads((folder("mappings") / "cloudtrail-api.json").read_bytes())
    sources = {source: _lowered(_unpacked(packed)) for source, packed in table["sources"].items()}
    return Api(
        sources={f"{source}{_DOMAIN}": names for source, names in sources.items()},
        sdk_names={name: f"{source}{_DOMAIN}" for name, source in table["sdk_names"].items()},
        open=frozenset(f"{name}{_DOMAIN}" for name in table["open"].split()),
        dated={source: re.compile(f"(?:{pattern})$") for source, pattern in table["dated"].items()},
        recorded_as={
            source: {name.lower(): other for name, other in names.items()}
            for source, names in table["recorded_as"].items()
        },
        always_dated={
            source: _lowered(iter(names.split())) for source, names in table["always_dated"].items()
        },
        everything={name: spelled for names in sources.values() for name, spelled in names.items()},
    )


_DOMAIN = ".amazonaws.com"


@lru_cache(maxsize=1_000)
def some_source_fits(pattern: str) -> bool:
    """Whether the wildcard pattern fits any eventSource."""
    fits = matcher(pattern)
    api = shipped()
    return any(map(fits, api.sources)) or any(map(fits, api.open))


@lru_cache(maxsize=1_000)
def some_name_fits(pattern: str) -> bool:
    """Whether the wildcard pattern fits any eventName, dated ones too."""
    api = shipped()
    fits = matcher(pattern)
    return any(map(fits, api.everything)) or any(
        fits(f"{name}{date}") for source, date in _EXAMPLES.items() for name in api.sources.get(source, ())
    )
