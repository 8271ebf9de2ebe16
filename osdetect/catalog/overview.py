"""The pages that lead to rules: by technique, by API call, all of them, and what the catalog was made of."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence

from osdetect.catalog.blocks import Bullets, Look, Page, Paragraph, Section, Span, Table, joined, line
from osdetect.catalog.corpus import Corpus
from osdetect.catalog.entries import Catalog, Entry
from osdetect.catalog.incidents import CREDIT, KnownCall, calls_named
from osdetect.catalog.lists import ROOT, Head, Row, paged, rule_pages, short
from osdetect.catalog.places import ABOUT, CALLS, INDEX, TECHNIQUES, call_page, file_name, technique_page
from osdetect.expr.values import fold_case
from osdetect.schema.attack import Technique, tactic, technique, technique_of_tag, version

ATTACK_CREDIT = (
    "ATT&CK names © The MITRE Corporation. This work is reproduced and distributed with the permission of The MITRE "
    "Corporation."
)
_HOME = Span(ROOT, INDEX)


class Techniques:
    """The rules of each technique: under the id that they name, and under that which took its place."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self.tagged: dict[str, dict[str, Entry]] = defaultdict(dict)
        """By the id as tagged."""
        self.rules: dict[str, dict[str, Entry]] = defaultdict(dict)
        """By the id of today."""
        for entry in entries:
            for one in (found for tag in entry.rule.tags if (found := technique_of_tag(tag))):
                self.tagged[one.id][entry.id] = entry
                self.rules[one.successor or one.id][entry.id] = entry

    def pages(self) -> Iterator[Page]:
        """The list of techniques, and the page of each that a rule names, that took the place of one, or that has one as a part."""
        tagged = {*self.tagged, *self.rules}
        wholes = {key.partition(".")[0] for key in tagged}
        named = [one for key in sorted(tagged | wholes) if (one := technique(key))]
        rows = [self._row(one) for one in named]
        lead = Paragraph(
            line(f"Techniques of ATT&CK {version()} that rules name, retired ones with their successor.")
        )
        head = Head(TECHNIQUES, "Techniques", (lead, Paragraph(line(ATTACK_CREDIT))))
        yield from paged(
            head, f"{len(rows):,} techniques", ("Technique", "Tactics", "Rules"), rows, {"attack": version()}
        )
        for one in named:
            yield from self._pages(one)

    def _row(self, one: Technique) -> Row:
        count = len(self._of(one))
        return Row(
            (line(Span(_label(one), technique_page(one.id))), line(_tactics(one)), line(f"{count:,}")),
            {"id": one.id, "name": one.name, "successor": one.successor or None, "rules": count},
        )

    def _of(self, one: Technique) -> Mapping[str, Entry]:
        return (self.tagged if one.successor else self.rules).get(one.id, {})

    def _pages(self, one: Technique) -> Iterator[Page]:
        own = self._of(one)
        lead = [Paragraph(line("Tactics: ", _tactics(one) or "none"))]
        if later := technique(one.successor) if one.successor else None:
            lead.append(
                Paragraph(
                    line(
                        "Retired by ATT&CK; its successor is ",
                        Span(_label(later), technique_page(later.id)),
                        ".",
                    )
                )
            )
        if "." in one.id and (whole := technique(one.parent)):
            lead.append(Paragraph(line("Part of ", Span(_label(whole), technique_page(whole.id)), ".")))
        parts = [
            found for key in sorted(self.rules) if key.startswith(f"{one.id}.") and (found := technique(key))
        ]
        sections = (
            (
                Section(
                    "parts",
                    "Sub-techniques",
                    (
                        Bullets(
                            tuple(
                                line(
                                    Span(_label(found), technique_page(found.id)),
                                    f" ({len(self.rules[found.id])})",
                                )
                                for found in parts
                            )
                        ),
                    ),
                ),
            )
            if parts
            else ()
        )
        head = Head(
            technique_page(one.id),
            f"{one.id} {one.name}",
            tuple(lead),
            (_HOME, Span("Techniques", TECHNIQUES)),
            sections,
        )
        data = {
            "id": one.id,
            "name": one.name,
            "tactics": list(one.tactics),
            "successor": one.successor or None,
        }
        entries = [own[key] for key in sorted(own, key=lambda key: (own[key].rule.title.casefold(), key))]
        yield from rule_pages(head, entries, data, lambda entry: self._note(entry, one))

    def _note(self, entry: Entry, one: Technique) -> str:
        if one.successor or entry.id in self.tagged.get(one.id, {}):
            return ""
        old = next(
            found.id
            for tag in entry.rule.tags
            if (found := technique_of_tag(tag)) and found.successor == one.id
        )
        return f"tagged as {old}"


def _label(one: Technique) -> str:
    return f"{one.id} {one.name}" + (f" (retired, now {one.successor})" if one.successor else "")


def _tactics(one: Technique) -> str:
    return ", ".join(found.name for tag in one.tactics if (found := tactic(tag)))


def call_pages(corpus: Corpus) -> Iterator[Page]:
    """The list of platforms, that of each platform's calls, and the page of each call."""
    platforms: dict[str, list[tuple[str, tuple[Entry, ...]]]] = defaultdict(list)
    for platform, call, entries in corpus.calls():
        platforms[platform].append((call, entries))
    rows = [
        Row(
            (line(Span(short(name or "any"), _platform_page(name))), line(f"{len(calls):,}")),
            {"platform": short(name), "calls": len(calls)},
        )
        for name, calls in sorted(platforms.items())
    ]
    lead = Paragraph(line("The API calls and operations that rules filter on by name, by platform."))
    yield from paged(Head(CALLS, "API calls", (lead,)), "Platforms", ("Platform", "Calls"), rows, {})
    for name, calls in sorted(platforms.items()):
        yield from _platform(name, calls)
        for call, entries in calls:
            yield from _call(name, call, entries)


