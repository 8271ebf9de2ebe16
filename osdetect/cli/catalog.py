"""`osdetect catalog`: the rules as a site, and one rule's page on the terminal."""

from collections.abc import Callable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from osdetect.catalog.evidence import Hits
from osdetect.cli.connect import connect
from osdetect.cli.options import NAMESPACE, CaCerts, Insecure, Namespace, Url
from osdetect.cli.output import OutputFormat, print_refusals
from osdetect.cli.reading import Placeholders
from osdetect.documents.event import check_namespace
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
ScanFiles = Annotated[
    list[Path] | None,
    typer.Option(
        "--scan",
        help="What `osdetect scan --output json` wrote: rules that fired on data; repeatable.",
        metavar="FILE",
    ),
]
Tests = Annotated[
    bool,
    typer.Option(
        "--tests/--no-tests",
        help="Run the tests beside the rules, by evaluator and engine, where --evidence tells nothing of a rule.",
    ),
]
History = Annotated[
    bool, typer.Option("--history/--no-history", help="Ask git for the changes of each file.")
]
AskCluster = Annotated[
    bool,
    typer.Option(
        "--cluster",
        help="Ask the cluster how often each rule alerted there: $OSDETECT_URL, or the running node.",
    ),
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
    scan: ScanFiles = None,
    tests: Tests = True,
    history: History = True,
    cluster: AskCluster = False,
    namespace: Namespace = NAMESPACE,
    url: Url = None,
    ca_certs: CaCerts = None,
    insecure: Insecure = False,
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

    asked = Asked(
        rules or (),
        placeholders,
        evidence,
        scan or (),
        tests,
        history,
        _hits(namespace, url, ca_certs, insecure=insecure) if cluster else None,
    )
    catalog = built(asked, site, output)
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
    scan: ScanFiles = None,
    tests: Tests = True,
    history: History = True,
    cluster: AskCluster = False,
    namespace: Namespace = NAMESPACE,
    url: Url = None,
    ca_certs: CaCerts = None,
    insecure: Insecure = False,
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

    asked = Asked(
        rules or (),
        placeholders,
        evidence,
        scan or (),
        tests,
        history,
        _hits(namespace, url, ca_certs, insecure=insecure) if cluster else None,
    )
    catalog = shown(asked, rule, output)
    print_refusals(catalog.refused, all_of_them=verbose)
    return ExitCode.LOSS if catalog.refused else ExitCode.OK


def _hits(
    namespace: str, url: str | None, ca_certs: Path | None, *, insecure: bool
) -> Callable[[], Mapping[str, Hits]]:
    """Asks the cluster for the alerts of each rule; only when the rules were read."""
    check_namespace(namespace)

    def ask() -> Mapping[str, Hits]:
        from osdetect.catalog.hits import hits  # noqa: PLC0415  # as above

        with connect(url, ca_certs=ca_certs, insecure=insecure) as reached:
            return hits(reached, namespace)

    return ask
