"""`osdetect coverage`: what the rules cover of ATT&CK, and of what attackers did in AWS accounts."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from osdetect.cli.catalog import EvidenceFile, Rules, ScanFiles, Tests, Verbose
from osdetect.cli.output import RowsFormat, print_refusals
from osdetect.cli.reading import Placeholders
from osdetect.vocabulary import ExitCode


class AtLeast(StrEnum):
    """How far a rule is proven."""

    DECLARED = "declared"
    TESTED = "tested"
    FIRED = "fired"


def coverage(
    rules: Rules = None,
    layer: Annotated[
        Path | None,
        typer.Option("--layer", help="Write a layer for the ATT&CK Navigator.", metavar="FILE"),
    ] = None,
    state: Annotated[
        AtLeast, typer.Option("--state", help="Which techniques the layer has: those proven at least so far.")
    ] = AtLeast.DECLARED,
    evidence: EvidenceFile = None,
    scan: ScanFiles = None,
    tests: Tests = True,
    placeholders: Placeholders = None,
    output: Annotated[
        RowsFormat, typer.Option("--output", "-o", help="How to write the result.")
    ] = RowsFormat.TABLE,
    verbose: Verbose = False,
) -> int:
    """Show what the rules cover: techniques by tactic, and the API calls known from incidents, with the gaps.

    A technique is declared when a rule names it, tested when the tests of such a rule pass, fired when such a rule matched
    data, which `--evidence` and `--scan` tell. CSV lists each call with the number of rules that watch it.

    Examples: `osdetect coverage` · `osdetect coverage my-rules/ --layer layer.json`
    """
    from osdetect.catalog.evidence import State  # noqa: PLC0415  # as below
    from osdetect.cli.catalog_pages import Asked, covered  # noqa: PLC0415  # brings pySigma in

    asked = Asked(rules or (), placeholders, evidence, scan or (), tests, history=False)
    catalog = covered(asked, output, layer, State[state.name])
    print_refusals(catalog.refused, all_of_them=verbose)
    return ExitCode.LOSS if catalog.refused else ExitCode.OK
