"""What `osdetect catalog` and `osdetect coverage` do. Apart from the command line, as it brings pySigma and Jinja in."""

import gc
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from uuid import UUID

import msgspec
import orjson
from msgspec.structs import replace
from rich.console import Console

from osdetect import ruletest as testing
from osdetect.catalog.blocks import Page
from osdetect.catalog.build import Built, Site, rule_page_within
from osdetect.catalog.corpus import Corpus
from osdetect.catalog.coverage import Coverage, coverage_of
from osdetect.catalog.coverage_page import coverage_page
from osdetect.catalog.entries import Catalog, Entry, read_catalog
from osdetect.catalog.evidence import Evidence, Hits, State, read_evidence, with_fired
from osdetect.catalog.history import Histories
from osdetect.catalog.markdown import markdown
from osdetect.catalog.navigator import layer
from osdetect.catalog.page import Known, Pages
from osdetect.catalog.terminal import rendered
from osdetect.cli.catalog import ShowFormat
from osdetect.cli.output import (
    OutputFormat,
    RowsFormat,
    out,
    print_csv,
    print_error,
    print_json,
    print_table,
    progress_bar,
    write_bytes,
)
from osdetect.cli.reading import placeholder_values
from osdetect.errors import InputError, OsdetectError, OutputError, Where
from osdetect.resources import folder
from osdetect.schema.event_fields import EventFields


class Asked(msgspec.Struct, frozen=True):
    """What a command was told about reading rules."""

    rules: Sequence[Path]
    placeholders: Path | None
    evidence: Path | None
    scans: Sequence[Path]
    tests: bool
    """Whether the tests beside the rules are run."""
    history: bool
    hits: Callable[[], Mapping[str, Hits]] | None = None
    """Asks the cluster for the alerts of each rule."""


def built(asked: Asked, site: Path, output: OutputFormat) -> Catalog:
    """Write the site, and print what was written."""
    made = Site(site)
    catalog = _catalog(asked)
    pages = _pages(asked, catalog)
    with progress_bar("Writing pages") as tell:
        made.rules(pages, tell)
    made.overviews(catalog, pages)
    made.assets()
    made.outdated()
    _print_built(made.built(), site, catalog, output)
    return catalog


def shown(asked: Asked, wanted: str, output: ShowFormat) -> Catalog:
    """Print the page of the rule that is named by its id or title, or those of a file's rules."""
    file = Path(wanted) if Path(wanted).is_file() else None
    rules = list(asked.rules or [folder("rules")])
    if file and not any(file.resolve().is_relative_to(one.resolve()) for one in rules):
        rules.append(file)  # a file that is read twice would be refused as its own double
    asked = replace(asked, rules=rules)
    catalog = _catalog(asked)
    entries = _in_file(catalog, file) if file else (_called(catalog, wanted),)
    pages = _pages(asked, catalog, {one.id for one in entries})
    for entry in entries:
        page, _ = rule_page_within(pages, entry, lambda _: True)
        _print_page(page, output)
    return catalog


def covered(asked: Asked, output: RowsFormat, layer_file: Path | None, at_least: State) -> Catalog:
    """Print what the rules cover, and write it as a layer."""
    catalog = _catalog(asked)
    pages = _pages(asked, catalog)
    found = coverage_of(catalog.entries, pages.known.evidence)
    if layer_file:
        _write(
            layer_file,
            orjson.dumps(layer(found, at_least), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE),
        )
    page = coverage_page(found)
    if output is RowsFormat.JSON:
        print_json(page.data)
    elif output is RowsFormat.CSV:
        print_csv(("tactic", "service", "call", "reports", "rules"), _call_rows(found))
    else:
        _print_rendered(replace(page, sections=page.sections[:2]))
    return catalog


def _call_rows(found: Coverage) -> Iterator[tuple[str, ...]]:
    for one in found.tactics:
        for call in one.calls:
            known = call.call
            yield one.tactic.name, known.source, known.name, str(known.reports), str(len(call.rules))


def _write(file: Path, content: bytes) -> None:
    try:
        file.write_bytes(content)
    except OSError as error:
        raise OutputError(
            "the layer cannot be written",
            cause=str(error.strerror),
            cure="name a file in a folder that can be written",
            where=Where(str(file)),
        ) from error


