"""From the rule files that a command was given to compiled rules, with what was refused."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from osdetect.cli.output import print_error
from osdetect.compiler import Compiled
from osdetect.compiler.ruleset import compile_files
from osdetect.errors import InputError, RuleError
from osdetect.node.places import cache_root, make_passable
from osdetect.resources import folder
from osdetect.schema.event_fields import EventFields
from osdetect.sigma import ReadOptions, RuleSet
from osdetect.sigma.options import Pipeline


@dataclass(frozen=True, slots=True)
class CompiledSet:
    """What the rule files came to."""

    compiled: tuple[Compiled, ...]
    read: RuleSet
    """What else there is to the set; its own rules are left out."""

    @property
    def refused(self) -> tuple[RuleError, ...]:
        """The rules, documents and files that were refused."""
        return self.read.refused


def compile_rules(
    paths: Sequence[Path], pipeline: Pipeline | None = None, *, no_cache: bool = False
) -> CompiledSet:
    """Read and compile the rules in the files and folders; the project's own rules when none are named.

    Args:
        paths: rule files, and folders that hold some.
        pipeline: what puts the rules into the names of the events they are for; None for raw records.
        no_cache: neither take what was compiled before nor keep what is compiled now.

    Raises:
        InputError: a path does not exist, or holds no CloudTrail rule that can be used.
    """
    done = compile_files(
        paths or [folder("rules")],
        ReadOptions(pipeline=pipeline),
        fields=EventFields.shipped(),
        cache_folder=None if no_cache else rules_cache(),
    )
    for note in done.notes:
        print_error(note, word="warning")
    read = done.read
    if not done.rules:
        first = read.refused[0] if read.refused else None
        raise InputError(
            "none of the rules can be used",
            cause=str(first)
            if first
            else f"all {read.other_sources} are for other log sources than AWS CloudTrail",
            cure="give rules with logsource: {product: aws, service: cloudtrail}",
            where=first.where if first else None,
        )
    return CompiledSet(tuple(one.compiled for one in done.rules), read)


def rules_cache() -> Path:
    """The folder that compiled rules are kept in."""
    root = cache_root()
    with suppress(OSError):  # told when the cache is written
        make_passable(root)
    return root / "rules"
