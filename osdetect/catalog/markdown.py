"""Pages as Markdown (CommonMark with GitHub's tables): no text of a rule is markup there."""

import re
from collections.abc import Iterator

from osdetect.catalog.blocks import (
    TRAIL,
    Block,
    Bullets,
    Code,
    Line,
    Look,
    Page,
    Paragraph,
    Span,
    Subhead,
    Table,
)
from osdetect.catalog.html import root_of
from osdetect.catalog.shown import visible

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~&!$]|^\s*[-+=]|^\s*\d+(?=[.)])|:(?=//)|(?<=[wW])\.)")
"""The last two would become links by themselves: http://a.example and www.a.example."""
_BACKTICKS = re.compile(r"`+")


def markdown(page: Page) -> str:
    """The page; links lead to the Markdown of other pages."""
    return "\n".join(_Markdown(root_of(page.path)).lines(page)) + "\n"


class _Markdown:
    def __init__(self, root: str) -> None:
        self._root = root

    def lines(self, page: Page) -> Iterator[str]:
        yield TRAIL.join(self._span(one) for one in page.crumbs)
        yield ""
        yield f"# {_escaped(page.title)}"
        yield ""
        if page.badges:
            yield " · ".join(self._span(one) for one in page.badges)
            yield ""
        for one in page.lead:
            yield from self._block(one)
        for section in page.sections:
            yield f"## {_escaped(section.title)}"
            yield ""
            for block in section.blocks:
                yield from self._block(block)

    def _block(self, block: Block) -> Iterator[str]:
        match block:
            case Paragraph(line=given):
                yield self._line(given)
            case Subhead(text=text):
                yield f"### {_escaped(text)}"
            case Bullets(lines=given):
                yield from (f"- {self._line(one)}" for one in given)
            case Table(header=header, rows=rows):
                yield f"| {' | '.join(map(_escaped, header))} |"
                yield f"|{'---|' * len(header)}"
                yield from (f"| {' | '.join(self._line(cell) for cell in row)} |" for row in rows)
            case Code(language=language, text=text):
                shown = visible(text)
                fence = _fence(shown)
                yield f"{fence}{language}"
                yield shown.removesuffix("\n")
                yield fence
        yield ""

    def _line(self, given: Line) -> str:
        return "".join(self._span(one) for one in given)

    def _span(self, one: Span) -> str:
        text = _code(one.text) if one.look is Look.CODE else _escaped(one.text)
        if not one.link:
            return text
        path, mark, anchor = one.link.partition("#")
        return f"[{text}]({one.link if one.external else f'{self._root}{path}.md{mark}{anchor}'})"


def _escaped(text: str) -> str:
    """A text on one line in which no character means anything to Markdown."""
    return _SPECIAL.sub(r"\\\1", " ".join(visible(text).split("\n")))


def _code(text: str) -> str:
    """A code span; a text that could end it, cut a table or look like HTML is escaped instead."""
    shown = " ".join(visible(text).split("\n"))
    return _escaped(text) if set(shown) & set("`|<") or shown != shown.strip() else f"`{shown}`"


def _fence(text: str) -> str:
    longest = max((len(run) for run in _BACKTICKS.findall(text)), default=0)
    return "`" * max(3, longest + 1)