def _catalog(asked: Asked) -> Catalog:
    values = placeholder_values(asked.placeholders)
    with progress_bar("Reading rules") as tell:
        catalog = read_catalog(asked.rules, values, tell)
    gc.freeze()  # thousands of trees stay to the end: looking for garbage among them again and again takes a fifth of the time
    return catalog


def _pages(asked: Asked, catalog: Catalog, only: Collection[str] | None = None) -> Pages:
    """The pages of the rules; `only` some of them are going to be shown."""
    evidence: Mapping[str, Evidence] = read_evidence(asked.evidence) if asked.evidence else {}
    if asked.tests:
        evidence = {**_tested(catalog, only), **evidence}
    for scan in asked.scans:
        evidence = with_fired(evidence, scan)
    files = {Path(one.rule.where.file) for one in catalog.entries} if asked.history else ()
    histories = Histories(files)
    for note in histories.notes:
        print_error(note, word="warning")
    known = Known(evidence, asked.hits() if asked.hits else None, histories)
    return Pages(Corpus(catalog.entries), known, EventFields.shipped())


def _tested(catalog: Catalog, only: Collection[str] | None) -> Mapping[str, Evidence]:
    """What becomes of the tests that stand beside the rules."""
    cases = testing.cases_of(catalog.named, catalog.read)
    if cases.refused:
        print_error(
            OsdetectError(
                f"{len(cases.refused)} tests beside the rules cannot be used",
                cause="the pages say nothing of them",
                cure="osdetect test says what is wrong with each",
            ),
            word="warning",
        )
    wanted = tuple(case for case in cases.cases if only is None or case.rule in only)
    if not wanted:
        return {}
    results = testing.run(replace(cases, cases=wanted), catalog.read, None)
    return {one.rule: Evidence(one.tests, one.passed) for one in results.rules if one.tests}


def _called(catalog: Catalog, wanted: str) -> Entry:
    """The rule with this id or title."""
    try:
        identity = str(UUID(wanted))
    except ValueError:
        identity = ""
    folded = wanted.strip().casefold()
    found = [one for one in catalog.entries if one.id == identity or one.rule.title.casefold() == folded]
    if len(found) == 1:
        return found[0]
    if found:
        raise InputError(
            f"{len(found)} rules are called {wanted[:80]!r}",
            cause=", ".join(one.id for one in found[:10]),
            cure="name the rule by its id",
        )
    near = [one.rule.title for one in catalog.entries if folded in one.rule.title.casefold()]
    raise InputError(
        f"no rule is called {wanted[:80]!r}",
        cause=f"{len(catalog.entries)} rules were read"
        + (f"; there are: {'; '.join(near[:5])}" if near else ""),
        cure="give its id, its title or its file, and name the folder of rules behind it",
    )


def _in_file(catalog: Catalog, file: Path) -> tuple[Entry, ...]:
    found = tuple(one for one in catalog.entries if Path(one.rule.where.file).resolve() == file.resolve())
    if not found and not catalog.refused:
        raise InputError(f"there is no rule in {file}", cure="name a file that holds a Sigma rule")
    return found


def _print_page(page: Page, output: ShowFormat) -> None:
    if output is ShowFormat.JSON:
        print_json(page.data)
    elif output is ShowFormat.MARKDOWN:
        write_bytes(markdown(page).encode())
    else:
        _print_rendered(page)


def _print_rendered(page: Page) -> None:
    console = out if out.is_terminal else Console(width=160, highlight=False)
    console.print(rendered(page))


def _print_built(built: Built, site: Path, catalog: Catalog, output: OutputFormat) -> None:
    counts = {
        "rules": len(catalog.entries),
        "refused": len(catalog.refused),
        "pages": built.pages,
        "files": built.files,
        "bytes": built.size,
        "shortened": len(built.shortened),
    }
    if output is OutputFormat.JSON:
        print_json({**counts, "folder": str(site), "first": str(site / "index.html")})
    else:
        print_table(f"Catalog in {site}", ("what", "number"), [(k, f"{v:,}") for k, v in counts.items()])
