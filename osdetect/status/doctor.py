"""Whether a cluster is fit for detection: one check after the other, each with its cause and cure."""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import msgspec

from osdetect.cluster import Cluster
from osdetect.errors import ClusterError
from osdetect.status.rights import held_rights
from osdetect.vocabulary import OUTBOX_PREFIX, OWNER, RULES_ALIAS, RULES_PREFIX, STATE_INDEX

_CLOCK_WARN_S, _CLOCK_FAIL_S = 2.0, 30.0
_LARGEST_SHARD = 50 << 30
"""OpenSearch's own advice: 10 to 50 GB a shard."""
_SHARDS_WARN = 0.8
"""Of the shards that the cluster may have."""
_FEWEST_CLAUSES = 1_024
_ANY_REFUSAL = (400, 403, 404)
_WATERMARKS = ("flood_stage", "high", "low")


class Verdict(StrEnum):
    """What a check came to."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


class Finding(msgspec.Struct, frozen=True):
    """One check's result."""

    check: str
    verdict: Verdict
    said: str
    cure: str = ""

    def to_json(self) -> dict[str, str]:
        """For machines."""
        return {"check": self.check, "verdict": self.verdict.value, "said": self.said, "cure": self.cure}


class Installed(msgspec.Struct, frozen=True):
    """A template or pipeline that osdetect ships, and what stands at its place."""

    name: str
    path: str
    owner: str | None
    """None: nothing is there."""
    current: bool


class Patient(msgspec.Struct, frozen=True):
    """What is examined."""

    cluster: Cluster
    namespace: str
    installed: Callable[[], Sequence[Installed]]
    """Asks the cluster, so it may fail as any check may."""
    clock: Callable[[], datetime]
    role: str = "detector"
    """Which of our roles the user is to have."""


Check = Callable[[Patient], Iterator[Finding]]


def examine(patient: Patient) -> tuple[Finding, ...]:
    """Every check; one that the cluster does not let us make is a finding too."""
    return tuple(finding for name, check in _CHECKS for finding in _made(name, check, patient))


def _made(name: str, check: Check, patient: Patient) -> Sequence[Finding]:
    try:
        return tuple(check(patient))
    except ClusterError as error:
        said = f"cannot be checked: {error.what}" + (f": {error.cause}" if error.cause else "")
        verdict = Verdict.FAIL if error.transient else Verdict.WARN
        return (Finding(name, verdict, said, error.cure or "give this user the right to ask"),)


def _percolator(patient: Patient) -> Iterator[Finding]:
    patient.cluster.require_percolator()
    yield Finding("percolator", Verdict.OK, "there")


def _versions(patient: Patient) -> Iterator[Finding]:
    reply = patient.cluster.request("GET", "/_nodes", params={"filter_path": "nodes.*.version,nodes.*.name"})
    found = sorted({node["version"] for node in reply.get("nodes", {}).values()})
    said = f"OpenSearch {', '.join(found)} on {len(reply.get('nodes', {}))} nodes"
    if len(found) > 1:
        yield Finding("versions", Verdict.WARN, said, "finish the upgrade: nodes differ")
    else:
        yield Finding("versions", Verdict.OK, said)


def _templates(patient: Patient) -> Iterator[Finding]:
    installed = patient.installed()
    for one in installed:
        if one.owner is None:
            yield Finding("templates", Verdict.FAIL, f"{one.name} is not installed", "osdetect deploy")
        elif one.owner != OWNER:
            cure = f"rename or delete it: DELETE {one.path}"
            yield Finding("templates", Verdict.FAIL, f"{one.path} was not made by osdetect", cure)
        elif not one.current:
            yield Finding("templates", Verdict.WARN, f"{one.name} is of another version", "osdetect deploy")
    stale = [one for one in installed if one.owner != OWNER or not one.current]
    if not stale:
        yield Finding("templates", Verdict.OK, f"{len(installed)} installed and current")


def _clocks(patient: Patient) -> Iterator[Finding]:
    before = patient.clock()
    reply = patient.cluster.request(
        "GET", "/_nodes/stats/process", params={"filter_path": "nodes.*.name,nodes.*.timestamp"}
    )
    after = patient.clock()
    worst = 0.0
    for node in reply.get("nodes", {}).values():
        theirs = datetime.fromtimestamp(node["timestamp"] / 1000, UTC)
        early, late = (before - theirs).total_seconds(), (theirs - after).total_seconds()
        worst = max(worst, early, late)
    verdict = Verdict.FAIL if worst > _CLOCK_FAIL_S else Verdict.WARN if worst > _CLOCK_WARN_S else Verdict.OK
    cure = (
        "" if verdict is Verdict.OK else "run a time service on both: ages and leases are reckoned by clocks"
    )
    yield Finding("clock", verdict, f"{worst:.1f} s apart at least", cure)


