"""From the rule files that a command was given to compiled rules, with what was refused."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import msgspec
from msgspec.structs import replace

from osdetect.cli.output import print_error
from osdetect.compiler.compiled_file import CompiledRule
from osdetect.compiler.ruleset import compile_files
from osdetect.errors import InputError, RuleError
from osdetect.node.places import cache_root, make_passable
from osdetect.resources import folder
from osdetect.schema.event_fields import EventFields
from osdetect.sigma import ReadOptions, RuleSet
from osdetect.sigma.gather import to_deploy
from osdetect.sigma.options import DEFAULT


class CompiledSet(msgspec.Struct, frozen=True):
    """What the rule files came to."""

    read: RuleSet[CompiledRule]

    @property
    def compiled(self) -> tuple[CompiledRule, ...]:
        """The rules that can be used."""
        return self.read.rules

    @property
    def refused(self) -> tuple[RuleError, ...]:
        """The rules, documents and files that were refused."""
        return self.read.refused


def compile_rules(
    paths: Sequence[Path], options: ReadOptions = DEFAULT, *, no_cache: bool = False
) -> CompiledSet:
    """Read and compile the rules in the files and folders; the project's own rules when none are named.

    Args:
        paths: rule files, and folders that hold some.
        options: which log sources, placeholders, and the pipeline that puts the rules into their events' names.
        no_cache: neither take what was compiled before nor keep what is compiled now.

    Raises:
        InputError: a path does not exist, or holds no rule that can be used.
    """
    done = compile_files(
        paths or [folder("rules")],
        options,
        fields=EventFields.shipped(),
        cache_folder=None if no_cache else rules_cache(),
    )
    for note in done.notes:
        print_error(note, word="warning")
    if not done.rules:
        raise _none_can_be_used(done.read, options)
    return CompiledSet(done.read)


def ready(compiled: CompiledSet, rules: tuple[CompiledRule, ...], options: ReadOptions) -> CompiledSet:
    """What of the rule files can be deployed; what cannot is refused.

    Args:
        compiled: what they came to.
        rules: its rules, tuned as they are to be.
        options: how they were read.

    Raises:
        InputError: no rule is left.
    """
    if options.pipeline is None:  # records as they are lack no field
        return CompiledSet(replace(compiled.read, rules=rules))
    read = to_deploy(replace(compiled.read, rules=rules), options.pipeline.names)
    if not read.rules:
        raise _none_can_be_used(read, options)
    return CompiledSet(read)


def _none_can_be_used(read: RuleSet[CompiledRule], options: ReadOptions) -> InputError:
    what = "none of the rules can be used"
    if read.refused:
        first = read.refused[0]
        return InputError(what, cause=str(first), cure=first.cure or _CURE, where=first.where)
    if options.every_log_source:
        return InputError(what, cause="there is no detection rule in the files", cure="give Sigma rules")
    elsewhere = f"all {read.other_sources} are for other log sources than AWS CloudTrail"
    return InputError(what, cause=elsewhere, cure=_CURE)


_CURE = "give rules with logsource: {product: aws, service: cloudtrail}"


def rules_cache() -> Path:
    """The folder that compiled rules are kept in."""
    root = cache_root()
    with suppress(OSError):  # told when the cache is written
        make_passable(root)
    return root / "rules"
