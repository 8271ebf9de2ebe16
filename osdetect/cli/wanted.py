"""What deploy, plan and bundle are given: rules from files or out of a bundle, ready to be deployed."""

import re
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from osdetect.cli.dialects import chosen_dialect
from osdetect.cli.reading import placeholder_values
from osdetect.cli.rules import CompiledSet, compile_rules, ready
from osdetect.cli.tuning import require_unexpired, tuned
from osdetect.cluster import Cluster
from osdetect.deploy.bundle import read_bundle
from osdetect.deploy.commit import commit_of
from osdetect.deploy.releases import Deployable
from osdetect.documents.dialect import Dialect
from osdetect.errors import RuleError, UsageError
from osdetect.resources import folder
from osdetect.sigma import ReadOptions
from osdetect.source import printable

_SHA256 = re.compile(r"[0-9a-fA-F]{64}", re.ASCII)

Rules = Annotated[
    list[Path] | None,
    typer.Argument(
        help="Sigma rule files and folders; default: the rules that come with osdetect.", metavar="RULES"
    ),
]
EveryLogSource = Annotated[
    bool,
    typer.Option(
        "--every-log-source",
        help="Store rules for other log sources than CloudTrail as well; the detector leaves them out.",
    ),
]
RulesShards = Annotated[
    int,
    typer.Option(
        "--rules-shards", help="Shards of the rules index: so many nodes share percolation.", min=1, max=64
    ),
]
NoCache = Annotated[bool, typer.Option("--no-cache", help="Neither use nor keep what was compiled before.")]
BundleFile = Annotated[
    Path | None,
    typer.Option(
        "--bundle", help="Take the rules out of this bundle instead (osdetect bundle).", metavar="FILE"
    ),
]
Sha256 = Annotated[
    str | None,
    typer.Option("--sha256", help="With --bundle: what the file's SHA-256 must be.", metavar="HEX"),
]


class FileOptions(msgspec.Struct, frozen=True):
    """How rules are read from files."""

    pipelines: Sequence[str]
    target: str
    placeholders: Path | None
    every_log_source: bool
    tuning: Path | None
    shards: int
    no_cache: bool


class Wanted(msgspec.Struct, frozen=True):
    """A set of rules that is to be live."""

    rules: Sequence[Deployable]
    dialect: Dialect
    shards: int
    commit: str
    compiled: CompiledSet | None
    """What the files came to; None for a bundle."""

    @property
    def refused(self) -> tuple[RuleError, ...]:
        """Rules and files that cannot be used."""
        return self.compiled.refused if self.compiled else ()


def wanted_rules(
    rules: Sequence[Path],
    options: FileOptions,
    connected: Callable[[], AbstractContextManager[Cluster]],
    *,
    bundle: Path | None = None,
    sha256: str | None = None,
) -> Wanted:
    """The rules of the files and folders, or of the bundle.

    Raises:
        InputError: there is nothing usable.
        UsageError: options contradict each other, an exception has expired, or the tuning file cannot be used.
    """
    if bundle is not None:
        return _bundled(rules, options, bundle, sha256)
    if sha256 is not None:
        raise UsageError("--sha256 is for bundles", cure="give --bundle FILE as well")
    chosen = chosen_dialect(options.pipelines, options.target, connected)
    reading = ReadOptions(
        every_log_source=options.every_log_source,
        placeholders=placeholder_values(options.placeholders),
        pipeline=chosen.pipeline,
    )
    found = compile_rules(rules, reading, no_cache=options.no_cache)
    compiled = ready(found, tuned(found.compiled, options.tuning, chosen.pipeline), reading)
    require_unexpired(compiled.compiled)
    commit = commit_of(rules[0] if rules else folder("rules"))
    return Wanted(compiled.compiled, chosen.dialect, options.shards, commit, compiled)


def _bundled(rules: Sequence[Path], options: FileOptions, bundle: Path, sha256: str | None) -> Wanted:
    given = (
        rules,
        options.pipelines,
        options.target,
        options.placeholders,
        options.every_log_source,
        options.tuning,
        options.shards != 1,
        options.no_cache,
    )
    if any(given):
        raise UsageError(
            "a bundle is deployed as it is",
            cause="rules and how they are read were decided when it was made",
            cure="give --bundle alone, or the rules without it; give these options to osdetect bundle",
        )
    if sha256 is not None and not _SHA256.fullmatch(sha256.strip()):
        # An empty one as well: a script whose variable is not set must not deploy a bundle that nobody checked.
        raise UsageError(
            f"--sha256 {printable(sha256)!r} is no SHA-256",
            cause="it has 64 hexadecimal digits",
            cure="give what osdetect bundle said, or leave the option out",
        )
    read = read_bundle(bundle, sha256 or "")
    require_unexpired(read.rules)
    return Wanted(read.rules, read.dialect, read.shards, read.commit, None)
