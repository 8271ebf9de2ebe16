"""Pages as HTML: one template for all of them, in which every text is escaped and nothing is executed."""

from collections.abc import Callable, Iterable
from pathlib import Path

import jinja2

from osdetect.catalog.blocks import Block, Bullets, Code, Page, Paragraph, Span, Subhead, Table
from osdetect.catalog.shown import visible
from osdetect.sigma.yaml_parts import Part, yaml_parts
from osdetect.vocabulary import Level

SITE = Path(__file__).resolve().parent / "site"
"""The templates, the styles and the script."""


class Html:
    """Writes pages."""

    def __init__(self) -> None:
        environment = jinja2.Environment(
            loader=jinja2.FileSystemLoader(SITE),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            finalize=_finalized,
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
            auto_reload=False,
        )
        environment.tests.update(
            {kind.__name__.lower(): _is(kind) for kind in (Paragraph, Bullets, Table, Code, Subhead)}
        )
        environment.filters["parts"] = _parts
        environment.globals["levels"] = {f"level: {one.value}": f"level-{one.value}" for one in Level}
        self._environment = environment

    def page(self, page: Page) -> str:
        """A page of blocks."""
        return self.of("page.html", page)

    def of(self, template: str, page: Page, **said: object) -> str:
        """A page with a template of its own."""
        found = self._environment.get_template(template)
        file = page.path.rpartition("/")[2]
        return found.render(page=page, root=root_of(page.path), file=file, href=Links(page.path), **said)


def root_of(path: str) -> str:
    """The way from a page to the root of the site.

    >>> root_of("index"), root_of("calls/aws/x")
    ('', '../../')
    """
    return "../" * path.count("/")


class Links:
    """Where a span leads, seen from a page."""

    def __init__(self, path: str) -> None:
        self._root = root_of(path)

    def __call__(self, span: Span) -> str:
        """The value of `href`."""
        if span.external:
            return span.link
        path, mark, anchor = span.link.partition("#")
        return f"{self._root}{path}.html{mark}{anchor}"


def _finalized(value: object) -> object:
    """Every text of a rule goes through here; what is markup already comes from templates alone."""
    return visible(value) if type(value) is str else value


def _is(kind: type[Block]) -> Callable[[object], bool]:
    return lambda block: isinstance(block, kind)


def _parts(code: Code) -> Iterable[Part]:
    """The parts of a code; JSON is YAML."""
    return yaml_parts(code.text)
