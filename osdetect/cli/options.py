"""Options that several commands share, each declared once."""

from pathlib import Path
from typing import Annotated

import typer

from osdetect.cli.output import OutputFormat
from osdetect.vocabulary import DEFAULT_NAMESPACE

Url = Annotated[
    str | None,
    typer.Option(
        "--url", help="The cluster; default: $OSDETECT_URL, else the running embedded node.", metavar="URL"
    ),
]
CaCerts = Annotated[
    Path | None, typer.Option("--ca-certs", help="PEM file of the authorities to trust. [$OSDETECT_CA_CERTS]")
]
Insecure = Annotated[
    bool,
    typer.Option(
        "--insecure-skip-tls-verify", help="Do not verify the cluster's certificate. Anyone can read along."
    ),
]
Namespace = Annotated[
    str, typer.Option("--namespace", "-n", help="Part of the names of the indices of events and alerts.")
]
Output = Annotated[OutputFormat, typer.Option("--output", "-o", help="How to write the result.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="List every refusal, not only the first.")]
NAMESPACE = DEFAULT_NAMESPACE
