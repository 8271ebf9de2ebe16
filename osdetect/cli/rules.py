"""From the rule files that a command was given to compiled rules, with what was refused."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from osdetect.compiler import Compiled, compile_rule
from osdetect.errors import InputError, RuleError
from osdetect.resources import folder
from osdetect.schema.event_fields import EventFields
from osdetect.sigma import RuleSet, read_rules


@dataclass(frozen=True, slots=True)
class CompiledSet:
    """What the rule files came to."""

    compiled: tuple[Compiled, ...]
    read: RuleSet

    @property
    def refused(self) -> tuple[RuleError, ...]:
        """The rules, documents and files that were refused."""
        return self.read.refused


def compile_rules(paths: Sequence[Path]) -> CompiledSet:
    """Read and compile the rules in the files and folders; the project's own rules when none are named.

    Raises:
        InputError: a path does not exist, or holds no CloudTrail rule that can be used.
    """
    read = read_rules(paths or [folder("rules")])
    if not read.rules:
        first = read.refused[0] if read.refused else None
        raise InputError(
            "none of the rules can be used",
            cause=str(first)
            if first
            else f"all {read.other_sources} are for other log sources than AWS CloudTrail",
            cure="give rules with logsource: {product: aws, service: cloudtrail}",
            where=first.where if first else None,
        )
    fields = EventFields.shipped()
    return CompiledSet(tuple(compile_rule(rule, fields) for rule in read.rules), read)
