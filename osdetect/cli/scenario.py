"""`osdetect scenario`: write the demonstration's CloudTrail folder."""

from pathlib import Path
from typing import Annotated

import typer

from osdetect import scenario as scenarios
from osdetect.cli.options import Output
from osdetect.cli.output import OutputFormat, print_json, write_line


def scenario(
    folder: Annotated[Path, typer.Argument(help="Where to write it; made if missing.")],
    seed: Annotated[int, typer.Option(help="The same seed writes the same bytes.")] = 1,
    background: Annotated[int, typer.Option(min=0, help="Ordinary records around the attack.")] = 3000,
    output: Output = OutputFormat.TABLE,
) -> None:
    """Write a made-up attack, in the layout in which AWS delivers CloudTrail. docs/scenario.md tells it.

    Example: `osdetect scenario /tmp/attack && osdetect quickstart /tmp/attack`
    """
    summary = scenarios.generate(folder, seed=seed, background=background)
    if output is OutputFormat.JSON:
        print_json({"folder": str(summary.folder), "files": summary.files, "records": summary.records,
                    "malicious": summary.malicious})  # fmt: skip
    else:
        write_line(
            f"{summary.records:,} records in {summary.files} files, {summary.malicious} of them the attack and an exercise: {summary.folder}",
        )
