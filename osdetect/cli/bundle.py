"""`osdetect bundle`: compiled rules in one file, for a cluster that nothing else reaches."""

import hashlib
import os
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from osdetect.cli.dialects import Pipelines
from osdetect.cli.options import Verbose
from osdetect.cli.output import OutputFormat, error_json, print_json, print_refusals, write_line
from osdetect.cli.reading import Placeholders
from osdetect.cli.tuning import TuningFile
from osdetect.cli.wanted import EveryLogSource, FileOptions, NoCache, Rules, RulesShards, wanted_rules
from osdetect.cluster import Cluster
from osdetect.deploy.bundle import Bundle, encoded
from osdetect.errors import OutputError, UsageError
from osdetect.vocabulary import ExitCode

File = Annotated[Path, typer.Option("--out", "-o", help="Where to write it.", metavar="FILE")]
Format = Annotated[OutputFormat, typer.Option("--output", help="How to write the result.")]


def bundle(
    rules: Rules = None,
    out: File = Path("osdetect-rules.tar"),
    pipeline: Pipelines = None,
    placeholders: Placeholders = None,
    every_log_source: EveryLogSource = False,
    tuning: TuningFile = None,
    rules_shards: RulesShards = 1,
    no_cache: NoCache = False,
    output: Format = OutputFormat.TABLE,
    verbose: Verbose = False,
) -> int:
    """Write compiled rules, templates and pipelines into one file, which `osdetect deploy --bundle FILE` deploys elsewhere.

    The same rules give the same bytes. The SHA-256 that is told tells a changed file: give it to deploy (docs/deploying.md).

    Examples: `osdetect bundle my-rules/ -o rules.tar` · `osdetect deploy --bundle rules.tar --sha256 9f86d081...`
    """
    options = FileOptions(pipeline or [], "", placeholders, every_log_source, tuning, rules_shards, no_cache)
    wanted = wanted_rules(rules or [], options, _unconnected)
    made = Bundle(tuple(wanted.rules), wanted.dialect, wanted.shards, wanted.commit)
    data = encoded(made)
    _write(out, data)
    digest = hashlib.sha256(data).hexdigest()
    if output is OutputFormat.JSON:
        print_json(
            {
                "file": str(out),
                "bytes": len(data),
                "sha256": digest,
                "release": made.index,
                "rules": len(made.rules),
                "commit": made.commit,
                "refused": [error_json(error) for error in wanted.refused],
            }
        )
    else:
        print_refusals(wanted.refused, all_of_them=verbose)
        write_line(f"{out}: {len(made.rules)} rules, {len(data):,} bytes, the release {made.index}")
        write_line(f"sha256 {digest}")
    return ExitCode.LOSS if wanted.refused else ExitCode.OK


def _unconnected() -> Cluster:
    raise UsageError(
        "a bundle is made without a cluster",
        cause="--pipeline auto asks one for its fields",
        cure="name the pipeline: docs/dialects.md",
    )


def _write(file: Path, data: bytes) -> None:
    """Write it whole or not at all."""
    part = ""
    if file.exists() and not file.is_file():  # its place would be taken: a device's too
        raise OutputError(
            f"the bundle {file} cannot be written",
            cause="it is no plain file",
            cure="give another place with --out",
        )
    try:
        descriptor, part = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name[:40]}.", suffix=".part")
        with os.fdopen(descriptor, "wb") as opened:
            opened.write(data)
            opened.flush()
            os.fsync(descriptor)
        Path(part).chmod(0o644)
        Path(part).replace(file)
        part = ""
    except OSError as error:
        raise OutputError(
            f"the bundle {file} cannot be written",
            cause=error.strerror or str(error),
            cure="give another place with --out",
        ) from None
    finally:
        if part:
            Path(part).unlink(missing_ok=True)
