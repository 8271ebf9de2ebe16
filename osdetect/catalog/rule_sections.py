"""The page of a rule as blocks: what is shown, in the order in which it is shown."""

from collections.abc import Iterable, Iterator, Sequence

from osdetect.catalog.blocks import (
    Block,
    Bullets,
    Code,
    Line,
    Look,
    Page,
    Paragraph,
    Section,
    Span,
    Subhead,
    Table,
    joined,
    line,
)
from osdetect.catalog.limits import Cut, Limits, Listed
from osdetect.catalog.page import SOURCE, Mention, RulePage
from osdetect.catalog.places import INDEX, call_page, rule_page, technique_page
from osdetect.catalog.rule_data import rule_data
from osdetect.catalog.shown import web_address
from osdetect.catalog.stages import Predicate, Stage

ROOT = "Detection rules"
NOTHING = "None."


def page_of(page: RulePage, limits: Limits) -> Page:
    """The page of a rule, with no text longer than the limits allow."""
    return _Writer(page, limits).page()


class _Writer:
    def __init__(self, page: RulePage, limits: Limits) -> None:
        self._page = page
        self._rule = page.entry.rule
        self._limits = limits

    def page(self) -> Page:
        """The whole."""
        entry, rule = self._page.entry, self._rule
        title = self._word(rule.title)
        badges = [f"level: {rule.level.value}", f"status: {rule.status or 'not said'}"]
        return Page(
            path=rule_page(entry.id),
            title=title,
            crumbs=(Span(ROOT, INDEX), Span(SOURCE, f"{INDEX}#source={SOURCE}"), Span(title)),
            badges=tuple(Span(one, look=Look.BADGE) for one in (*badges, entry.source_label)),
            lead=_paragraphs(self._page.description, "The rule has no description."),
            sections=tuple(self._sections()),
            data=rule_data(self._page, self._limits),
        )

    def _sections(self) -> Iterator[Section]:
        yield Section("coverage", "MITRE ATT&CK coverage", self._coverage())
        yield Section("same-action", "Rules detecting the same action", self._same_action())
        yield Section("body", "Rule body", self._body())
        yield Section("stages", "Stages and predicates", tuple(self._stages()))
        yield Section("indicators", "Indicators", tuple(self._indicators()))
        yield Section("query", "Compiled query", tuple(self._query()))
        yield Section("evidence", "Tests and evidence", (self._evidence(),))
        yield Section("similar", "Near-duplicates and subsumed rules", tuple(self._similar()))
        yield Section("history", "History", tuple(self._history()))
        yield Section("origin", "Licence and origin", (self._origin(),))

    def _word(self, text: str) -> str:
        cut = self._limits.cut(text, self._limits.word)
        return f"{cut.text}… ({cut.more} more characters)" if cut.more else text

    def _coverage(self) -> tuple[Block, ...]:
        rows = tuple(
            (
                line(row.tactic, *([Span(f" ({row.note})", look=Look.QUIET)] if row.note else [])),
                joined(line(Span(cell.label, technique_page(cell.id))) for cell in row.techniques),
            )
            for row in self._page.coverage
        )
        if not rows:
            return (Paragraph(line("The rule names no technique of ATT&CK.")),)
        return (Table("ATT&CK tactics and techniques of the rule", ("Tactic", "Techniques"), rows),)

    def _same_action(self) -> tuple[Block, ...]:
        entry = self._page.entry
        calls = self._limits.listed(entry.operations)
        if not calls.items:
            return (Paragraph(line("The rule filters on no API call or operation by name.")),)
        linked = joined(
            line(Span(self._word(one), call_page(entry.platform, one), Look.CODE)) for one in calls.items
        )
        return (
            Paragraph(line("Action: ", *linked)),
            *_more(calls.more, "calls"),
            *self._mentions(self._page.same_action),
        )

    def _mentions(self, mentions: Listed[Mention], nothing: str = NOTHING) -> tuple[Block, ...]:
        if not mentions.items:
            return (Paragraph(line(nothing)),)
        lines: list[Line] = [
            line(
                Span(self._word(one.title), rule_page(one.id)),
                f" ({one.source})",
                *([Span(f" {one.note}", look=Look.QUIET)] if one.note else []),
            )
            for one in mentions.items
        ]
        return (Bullets(tuple(lines)), *_more(mentions.more, "rules"))

    def _body(self) -> tuple[Block, ...]:
        body = self._page.body
        return (Code("yaml", body.text, "rule body"), *_more(body.more, "characters in the file"))

    def _stages(self) -> Iterator[Block]:
        for stage in self._page.stages.items:
            yield Subhead(f"Stage {stage.number}: {self._word(stage.name)}")
            yield Paragraph(line(self._word(stage.sentence)))
            yield from self._alternatives(stage)
            yield from _more(stage.more, "values")
        yield from _more(self._page.stages.more, "stages")

    def _alternatives(self, stage: Stage) -> Iterator[Block]:
        several = len(stage.alternatives) > 1
        for number, predicates in enumerate(stage.alternatives, start=1):
            rows = tuple(row for one in predicates for row in self._predicate(one))
            about = f"Predicates of {self._word(stage.name)}" + (f", alternative {number}" if several else "")
            if several:
                yield Paragraph(line(f"Alternative {number} of {len(stage.alternatives)}:"))
            yield Table(about, ("Field", "Operator", "Value"), rows)

    def _predicate(self, one: Predicate) -> Iterator[tuple[Line, ...]]:
        word = " and" if one.every else " or"
        last = len(one.tests) - 1
        for number, test in enumerate(one.tests):
            joint = "" if number == last or one.text else word
            yield self._test(test.field, test.operator, test.value, joint)

    def _test(self, field: str, operator: str, value: str, joint: str = "") -> tuple[Line, ...]:
        return (
            line(Span(self._word(field), look=Look.CODE)),
            line(operator),
            line(
                *([Span(self._word(value), look=Look.CODE)] if value else []),
                *([Span(joint, look=Look.QUIET)] if joint else []),
            ),
        )

    def _indicators(self) -> Iterator[Block]:
        listed = self._page.indicators
        if not listed.items:
            yield Paragraph(line("The rule looks for no value by itself."))
            return
        rows = tuple(
            (
                *self._test(one.indicator.field, one.indicator.operator, one.indicator.value),
                line(str(one.others)) if one.others else (),
            )
            for one in listed.items
        )
        yield Table("Indicators of the rule", ("Field", "Operator", "Value", "Corpus"), rows)
        yield from _more(listed.more, "indicators")
        note = "Corpus: how many other rules of the platform look for the same field, operator and value."
        yield Paragraph(line(Span(note, look=Look.QUIET)))

    def _query(self) -> Iterator[Block]:
        query = self._page.query
        if query is None:
            yield Paragraph(
                line("A correlation rule is no query: it is counted over the matches of its rules.")
            )
            return
        yield Paragraph(
            line("Percolator class: ", Span(query.kind, look=Look.BADGE), f": {self._word(query.reason)}")
        )
        yield Code("json", query.search.text, "search query")
        yield from _more(query.search.more, "characters; osdetect compile prints it whole")

    def _evidence(self) -> Block:
        found, hits = self._page.evidence, self._page.hits
        score = "" if found.mutation_score is None else f", mutation score {found.mutation_score:.2f}"
        tests = f"{found.passed} of {found.tests} pass{score}" if found.tests else "none known"
        rows = [
            ("Compiled", "yes" if self._page.query else "not applicable"),
            ("Tested", ("yes: " if found.passes else "no: ") + tests),
            ("Fired on data", f"yes: {found.fired:,} records" if found.fired else "not known"),
        ]
        if hits is not None:
            seen = f", first {hits.first_seen}, last {hits.last_seen}" if hits.count else ""
            rows.append(("Hits in the cluster", f"{hits.count:,}{seen}"))
        return Table(
            "Evidence for the rule",
            ("Evidence", "State"),
            tuple((line(what), line(state)) for what, state in rows),
        )

    def _similar(self) -> Iterator[Block]:
        page = self._page
        for title, mentions in (
            ("Near-duplicates", page.near),
            ("Rules that it subsumes", page.subsumes),
            ("Rules that subsume it", page.subsumed_by),
        ):
            yield Subhead(title)
            yield from self._mentions(mentions)

    def _history(self) -> Iterator[Block]:
        history = self._page.history
        if not history.commits:
            yield Paragraph(line("git knows no history of the rule's file."))
            return
        rows = tuple(
            (
                line(one.date),
                line(Span(one.id, look=Look.CODE)),
                line(self._word(one.author)),
                line(self._word(one.subject)),
            )
            for one in history.commits
        )
        yield Table("Changes of the rule's file", ("Date", "Commit", "Author", "Subject"), rows)
        yield from _more(history.more, "changes")

    def _origin(self) -> Block:
        rule, entry = self._rule, self._page.entry
        rows: list[tuple[Line, ...]] = [
            (line("Author"), line(self._word(rule.author or "not said"))),
            (line("Licence"), line(self._word(rule.license or entry.licence or "not said"))),
            (line("Pack"), line(self._word(entry.pack))),
            (line("File"), line(Span(self._word(entry.file), look=Look.CODE))),
            (line("Id"), line(Span(rule.id, look=Look.CODE))),
            (line("Date"), line(self._word(rule.date or "not said"))),
            (line("Modified"), line(self._word(rule.modified or "not said"))),
            (line("References"), self._listed(rule.references, linked=True)),
            (line("False positives"), self._listed(rule.falsepositives)),
            (line("Tags"), self._listed(rule.tags)),
        ]
        return Table("Licence and origin of the rule", ("What", "Value"), tuple(rows))

    def _listed(self, texts: Sequence[str], *, linked: bool = False) -> Line:
        shown = self._limits.listed(tuple(texts))
        lines = [
            line(Span(self._word(one), web_address(one) if linked and len(one) <= self._limits.word else ""))
            for one in shown.items
        ]
        if shown.more:
            lines.append(line(f"and {shown.more} more"))
        return joined(lines, "; ") or line("none")


def _paragraphs(text: Cut, nothing: str) -> tuple[Paragraph, ...]:
    lines = [one.strip() for one in text.text.splitlines() if one.strip()]
    shown = [Paragraph(line(one)) for one in lines] or [Paragraph(line(nothing))]
    return (*shown, *_more(text.more, "characters"))


def _more(number: int, what: str) -> Iterable[Paragraph]:
    """The remark that something is left out, if it is."""
    return (Paragraph(line(Span(f"… and {number:,} more {what}", look=Look.QUIET))),) if number else ()
