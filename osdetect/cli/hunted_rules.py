"""The rules that a hunt is for: deployed ones, or files that nobody deployed."""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path

import msgspec
import orjson
from msgspec.structs import replace

from osdetect.cli.dialects import AUTO, chosen_dialect
from osdetect.cli.rules import compile_rules
from osdetect.cluster import Cluster
from osdetect.detect.by_search import deployed_searches, searches_of
from osdetect.detect.release import Release, live_release
from osdetect.detect.searches import Searches
from osdetect.documents.dialect import RAW, Dialect
from osdetect.documents.stored_rule import StoredRule
from osdetect.errors import InputError, OsdetectError, RuleError, UsageError
from osdetect.schema.projection import Projection
from osdetect.sigma import ReadOptions
from osdetect.vocabulary import RULES_PREFIX

_LISTED = 10


class Hunted(msgspec.Struct, frozen=True):
    """What is hunted for."""

    release: Release
    searches: Searches | None
    """Queries that find each event that a rule may hold for; None: events must be read one by one."""
    losses: tuple[OsdetectError, ...]
    """Rules that are not hunted for, among others that are."""


def hunted(cluster: Cluster, named: Sequence[str], pipelines: Sequence[str], target: str) -> Hunted:
    """The rules of these names.

    Raises:
        InputError: a name stands for no rule, or for several, or a file holds none that can be used.
        RuleError: a file holds nothing but correlation rules.
        UsageError: files and deployed rules are named together.
    """
    files = [Path(name) for name in named if _is_file(name)]
    if files and len(files) < len(named):
        raise UsageError(
            "rule files and deployed rules cannot be hunted together", cure="run the command for each"
        )
    if files:
        return _of_files(cluster, files, pipelines, target)
    if pipelines:
        raise UsageError("--pipeline is for rule files", cause="deployed rules have a dialect already")
    return _deployed(cluster, named)


def _is_file(name: str) -> bool:
    path = Path(name)
    return path.suffix in (".yml", ".yaml") or path.exists()


def _deployed(cluster: Cluster, named: Sequence[str]) -> Hunted:
    release = live_release(cluster)
    known = {rule.id: rule for rule in (*release.rules.values(), *release.switched_off)}
    rules = {rule.id: rule for name in named for rule in [_named(known, release.unreadable, name)]}
    chosen = replace(release, rules=rules, switched_off=(), projection=Projection.of(rules.values()))
    return Hunted(chosen, deployed_searches(cluster, chosen) if release.dialect == RAW else None, ())


def _named(known: Mapping[str, StoredRule], unreadable: Sequence[RuleError], name: str) -> StoredRule:
    if name in known:
        return known[name]
    titles = {rule.id: str(rule.words["rule"].get("name", "")) for rule in known.values()}
    found = [one for one, title in titles.items() if title.casefold() == name.casefold()] or [
        one for one, title in titles.items() if name.casefold() in title.casefold()
    ]
    if len(found) == 1:
        return known[found[0]]
    if found:
        raise InputError(
            f"{name!r} stands for {len(found)} deployed rules",
            cause=", ".join(f"{titles[one]} ({one})" for one in found[:_LISTED]),
            cure="give the rule's id",
        )
    broken = next((error for error in unreadable if name in error.what), None)
    raise InputError(
        f"no deployed rule has the id {name!r}, or that in its title",
        cause=str(broken)
        if broken
        else "correlation rules and rules for other log sources are not hunted for",
        cure="give a rule file, or an id of osdetect deploy's rules",
    )


def _of_files(cluster: Cluster, files: Sequence[Path], pipelines: Sequence[str], target: str) -> Hunted:
    auto = target if AUTO in pipelines else ""
    chosen = chosen_dialect(pipelines, auto, lambda: nullcontext(cluster))
    compiled = compile_rules(files, ReadOptions(pipeline=chosen.pipeline))
    losses: list[OsdetectError] = [*compiled.refused]
    losses += [
        RuleError(
            f"{one.correlation.title} is a correlation rule",
            cause="a hunt judges single events",
            cure="hunt for the rules that it names",
            where=one.correlation.where,
        )
        for one in compiled.read.correlations
    ]
    documents = {one.id: orjson.loads(one.document) for one in compiled.compiled}
    rules = {rule_id: StoredRule.from_source(rule_id, said) for rule_id, said in documents.items()}
    release = _release(rules, chosen.dialect)
    queries = [(rule_id, said.get("search")) for rule_id, said in documents.items()]
    searches = searches_of(queries, release) if chosen.dialect == RAW else None
    return Hunted(release, searches, tuple(losses))


def _release(rules: dict[str, StoredRule], dialect: Dialect) -> Release:
    return Release(f"{RULES_PREFIX}local", rules, (), (), Projection.of(rules.values()), dialect)