def _platform_page(platform: str) -> str:
    return f"{CALLS}/{file_name(platform or 'any')}"


def _platform(platform: str, calls: Sequence[tuple[str, tuple[Entry, ...]]]) -> Iterator[Page]:
    rows = [
        Row(
            (
                line(Span(short(call), call_page(platform, call), Look.CODE)),
                line(f"{len(entries):,}"),
                line(str(_reports(platform, call) or "")),
            ),
            {"call": short(call), "rules": len(entries), "incident_reports": _reports(platform, call)},
        )
        for call, entries in calls
    ]
    head = Head(
        _platform_page(platform),
        f"Calls of {short(platform or 'any')}",
        (Paragraph(line(CREDIT)),) if platform == "aws" else (),
        (_HOME, Span("API calls", CALLS)),
    )
    yield from paged(
        head,
        f"{len(rows):,} calls",
        ("Call", "Rules", "Reports of incidents"),
        rows,
        {"platform": short(platform)},
    )


def _known(platform: str, call: str) -> tuple[KnownCall, ...]:
    return calls_named().get(fold_case(call), ()) if platform == "aws" else ()


def _reports(platform: str, call: str) -> int:
    return sum(one.reports for one in _known(platform, call))


def _call(platform: str, call: str, entries: Sequence[Entry]) -> Iterator[Page]:
    known = _known(platform, call)
    rows = tuple(
        (
            line(Span(one.source, look=Look.CODE)),
            line(f"{one.reports}"),
            line(", ".join(found.name for found in one.tactics)),
            joined(line(f"{found.id} {found.name}") for found in one.techniques),
        )
        for one in known
    )
    seen = (
        Section(
            "incidents",
            "Seen in incidents",
            (
                Table("Incidents with this call", ("Service", "Reports", "Tactics", "Techniques"), rows),
                Paragraph(line(Span(CREDIT, look=Look.QUIET))),
            ),
        ),
    )
    shown = short(platform or "any")
    head = Head(
        call_page(platform, call),
        short(call),
        (Paragraph(line(f"Rules for {shown} that filter on this call or operation by name.")),),
        (_HOME, Span("API calls", CALLS), Span(shown, _platform_page(platform))),
        seen if known else (),
    )
    data = {
        "platform": short(platform),
        "call": short(call),
        "incidents": [
            {
                "service": one.source,
                "reports": one.reports,
                "techniques": [found.id for found in one.techniques],
            }
            for one in known
        ],
    }
    yield from rule_pages(head, entries, data, _services)


_SERVICES = 5
"""Services of a rule that a list names."""


def _services(entry: Entry) -> str:
    more = len(entry.services) - _SERVICES
    named = ", ".join(map(short, entry.services[:_SERVICES]))
    return f"{named} and {more} more" if more > 0 else named


def all_pages(entries: Sequence[Entry]) -> Iterator[Page]:
    """Every rule, for those who have no script or read from the beginning to the end."""
    yield from rule_pages(Head("rules/all", "All rules"), entries, {})


def about_pages(catalog: Catalog) -> Iterator[Page]:
    """What was read, what was refused, and whose work it is."""
    packs = Counter(entry.pack for entry in catalog.entries)
    licences = Counter(entry.rule.license or entry.licence or "not said" for entry in catalog.entries)
    sections = (
        Section("packs", "Packs", (_counted("Rules of each pack", "Pack", packs),)),
        Section("licences", "Licences", (_counted("Rules of each licence", "Licence", licences),)),
        Section(
            "credits",
            "Credits",
            (
                Paragraph(
                    line(
                        "Rules are their authors' work; each page names author and licence where the rule or its pack does."
                    )
                ),
                Paragraph(line(ATTACK_CREDIT)),
                Paragraph(line(CREDIT)),
            ),
        ),
    )
    rows = [
        Row(
            (line(what), line(Span(where, look=Look.CODE)), line(cause)),
            {"what": what, "where": where, "cause": cause},
        )
        for what, where, cause in (
            map(short, (catalog.below(one.what), catalog.place(one.where), catalog.below(one.cause)))
            for one in catalog.refused
        )
    ]
    said = f"{len(catalog.entries):,} rules of {catalog.files:,} files; {len(rows):,} rules or files could not be read and are listed below."
    data = {"rules": len(catalog.entries), "files": catalog.files, "refused": len(rows), "attack": version()}
    head = Head(ABOUT, "About this catalog", (Paragraph(line(said)),), sections=sections)
    yield from paged(head, "Refused", ("What", "Where", "Cause"), rows, data)


_PACKS = 100


def _counted(about: str, what: str, counts: Mapping[str, int]) -> Table:
    ordered = sorted(counts.items(), key=lambda one: (-one[1], one[0]))
    rows = [(line(short(name)), line(f"{number:,}")) for name, number in ordered[:_PACKS]]
    left = sum(number for _, number in ordered[_PACKS:])
    return Table(about, (what, "Rules"), (*rows, *([(line("others"), line(f"{left:,}"))] if left else [])))
