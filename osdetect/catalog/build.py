"""The whole site: every page of it, in every form. The same rules give the same bytes."""

from collections.abc import Callable
from itertools import chain
from pathlib import Path

import msgspec
import orjson

from osdetect.catalog.blocks import Page
from osdetect.catalog.coverage import coverage_of
from osdetect.catalog.coverage_page import coverage_page
from osdetect.catalog.entries import Catalog, Entry
from osdetect.catalog.html import SITE, Html
from osdetect.catalog.limits import MAX_PAGE, USUAL, Limits
from osdetect.catalog.markdown import markdown
from osdetect.catalog.matrix import columns, matrix_page
from osdetect.catalog.overview import Techniques, about_pages, all_pages, call_pages
from osdetect.catalog.page import Pages
from osdetect.catalog.places import CALLS, INDEX, TECHNIQUES
from osdetect.catalog.rule_sections import page_of
from osdetect.catalog.search_index import index_page, index_script
from osdetect.errors import OutputError, Where

ASSETS = ("style.css", "catalog.js", "search.js", "icon.svg")
SEARCH = "assets/rules.js"
"""What the search knows; by this file a folder is known as a site of ours."""
PARTS = ("rules/*", f"{TECHNIQUES}/*", f"{CALLS}/**/*", "*~*")
"""Where pages stand that come and go with the rules."""
ENDINGS = (".html", ".json", ".md")
FILTERS = ("level", "status", "tactic", "service", "author", "pack", "source")
"""What the first page filters by; `search.js` has the same list."""

Progress = Callable[[int, int], None]


class Built(msgspec.Struct, frozen=True):
    """What was written."""

    pages: int
    files: int
    size: int
    shortened: tuple[str, ...]
    """The ids of rules of whose pages more is left out than usual, or they would be larger than `MAX_PAGE`."""


class Written(msgspec.Struct, frozen=True):
    """A page in its forms."""

    path: str
    forms: tuple[tuple[str, bytes], ...]
    """The ending of each file, and what is in it."""

    @property
    def size(self) -> int:
        """Bytes of the largest form."""
        return max(len(content) for _, content in self.forms)


def forms_of(page: Page, html: str) -> Written:
    """A page as the files that it becomes."""
    data = orjson.dumps(page.data, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    return Written(
        page.path, tuple(zip(ENDINGS, (html.encode(), data, markdown(page).encode()), strict=True))
    )


def rule_page_within(pages: Pages, entry: Entry, fits: Callable[[Page], bool]) -> tuple[Page, bool]:
    """A rule's page with as much as fits, and whether that is less than usual."""
    limits, shortened = USUAL, False
    while True:
        page = page_of(pages.of(entry, limits), limits)
        if limits == Limits.least() or fits(page):
            return page, shortened
        limits, shortened = limits.halved(), True


class Site:
    """Writes a site below a folder, over what an earlier build left there.

    Raises:
        OutputError: another site is there.
    """

    def __init__(self, folder: Path) -> None:
        if (folder / f"{INDEX}.html").exists() and not (folder / SEARCH).exists():
            raise OutputError(
                "another site is in this folder",
                cause=f"it has an {INDEX}.html and no {SEARCH}",
                cure="name a folder of its own: osdetect catalog build -o FOLDER",
                where=Where(str(folder)),
            )
        self._folder = folder
        self._written: set[Path] = set()
        self._html = Html()
        self._pages = self._files = self._size = 0
        self._shortened: list[str] = []

    def rules(self, pages: Pages, on_progress: Progress = lambda _done, _total: None) -> None:
        """The page of every rule."""
        entries = pages.corpus.entries
        for done, entry in enumerate(entries, start=1):
            self._rule(pages, entry)
            on_progress(done, len(entries))

    def overviews(self, catalog: Catalog, pages: Pages) -> None:
        """The pages that lead to rules."""
        first = index_page(catalog.entries)
        self.file(SEARCH, index_script(catalog.entries))
        self.page(first, self._html.of("index.html", first, filters=FILTERS))
        self.page(coverage_page(coverage_of(catalog.entries, pages.known.evidence)))
        techniques = Techniques(catalog.entries)
        shown = columns(techniques)
        page = matrix_page(shown)
        self.page(page, self._html.of("matrix.html", page, columns=shown))
        for page in chain(
            techniques.pages(), call_pages(pages.corpus), all_pages(catalog.entries), about_pages(catalog)
        ):
            self.page(page)

    def _rule(self, pages: Pages, entry: Entry) -> None:
        made: list[Written] = []

        def fits(page: Page) -> bool:
            made.append(forms_of(page, self._html.page(page)))
            return made[-1].size <= MAX_PAGE

        _, shortened = rule_page_within(pages, entry, fits)
        if shortened:
            self._shortened.append(entry.id)
        self._page(made[-1])

    def page(self, page: Page, html: str = "") -> None:
        """Another page."""
        self._page(forms_of(page, html or self._html.page(page)))

    def _page(self, written: Written) -> None:
        self._pages += 1
        for ending, content in written.forms:
            self.file(f"{written.path}{ending}", content)

    def assets(self) -> None:
        """The styles and the script."""
        for name in ASSETS:
            self.file(f"assets/{name}", (SITE / name).read_bytes())

    def file(self, path: str, content: bytes) -> None:
        """One file.

        Raises:
            OutputError: it cannot be written.
        """
        target = self._folder / path
        self._written.add(target)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        except OSError as error:
            raise OutputError(
                "a page of the catalog cannot be written",
                cause=str(error.strerror),
                cure="name a folder that can be written: osdetect catalog build -o FOLDER",
                where=Where(str(target)),
            ) from error
        self._files += 1
        self._size += len(content)

    def outdated(self) -> int:
        """Delete the pages that an earlier build left and this one has not; how many files they were.

        Raises:
            OutputError: one cannot be deleted.
        """
        old = [
            file
            for part in PARTS
            for file in sorted(self._folder.glob(part))
            if file.suffix in ENDINGS and file not in self._written and file.is_file()
        ]
        for file in old:
            try:
                file.unlink()
            except OSError as error:
                raise OutputError(
                    "a page of an earlier catalog cannot be deleted",
                    cause=str(error.strerror),
                    cure="delete it, or name another folder: osdetect catalog build -o FOLDER",
                    where=Where(str(file)),
                ) from error
        return len(old)

    def built(self) -> Built:
        """What was written so far."""
        return Built(self._pages, self._files, self._size, tuple(self._shortened))
