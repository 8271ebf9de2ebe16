"""What `osdetect catalog` and `osdetect coverage` do. Apart from the command line, as it brings pySigma and Jinja in."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

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
from osdetect.cli.catalog import ShowFormat
from osdetect.cli.output import OutputFormat, out, print_json, print_table, progress_bar, write_bytes
from osdetect.cli.reading import placeholder_values
from osdetect.errors import InputError
from osdetect.schema.event_fields import EventFields


@dataclass(frozen=True, slots=True)
class Asked:
    """What a command was told about reading rules."""

    rules: Sequence[Path]
    placeholders: Path | None
    evidence: Path | None
    history: bool


def built(asked: Asked, folder: Path, output: OutputFormat) -> Catalog:
    """Write the site, and print what was written."""
    catalog, pages = _pages(asked)
    made = Site(folder)
    with progress_bar("Writing pages") as tell:
        made.rules(pages, tell)
    made.overviews(catalog, pages.corpus)
    made.assets()
    _print_built(made.built(), folder, catalog, output)
    return catalog


def shown(asked: Asked, wanted: str, output: ShowFormat) -> Catalog:
    """Print the page of the rule that is named by its id or title, or those of a file's rules."""
    file = Path(wanted) if Path(wanted).is_file() else None
    rules = [*asked.rules, *([file] if file else [])]
    catalog, pages = _pages(Asked(rules, asked.placeholders, asked.evidence, asked.history))
    for entry in _in_file(catalog, file) if file else (_called(catalog, wanted),):
        page, _ = rule_page_within(pages, entry, lambda _: True)
        _print_page(page, output)
    return catalog


def _pages(asked: Asked) -> tuple[Catalog, Pages]:
    evidence: Mapping[str, Evidence] = read_evidence(asked.evidence) if asked.evidence else {}
    values = placeholder_values(asked.placeholders)
    with progress_bar("Reading rules") as tell:
        catalog = read_catalog(asked.rules, values, tell)
    files = {Path(one.rule.where.file) for one in catalog.entries} if asked.history else ()
    known = Known(evidence, None, Histories(files))
    return catalog, Pages(Corpus(catalog.entries), known, EventFields.shipped())


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
