"""The releases that a cluster keeps: what each says of itself, which one is live, and what is stored in it.

A release says it in the `_meta` of its index: it is there, kept and deleted together with its rules.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Protocol
from urllib.parse import quote

import msgspec
import orjson

from osdetect.cluster import Cluster, every_page
from osdetect.documents.dialect import RAW, Dialect
from osdetect.documents.stored_rule import FORMAT
from osdetect.errors import ClusterRefused
from osdetect.vocabulary import OWNER, RULES_ALIAS, RULES_PREFIX

PAGE = 250
_DIGEST = 16


class Deployable(Protocol):
    """What is deployed of a compiled rule: of one that was kept no tree is built."""

    @property
    def id(self) -> str:
        """The rule's id."""
        ...

    @property
    def columns(self) -> tuple[str, ...]:
        """The paths whose values its stored query asks for."""
        ...

    @property
    def document(self) -> bytes:
        """Its percolator document: JSON with sorted keys on one line, sent and hashed as it is."""
        ...


class Stamp(msgspec.Struct, frozen=True):
    """When a release was made live by a deploy, by whom, and out of what."""

    at: str = ""
    """ISO 8601, UTC."""
    by: str = ""
    """User and host."""
    commit: str = ""
    """Of the git repository that the rules were in; empty where they were in none."""
    rules: int = 0
    follows: str = ""
    """The index that was live before; empty where none was."""
    back: str = ""
    """When, by whom and from which release it was rolled back to since; empty where it was not."""

    def to_json(self) -> dict[str, Any]:
        """What `of` reads back."""
        return {
            "at": self.at,
            "by": self.by,
            "commit": self.commit,
            "rules": self.rules,
            "follows": self.follows,
            "back": self.back,
        }

    @staticmethod
    def of(said: object) -> "Stamp":
        """As a release says it; what it does not say is empty."""
        if not isinstance(said, Mapping):
            return Stamp()
        texts = {name: str(said.get(name, ""))[:200] for name in ("at", "by", "commit", "follows", "back")}
        rules = said.get("rules")
        return Stamp(**texts, rules=rules if isinstance(rules, int) else 0)


class Kept(msgspec.Struct, frozen=True):
    """A release that a deploy made, as its index says."""

    index: str
    live: bool
    complete: bool
    """False when the deploy that made it was killed before its end."""
    created: datetime
    stamp: Stamp
    format: int
    dialect: Dialect | None
    """None when it cannot be read."""
    shards: int
    closed: bool = False
    """Whether somebody closed its index: nobody can read it then."""
    alias_edited: bool = False
    """Whether the alias that makes it live has a filter, or other options that no deploy gives it."""
    refused: Mapping[str, str] = msgspec.field(default_factory=dict)
    """Rules that the cluster did not take, and why."""
    digests: Mapping[str, str] = msgspec.field(default_factory=dict)
    """For each rule's id the digest of its document; empty in releases of an older osdetect."""

    @property
    def name(self) -> str:
        """The release's own part of the index name."""
        return self.index.removeprefix(RULES_PREFIX)

    @property
    def at(self) -> str:
        """When it was made live last by a deploy, or made at all."""
        return self.stamp.at or self.created.isoformat(timespec="seconds")

    def to_json(self) -> dict[str, Any]:
        """For machines."""
        return {
            "release": self.name,
            "index": self.index,
            "live": self.live,
            "complete": self.complete,
            "at": self.at,
            "by": self.stamp.by,
            "commit": self.stamp.commit,
            "rules": self.stamp.rules,
            "follows": self.stamp.follows,
            "rolled_back": self.stamp.back,
            "format": self.format,
        }


def address(index: str) -> str:
    """The path of an index by its whole name.

    A name may hold a percent sign: `osdetect-rules-%2a`, sent as it is, would be read as a wildcard for every release.

    >>> address("osdetect-rules-%2a")
    '/osdetect-rules-%252a'
    """
    return f"/{quote(index, safe='')}"


def kept_releases(cluster: Cluster) -> tuple[Kept, ...]:
    """Every release that a deploy made, the one deployed last first.

    Our template gives its mark to any index of such a name; `complete` is written by a deploy alone.

    Raises:
        ClusterError: they cannot be read.
    """
    settings = ("creation_date", "number_of_shards", "verified_before_close")
    wanted = ",".join((*(f"*.settings.index.{name}" for name in settings), "*.mappings._meta", "*.aliases"))
    params = {"filter_path": wanted, "expand_wildcards": "open,closed"}
    found = cluster.request("GET", f"/{RULES_PREFIX}*", params=params)
    kept = [_kept(name, entry) for name, entry in found.items() if _made_by_deploy(entry)]
    return tuple(sorted(kept, key=lambda one: (one.at, one.index), reverse=True))


