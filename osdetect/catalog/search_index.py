"""What the search on the site's first page knows of each rule, as a script that only holds data."""

from collections.abc import Sequence
from typing import Any

import orjson

from osdetect.catalog.attack_rows import tactics_of, techniques_of
from osdetect.catalog.blocks import Page, Paragraph, Span, line
from osdetect.catalog.entries import Entry
from osdetect.catalog.lists import ROOT, RULE_HEADER, Head, paged, rule_row, short
from osdetect.catalog.page import SOURCE
from osdetect.catalog.places import INDEX
from osdetect.catalog.shown import visible
from osdetect.schema.attack import technique_of_tag

FIRST = 50
"""Rules that the first page lists before anything is searched."""
_EACH = 1_000
"""Names of each kind that are searched for a rule; no honest rule has more."""


def index_script(entries: Sequence[Entry]) -> bytes:
    """The script: one assignment of JSON."""
    rules = [_row(entry) for entry in entries]
    return b'"use strict";\nself.catalogRules = ' + orjson.dumps(rules) + b";\n"


def _row(entry: Entry) -> dict[str, Any]:
    rule = entry.rule
    own = [found.id for tag in rule.tags if (found := technique_of_tag(tag))]
    return {
        "id": entry.id,
        "title": _said(rule.title),
        "level": rule.level.value,
        "status": rule.status,
        "source": SOURCE,
        "tactic": [one.name for one in tactics_of(rule.tags)],
        "service": [*map(_said, _services(entry)[:_EACH])],
        "author": [*map(_said, _authors(rule.author)[:_EACH])],
        "pack": _said(entry.pack),
        "words": " ".join(
            [
                *dict.fromkeys([*own, *(one.id for one in techniques_of(rule.tags))]),
                *(one.name for one in techniques_of(rule.tags)),
                *map(_said, entry.operations[:_EACH]),
                _said(entry.file),
            ]
        ),
    }


def _said(text: str) -> str:
    return visible(short(text))


def _services(entry: Entry) -> tuple[str, ...]:
    """The services whose calls a rule looks for; else the log source's."""
    return entry.services or tuple(
        word for word in (entry.logsource.service or entry.logsource.category,) if word
    )


def _authors(author: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for part in author.split(",") if (name := part.strip())))


def index_page(entries: Sequence[Entry]) -> Page:
    """The first page."""
    (listed, *_) = paged(
        Head(INDEX, ROOT), "The first rules", RULE_HEADER, [rule_row(one) for one in entries[:FIRST]], {}
    )
    return Page(
        path=INDEX,
        title=ROOT,
        crumbs=(Span(ROOT),),
        badges=(),
        lead=(Paragraph(line(f"{len(entries):,} rules. ", Span("All rules as a list", "rules/all"))),),
        sections=(*listed.sections,),
        data={"rules": [_row(one) for one in entries]},
    )
