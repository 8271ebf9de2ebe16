"""Which rights of our roles a user has: tried by doing what they do where nothing can come of it.

A write goes to a name that would have to be an alias, and is none: refused, but only after the right was granted.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from osdetect.cluster import Cluster
from osdetect.cluster.translate import reason_of
from osdetect.vocabulary import (
    ALERTS_PREFIX,
    DEADLETTER_PREFIX,
    EVENTS_PREFIX,
    MATCHES_PREFIX,
    OUTBOX_PREFIX,
    RULES_ALIAS,
    RULES_PREFIX,
    RUNS_PREFIX,
    STATE_INDEX,
)

_ANY_REFUSAL = (400, 403, 404)


class Missing(msgspec.Struct, frozen=True):
    """A right that the user lacks."""

    what: str
    reason: str


class Held(msgspec.Struct, frozen=True):
    """How a user stands to one role."""

    tried: int
    missing: tuple[Missing, ...]


class _Try(msgspec.Struct, frozen=True):
    what: str
    method: str
    path: str
    params: tuple[tuple[str, str], ...] = ()
    body: bytes | None = None


def held_rights(cluster: Cluster, namespace: str) -> Mapping[str, Held]:
    """For each of our roles by its word: how many of its rights were tried, and which are missing.

    Raises:
        ClusterError: the cluster did not answer.
    """
    tries = _tries(namespace)
    answers: dict[_Try, Any] = {one: _asked(cluster, one) for one in dict.fromkeys(_all(tries))}
    return {
        word: Held(
            len(ones),
            tuple(Missing(one.what, reason_of(answers[one])) for one in ones if _forbidden(answers[one])),
        )
        for word, ones in tries.items()
    }


def _all(tries: Mapping[str, Sequence[_Try]]) -> Iterator[_Try]:
    for ones in tries.values():
        yield from ones


def _asked(cluster: Cluster, one: _Try) -> Any:
    return cluster.request(one.method, one.path, params=dict(one.params), body=one.body, accept=_ANY_REFUSAL)


def _forbidden(reply: Any) -> bool:
    return isinstance(reply, Mapping) and reply.get("status") == 403


def _tries(namespace: str) -> Mapping[str, Sequence[_Try]]:
    events, alerts = f"{EVENTS_PREFIX}{namespace}", f"{ALERTS_PREFIX}{namespace}"
    letters, outbox = f"{DEADLETTER_PREFIX}{namespace}", f"{OUTBOX_PREFIX}{namespace}"
    matches, state = (
        f"{MATCHES_PREFIX}{namespace}",
        _Try("read the state", "GET", f"/{STATE_INDEX}/_doc/rights-check"),
    )
    reads_alerts = _read("alerts", f"{alerts}-*")
    pages = _Try(
        "page through the alerts", "POST", f"/{alerts}-*/_search/point_in_time", (("keep_alive", "1s"),)
    )
    return {
        "detector": (
            _Try("find the live release", "GET", f"/{RULES_PREFIX}*/_alias/{RULES_ALIAS}"),
            _Try("read the release's mapping", "GET", f"/{RULES_PREFIX}*/_mapping"),
            _read("rules", f"{RULES_PREFIX}*"),
            _template("alerts"),
            _Try("read the events' checkpoints", "GET", f"/{events}-*/_stats/docs"),
            _Try("refresh the events", "POST", f"/{events}-*/_refresh"),
            _read("events", f"{events}-*"),
            state,
            *_writes(f"{alerts}-rights-check", f"{matches}-rights-check", f"{RUNS_PREFIX}rights-check"),
            *_writes(f"{letters}-rights-check", STATE_INDEX),
        ),
        "loader": (
            _Try(
                "see which template events get",
                "POST",
                f"/_index_template/_simulate_index/{events}-rights-check",
            ),
            state,
            *_writes(f"{events}-rights-check", f"{letters}-rights-check", STATE_INDEX),
        ),
        "notifier": (
            _template("outbox"),
            _Try("read the alerts' checkpoints", "GET", f"/{alerts}-*/_stats/docs"),
            reads_alerts,
            state,
            *_writes(f"{outbox}-rights-check", f"{letters}-rights-check", STATE_INDEX),
        ),
        "deployer": (
            _Try("find the live release", "GET", f"/{RULES_PREFIX}*/_alias/{RULES_ALIAS}"),
            _template("alerts"),
            *_writes(f"{RULES_PREFIX}rights-check"),
        ),
        "analyst": (
            reads_alerts,
            pages,
            _read("events", f"{events}-*"),
            *_writes(f"{alerts}-rights-check"),
        ),
        "viewer": (
            reads_alerts,
            pages,
            _read("events", f"{events}-*"),
            _read("withheld matches", f"{matches}-*"),
        ),
    }


def _read(what: str, index: str) -> _Try:
    return _Try(f"read the {what}", "GET", f"/{index}/_search", (("size", "0"),))


def _template(name: str) -> _Try:
    return _Try(f"see whether the {name} template is there", "GET", f"/_index_template/osdetect-{name}")


def _writes(*names: str) -> Iterable[_Try]:
    alias = (("require_alias", "true"),)
    return (_Try(f"write to {name}", "PUT", f"/{name}/_doc/rights-check", alias, b"{}") for name in names)
