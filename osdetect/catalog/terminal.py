"""Pages on a terminal: the same blocks, as lines and tables."""

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.rule import Rule as Stroke
from rich.table import Table as Grid
from rich.text import Text

from osdetect.catalog.blocks import TRAIL, Block, Bullets, Code, Line, Look, Page, Paragraph, Subhead, Table
from osdetect.catalog.shown import visible
from osdetect.sigma.yaml_parts import yaml_parts

_LOOKS = {Look.PLAIN: "", Look.CODE: "cyan", Look.QUIET: "dim", Look.BADGE: "bold"}
_COLOURS = {"key": "blue", "text": "green", "word": "yellow", "comment": "dim", "mark": "magenta", "": ""}


def rendered(page: Page) -> RenderableType:
    """The page, to be printed by rich."""
    return Group(*_parts(page))


def _parts(page: Page) -> Iterator[RenderableType]:
    yield Text(TRAIL.join(_safe(one.text) for one in page.crumbs), style="dim")
    yield Text(_safe(page.title), style="bold")
    if page.badges:
        yield Text(" · ".join(_safe(one.text) for one in page.badges))
    yield Text("")
    for one in page.lead:
        yield _block(one)
    for section in page.sections:
        yield Text("")
        yield Stroke(Text(section.title, style="bold"), align="left", characters="─")
        for block in section.blocks:
            yield _block(block)


def _block(block: Block) -> RenderableType:
    match block:
        case Paragraph(line=given):
            return _line(given)
        case Subhead(text=text):
            return Text(_safe(text), style="underline")
        case Bullets(lines=lines):
            return Group(*(Text.assemble("• ", _line(one)) for one in lines))
        case Table(header=header, rows=rows):
            grid = Grid()
            for name in header:
                grid.add_column(name, overflow="fold")
            for row in rows:
                grid.add_row(*(_line(cell) for cell in row))
            return grid
        case Code(text=text):
            parts = ((visible(part.text), _COLOURS[part.kind]) for part in yaml_parts(text.rstrip("\n")))
            return Padding(Text.assemble(*parts), (0, 0, 0, 2), expand=False)


def _line(given: Line) -> Text:
    return Text.assemble(*((_safe(one.text), _LOOKS[one.look]) for one in given))


def _safe(text: str) -> str:
    return " ".join(visible(text).split("\n"))