def _meta(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    meta = entry.get("mappings", {}).get("_meta", {})
    return meta if isinstance(meta, Mapping) else {}


def _made_by_deploy(entry: Mapping[str, Any]) -> bool:
    return _meta(entry).get("owner") == OWNER and "complete" in _meta(entry)


def _kept(index: str, entry: Mapping[str, Any]) -> Kept:
    meta, settings = _meta(entry), entry["settings"]["index"]
    version = meta.get("format")
    return Kept(
        index=index,
        live=RULES_ALIAS in entry.get("aliases", {}),
        complete=meta.get("complete") is True,
        created=datetime.fromtimestamp(int(settings["creation_date"]) / 1_000, UTC),
        stamp=Stamp.of(meta.get("release")),
        format=version if isinstance(version, int) else 0,
        dialect=Dialect.from_json(meta["dialect"]) if "dialect" in meta else RAW,
        shards=int(settings.get("number_of_shards", 1)),
        closed="verified_before_close" in settings,
        alias_edited=bool(entry.get("aliases", {}).get(RULES_ALIAS)),
        refused=_texts(meta.get("refused")),
        digests=_texts(meta.get("digests")),
    )


def _texts(said: object) -> dict[str, str]:
    return {str(name): str(value) for name, value in said.items()} if isinstance(said, Mapping) else {}


def aliased(cluster: Cluster) -> tuple[str, ...]:
    """The indices that the alias of the live rules stands for: one after a deploy, none before the first.

    Raises:
        ClusterError: that cannot be read.
    """
    reply = cluster.request("GET", f"/{RULES_PREFIX}*/_alias/{RULES_ALIAS}", accept=(404,))
    return tuple(sorted(name for name, entry in reply.items() if isinstance(entry, Mapping)))


def require_live(cluster: Cluster) -> Kept:
    """The live release.

    Raises:
        ClusterRefused: there is none, or not just one.
    """
    indices = aliased(cluster)
    live = [one for one in kept_releases(cluster) if one.index in indices]
    if len(live) != 1 or len(indices) != 1:
        raise ClusterRefused(
            "no rules are deployed" if not indices else f"{RULES_ALIAS} is not the name of one release",
            cause=f"the alias stands for {', '.join(indices) or 'nothing'}",
            cure="deploy the rules: osdetect deploy",
        )
    return live[0]


def stored_documents(
    cluster: Cluster, index: str, fields: tuple[str, ...] = ()
) -> Iterator[tuple[str, dict[str, Any]]]:
    """The id and source of each document of a rules index.

    Args:
        cluster: where.
        index: the index, or the alias of the live one; nothing is found when it is missing.
        fields: only these of its source; none: all.

    Raises:
        ClusterError: they cannot be read.
    """
    body = {
        "size": PAGE,
        "_source": list(fields) or True,
        "sort": [{"_seq_no": "asc"}, {"rule.id": {"order": "asc", "unmapped_type": "keyword"}}],
    }
    params = {"filter_path": "hits.hits"}
    try:
        for hits in every_page(cluster, f"{address(index)}/_search", body, params=params, accept=(404,)):
            yield from ((hit["_id"], hit["_source"]) for hit in hits)
    except ClusterRefused as error:
        if "index_closed_exception" not in error.cause:
            raise
        raise ClusterRefused(
            f"the index {index} is closed",
            cause="somebody closed it: neither osdetect nor a detector can read it",
            cure=f"open it: POST {address(index)}/_open; or delete it: DELETE {address(index)}; then run the command again",
        ) from None


def digest_of(document: bytes) -> str:
    """What a release remembers of a rule's document."""
    return hashlib.sha256(document).hexdigest()[:_DIGEST]


def sorted_json(source: Mapping[str, Any]) -> bytes:
    """The document as its compiler wrote it: JSON with sorted keys.

    What somebody else put into the index may be nested more deeply, or hold half a character: then it is some other text, and
    equal to none that a compiler wrote.
    """
    try:
        return orjson.dumps(source, option=orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError:
        return repr(sorted(source)).encode("utf-8", "replace")


def release_index(compiled: Iterable[Deployable], dialect: Dialect = RAW, shards: int = 1) -> str:
    """The name of the index for this set of rules: a function of what is stored for them, their dialect and their shards."""
    return named_by(((one.id, one.document) for one in compiled), dialect, shards)


def named_by(documents: Iterable[tuple[str, bytes]], dialect: Dialect, shards: int) -> str:
    """The same of ids and documents, in order of the ids."""
    digest = hashlib.sha256(str(FORMAT).encode())
    digest.update(orjson.dumps(remembered(dialect), option=orjson.OPT_SORT_KEYS))
    if shards != 1:
        digest.update(b"shards %d" % shards)
    for rule_id, document in documents:
        digest.update(orjson.dumps([rule_id, orjson.Fragment(document)]))
    return RULES_PREFIX + digest.hexdigest()[:16]


def remembered(dialect: Dialect) -> dict[str, Any]:
    """What the index says of its dialect; of raw records it says nothing."""
    return {} if dialect == RAW else {"dialect": dialect.to_json()}
