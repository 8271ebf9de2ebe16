"""`osdetect catalog`: the rules as a site, and one rule's page on the terminal."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from osdetect.cli.output import OutputFormat, print_refusals
from osdetect.cli.reading import Placeholders
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
        Path, typer.Option("--site", "-o", help="The folder that the site is written to.", metavar="FOLDER")
    ] = Path("site"),
    evidence: EvidenceFile = None,
    history: History = True,
    placeholders: Placeholders = None,
    output: Annotated[
        OutputFormat, typer.Option("--output", help="How to write the summary.")
    ] = OutputFormat.TABLE,
    verbose: Verbose = False,
) -> int:
    """Write the catalog of the rules as a site of static pages, which needs neither a server nor a network.

    Each page is there as HTML, JSON and Markdown. The same rules give the same bytes. Rules that cannot be read are
    listed on the page "About", and set exit code 1.

    Examples: `osdetect catalog build my-rules/ -o site/` · `osdetect catalog build my-rules/ --evidence evidence.json`
    """
    from osdetect.cli.catalog_pages import Asked, built  # noqa: PLC0415  # brings pySigma in, for half a second

    catalog = built(Asked(rules or (), placeholders, evidence, history), site, output)
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
    from osdetect.cli.catalog_pages import Asked, shown  # noqa: PLC0415  # as above

    catalog = shown(Asked(rules or (), placeholders, evidence, history), rule, output)
    print_refusals(catalog.refused, all_of_them=verbose)
    return ExitCode.LOSS if catalog.refused else ExitCode.OK
