"""Under which terms the rules of a pack may be used, as far as the texts beside them say."""

import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType

import msgspec

from osdetect.packs.limits import Entry

UNKNOWN = "unknown"
DETECTION_RULE_LICENCE = "DRL-1.1"

# Ordered: a text that names several (GPL in LGPL, a readme-like LICENSE) is told by the first that fits.
_TEXTS: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (name, re.compile(pattern))
    for name, pattern in (
        (
            DETECTION_RULE_LICENCE,
            r"detection rule license(?: \(drl\))? 1\.1|detection rule license \(drl\) v?1\.1",
        ),
        ("DRL-1.0", r"detection rule license(?: \(drl\))? 1\.0"),
        ("Elastic-2.0", r"elastic license 2\.0"),
        ("AGPL-3.0", r"gnu affero general public license\s+version 3"),
        ("LGPL-3.0", r"gnu lesser general public license\s+version 3"),
        ("GPL-3.0", r"gnu general public license\s+version 3"),
        ("GPL-2.0", r"gnu general public license\s+version 2"),
        ("MPL-2.0", r"mozilla public license,? (?:version|v\.) ?2\.0"),
        ("Apache-2.0", r"apache license,?\s+version 2\.0"),
        ("CC0-1.0", r"cc0 1\.0 universal|creative commons zero v?1\.0"),
        ("CC-BY-NC-SA-4.0", r"attribution-noncommercial-sharealike 4\.0"),
        ("CC-BY-NC-4.0", r"attribution-noncommercial 4\.0"),
        ("CC-BY-SA-4.0", r"attribution-sharealike 4\.0"),
        ("CC-BY-4.0", r"attribution 4\.0 international"),
        ("Unlicense", r"this is free and unencumbered software released into the public domain"),
        ("BSD-3-Clause", r"redistributions of source code.*neither the name"),
        ("BSD-2-Clause", r"redistributions of source code.*redistributions in binary form"),
        ("MIT", r"permission is hereby granted, free of charge, to any person obtaining a copy"),
        ("ISC", r"permission to use, copy, modify, and/or distribute this software for any purpose"),
    )
)

_DUTIES: Mapping[str, str] = MappingProxyType(
    {
        DETECTION_RULE_LICENCE: "alerts and messages based on these rules name the rules' authors: rule.author is in every alert",
        "DRL-1.0": "alerts and messages based on these rules name the rules' authors: rule.author is in every alert",
        "CC-BY-4.0": "who passes the rules on names the authors and says what was changed",
        "CC-BY-SA-4.0": "who passes the rules on names the authors, says what was changed, and does so under the same licence",
        "CC-BY-NC-4.0": "not for commercial use",
        "CC-BY-NC-SA-4.0": "not for commercial use",
        "Elastic-2.0": "not to be offered to third parties as a service",
        UNKNOWN: "no licence was recognised: ask the authors what is allowed",
    }
)


class Licence(msgspec.Struct, frozen=True):
    """What is known of a pack's terms."""

    name: str
    """By its SPDX name, or `unknown`."""
    files: tuple[str, ...]
    """Texts that were copied, as paths below the pack."""
    named_by_rules: tuple[str, ...]
    """What rules say in `license:` themselves, each once."""
    authors: int
    """Different authors that the rules name."""

    @property
    def duty(self) -> str:
        """What it asks of the user, in one sentence; empty where only keeping the text is asked."""
        return _DUTIES.get(self.name, "")


def recognised(texts: Iterable[Entry]) -> str:
    """The licence that the texts are, told by the topmost of them that one is recognised in.

    >>> recognised([Entry("LICENSE", b"Released under the Detection Rule License (DRL) 1.1")])
    'DRL-1.1'
    """
    for entry in sorted(texts, key=lambda one: (one.path.count("/"), one.path)):
        text = " ".join(entry.data.decode("utf-8", "replace").lower().split())
        for name, pattern in _TEXTS:
            if pattern.search(text):
                return name
    return UNKNOWN