def _shards(patient: Patient) -> Iterator[Finding]:
    health = patient.cluster.request("GET", "/_cluster/health/osdetect-*", params={"level": "indices"})
    for name, index in sorted(health.get("indices", {}).items()):
        if index["status"] != "green":
            red = index["status"] == "red"
            yield Finding(
                "shards",
                Verdict.FAIL if red else Verdict.WARN,
                f"{name} is {index['status']}",
                f"GET _cluster/allocation/explain says why; {'its events are not judged' if red else 'a copy is missing'}",
            )
    rows = patient.cluster.request(
        "GET",
        "/_cat/shards/osdetect-*",
        params={"format": "json", "bytes": "b", "h": "index,shard,prirep,store"},
    )
    for row in rows:
        if row["prirep"] == "p" and int(row["store"] or 0) > _LARGEST_SHARD:
            said = f"{row['index']} shard {row['shard']} holds {int(row['store']) >> 30} GB"
            yield Finding(
                "shards", Verdict.WARN, said, "more shards in the events template, or an index a day"
            )
    whole = patient.cluster.request("GET", "/_cluster/health")
    allowed = int(_setting(patient.cluster, "cluster", "max_shards_per_node") or 1_000)
    limit = allowed * int(whole["number_of_data_nodes"])
    said = f"{whole['active_shards']} of {limit} that the cluster may have"
    if whole["active_shards"] > _SHARDS_WARN * limit:
        yield Finding("shards", Verdict.WARN, said, "delete or merge old indices: new ones will be refused")
    else:
        yield Finding("shards", Verdict.OK, said)


def _disks(patient: Patient) -> Iterator[Finding]:
    layers = _layers(patient.cluster)
    found = {
        mark: _held(layers, "cluster", "routing", "allocation", "disk", "watermark", mark)
        for mark in _WATERMARKS
    }
    reply = patient.cluster.request(
        "GET", "/_nodes/stats/fs", params={"filter_path": "nodes.*.name,nodes.*.fs.total"}
    )
    for node in reply.get("nodes", {}).values():
        total, free = node["fs"]["total"]["total_in_bytes"], node["fs"]["total"]["available_in_bytes"]
        passed = next((mark for mark in _WATERMARKS if _above(found.get(mark), total, free)), "")
        said = f"{node['name']}: {free >> 30} GB of {total >> 30} GB free"
        if passed:
            verdict = Verdict.WARN if passed == "low" else Verdict.FAIL
            cure = "free disk space: at flood_stage the cluster takes no alerts any more"
            yield Finding("disk", verdict, f"{said}, beyond the {passed} watermark {found[passed]}", cure)
        else:
            yield Finding("disk", Verdict.OK, said)


def _above(mark: object, total: int, free: int) -> bool:
    """Whether a disk is beyond a watermark: a share that is used, or bytes that must be free."""
    text = (str(mark.get("value", "")) if isinstance(mark, dict) else str(mark or "")).strip().lower()
    units = {"tb": 40, "gb": 30, "mb": 20, "kb": 10, "b": 0}
    try:
        if text.endswith("%"):
            return 100 * (total - free) > float(text[:-1]) * total
        for unit, shift in units.items():
            if text.endswith(unit):
                return free < float(text.removesuffix(unit)) * (1 << shift)
        return bool(text) and total - free > float(text) * total
    except ValueError:
        return False


def _clauses(patient: Patient) -> Iterator[Finding]:
    found = int(_setting(patient.cluster, "indices", "query", "bool", "max_clause_count") or _FEWEST_CLAUSES)
    if found < _FEWEST_CLAUSES:
        cure = f"set indices.query.bool.max_clause_count to {_FEWEST_CLAUSES} or more: long rules are refused"
        yield Finding("max_clause_count", Verdict.WARN, str(found), cure)
    else:
        yield Finding("max_clause_count", Verdict.OK, str(found))


def _setting(cluster: Cluster, *path: str) -> Any:
    return _held(_layers(cluster), *path)


def _layers(cluster: Cluster) -> Sequence[Any]:
    """The cluster's settings, those first that hold before the others."""
    reply = cluster.request("GET", "/_cluster/settings", params={"include_defaults": "true"})
    return [reply.get(layer, {}) for layer in ("transient", "persistent", "defaults")]


