"""`osdetect catalog`: the rules as a site, and one rule's page on the terminal."""

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer
from rich.console import Console

from osdetect.catalog.blocks import Page
from osdetect.catalog.build import Built, Site, rule_page_within
from osdetect.catalog.corpus import Corpus
from osdetect.catalog.entries import Catalog, Entry, read_catalog
from osdetect.catalog.evidence import Evidence, read_evidence
from osdetect.catalog.history import Histories
from osdetect.catalog.markdown import markdown
from osdetect.catalog.page import Known, Pages
from osdetect.catalog.terminal import rendered
from osdetect.cli.options import Output
from osdetect.cli.output import (
    OutputFormat,
    out,
    print_json,
    print_refusals,
    print_table,
    progress_bar,
    write_bytes,
)
from osdetect.cli.reading import Placeholders, placeholder_values
from osdetect.errors import InputError
from osdetect.schema.event_fields import EventFields
from osdetect.vocabulary import ExitCode

app = typer.Typer(
    name="catalog",
    help="What each rule covers and how it decides: a site, or one page.",
    no_args_is_help=True,
)

Rules = Annotated[
    list[Path] | None,
    typer.Argument(
        help="Sigma rule files and folders, for any log source; default: the rules that come with osdetect.",
        metavar="RULES",
    ),
]
EvidenceFile = Annotated[
    Path | None,
    typer.Option("--evidence", help="What `osdetect test --evidence FILE` wrote.", metavar="FILE"),
]
History = Annotated[
    bool, typer.Option("--history/--no-history", help="Ask git for the changes of each file.")
]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="List every refusal, not only the first.")]


class ShowFormat(StrEnum):
    """How a page is printed."""

    TABLE = "table"
    JSON = "json"
    MARKDOWN = "markdown"


@app.command()
def build(
    rules: Rules = None,
    site: Annotated[
        Path, typer.Option("--site", "-s", help="The folder that the site is written to.", metavar="FOLDER")
    ] = Path("site"),
    evidence: EvidenceFile = None,
    history: History = True,
    placeholders: Placeholders = None,
    output: Output = OutputFormat.TABLE,
    verbose: Verbose = False,
) -> int:
    """Write the catalog of the rules as a site of static pages, which needs neither a server nor a network.

    Each page is there as HTML, JSON and Markdown. The same rules give the same bytes. Rules that cannot be read are
    listed on the page "About", and set exit code 1.

    Examples: `osdetect catalog build -s site/` · `osdetect catalog build my-rules/ --evidence evidence.json`
    """
    catalog = _read(rules, placeholders)
    pages = Pages(Corpus(catalog.entries), _known(catalog, evidence, history=history), EventFields.shipped())
    made = Site(site)
    with progress_bar("Writing pages") as tell:
        made.rules(pages, tell)
    made.assets()
    _print_built(made.built(), site, catalog, output)
    print_refusals(catalog.refused, all_of_them=verbose)
    return ExitCode.LOSS if catalog.refused else ExitCode.OK


@app.command()
def show(
    rule: Annotated[str, typer.Argument(help="A rule's id or title, or a file of rules.", metavar="RULE")],
    rules: Annotated[
        list[Path] | None,
        typer.Argument(
            help="The rules to see it among; default: those that come with osdetect.", metavar="RULES"
        ),
    ] = None,
    evidence: EvidenceFile = None,
    history: History = True,
    placeholders: Placeholders = None,
    output: Annotated[
        ShowFormat, typer.Option("--output", "-o", help="How to write the page.")
    ] = ShowFormat.TABLE,
    verbose: Verbose = False,
) -> int:
    """Show a rule's page of the catalog: what it covers, who else watches the same action, how it decides.

    Other rules are counted among RULES, and among the file that is named.

    Examples: `osdetect catalog show "API Key Created" my-rules/` · `osdetect catalog show my-rules/key.yml my-rules/`
    """
    named = Path(rule)
    as_file = named.is_file()
    catalog = _read([*(rules or []), *([named] if as_file else [])], placeholders)
    pages = Pages(Corpus(catalog.entries), _known(catalog, evidence, history=history), EventFields.shipped())
    for entry in _in_file(catalog, named) if as_file else (_called(catalog, rule),):
        page, _ = rule_page_within(pages, entry, lambda _: True)
        _print_page(page, output)
    print_refusals(catalog.refused, all_of_them=verbose)
    return ExitCode.LOSS if catalog.refused else ExitCode.OK


def _read(rules: list[Path] | None, placeholders: Path | None) -> Catalog:
    values = placeholder_values(placeholders)
    with progress_bar("Reading rules") as tell:
        return read_catalog(rules or [], values, tell)


def _known(catalog: Catalog, evidence: Path | None, *, history: bool) -> Known:
    found: Mapping[str, Evidence] = read_evidence(evidence) if evidence else {}
    files = {Path(one.rule.where.file) for one in catalog.entries} if history else ()
    return Known(found, None, Histories(files))


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
    elif out.is_terminal:
        out.print(rendered(page))
    else:
        Console(width=160, highlight=False).print(rendered(page))


def _print_built(built: Built, folder: Path, catalog: Catalog, output: OutputFormat) -> None:
    counts = {
        "rules": len(catalog.entries),
        "refused": len(catalog.refused),
        "pages": built.pages,
        "files": built.files,
        "bytes": built.size,
        "shortened": len(built.shortened),
    }
    if output is OutputFormat.JSON:
        print_json({**counts, "folder": str(folder), "first": str(folder / "index.html")})
    else:
        print_table(f"Catalog in {folder}", ("what", "number"), [(k, f"{v:,}") for k, v in counts.items()])