def _held(layers: Sequence[Any], *path: str) -> Any:
    """What the first layer says that says something of it; None when none does."""
    for layer in layers:
        found = layer
        for name in path:
            found = found.get(name) if isinstance(found, dict) else None
        if found is not None:
            return found
    return None


def _release(patient: Patient) -> Iterator[Finding]:
    reply = patient.cluster.request("GET", f"/{RULES_ALIAS}/_mapping", accept=(404,))
    if "error" in reply or not reply:
        yield Finding("rules", Verdict.FAIL, "no rules are deployed", "osdetect deploy")
        return
    if len(reply) > 1 or not next(iter(reply)).startswith(RULES_PREFIX):
        said = f"{RULES_ALIAS} stands for {', '.join(sorted(reply))}"
        yield Finding("rules", Verdict.FAIL, said, "it must stand for one rules index: osdetect deploy")
        return
    ((name, entry),) = reply.items()
    meta = entry["mappings"].get("_meta", {})
    if meta.get("owner") != OWNER or meta.get("complete") is not True:
        yield Finding("rules", Verdict.FAIL, f"{name} is no finished release", "osdetect deploy")
    elif meta.get("refused"):
        said = f"{len(meta['refused'])} rules of {name} were refused"
        yield Finding("rules", Verdict.WARN, said, "osdetect status lists them")
    else:
        yield Finding("rules", Verdict.OK, f"{name} is live")


def _state(patient: Patient) -> Iterator[Finding]:
    yield from _made_by_us(patient, "state", STATE_INDEX, "not there yet: the first load or pass makes it")


def _made_by_us(patient: Patient, check: str, index: str, absent: str) -> Iterator[Finding]:
    """Whether an index that we write to was made from our template."""
    reply = patient.cluster.request("GET", f"/{index}/_mapping", accept=(404,))
    if "error" in reply:
        yield Finding(check, Verdict.OK, absent)
        return
    foreign = [
        name
        for name, entry in reply.items()
        if entry.get("mappings", {}).get("_meta", {}).get("owner") != OWNER
    ]
    if foreign or set(reply) != {index}:
        said = f"{index} is not what osdetect makes"
        yield Finding(check, Verdict.FAIL, said, "it was made before the template was: delete it")
    else:
        yield Finding(check, Verdict.OK, "there")


def _rights(patient: Patient) -> Iterator[Finding]:
    """Who we are, what lacks to do what the user is for, and for the other roles how much lacks."""
    held = held_rights(patient.cluster, patient.namespace)
    chosen = held[patient.role]
    for one in chosen.missing:
        cure = f"give this user the role osdetect-{patient.role}, if it is for that: osdetect security apply"
        yield Finding("rights", Verdict.FAIL, f"may not {one.what}: {one.reason}", cure)
    if not chosen.missing:
        yield Finding("rights", Verdict.OK, f"all {chosen.tried} that a {patient.role} needs")
    others = [
        f"{word} {'all' if not one.missing else f'{one.tried - len(one.missing)} of {one.tried}'}"
        for word, one in sorted(held.items())
        if word != patient.role
    ]
    yield Finding("other roles", Verdict.OK, f"rights of each that this user has: {', '.join(others)}")


def _who(patient: Patient) -> Iterator[Finding]:
    path = "/_plugins/_security/authinfo"
    reply = patient.cluster.request("GET", path, accept=_ANY_REFUSAL)
    if "user_name" in reply:
        roles = ", ".join(sorted(map(str, reply.get("roles", ())))) or "none"
        yield Finding("security", Verdict.OK, f"the user {reply['user_name']} has the roles {roles}")
    else:
        said = "the cluster says of no user who it is: without the security plugin whoever reaches it may do everything"
        yield Finding(
            "security", Verdict.WARN, said, "install the plugin, unless nobody else reaches the cluster"
        )


def _outbox(patient: Patient) -> Iterator[Finding]:
    name = f"{OUTBOX_PREFIX}{patient.namespace}"
    yield from _made_by_us(patient, "outbox", name, "not there yet: the first `notify run` makes it")


_CHECKS: Sequence[tuple[str, Check]] = (
    ("versions", _versions),
    ("percolator", _percolator),
    ("security", _who),
    ("rights", _rights),
    ("templates", _templates),
    ("rules", _release),
    ("state", _state),
    ("outbox", _outbox),
    ("clock", _clocks),
    ("shards", _shards),
    ("disk", _disks),
    ("max_clause_count", _clauses),
)
