"""Made-up alerts, stored as the detector stores them."""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

from osdetect.alerts import Change, FoundAlert, Snapshot, Verb
from osdetect.cluster import Cluster, create_action

NAMESPACE = "t"
EVERY: dict[str, Any] = {"match_all": {}}


def alert_id(number: int) -> str:
    """The id of a made-up alert."""
    return hashlib.sha256(f"{number}".encode()).hexdigest()[:40]


def alert(number: int, **own: Any) -> dict[str, Any]:
    """The `_source` of a made-up alert; the numbers are times, later ones newer."""
    minutes = number % (60 * 24 * 28)
    when = f"2024-05-{1 + minutes // 1440:02}T{minutes // 60 % 24:02}:{minutes % 60:02}:00.000Z"
    return {
        "@timestamp": when,
        "event": {"kind": "alert", "action": "CreateThing", "provider": "things.amazonaws.com"},
        "rule": {
            "id": f"rule-{number % 3}",
            "name": ("Key made", "Root login", "Log stopped")[number % 3],
            "level": ("low", "high", "critical")[number % 3],
        },
        "cloud": {"account": {"id": ("111122223333", "444455556666")[number % 2]}},
        "user": {"name": ("casey", "robin")[number % 2], "id": f"AIDAEXAMPLE{number % 2}"},
        "osdetect": {
            "id": alert_id(number),
            "status": "open",
            "matched": ["eventName"],
            "evidence": [{"field": "eventName", "test": 'is "CreateThing"', "value": "CreateThing"}],
            "source": {
                "index": "osdetect-cloudtrail-t-2024.05",
                "id": f"e-{number}",
                "shard": 0,
                "seq_no": number,
            },
            "run_id": "r",
            **own,
        },
    }


def put(cluster: Cluster, alerts: Mapping[int, Mapping[str, Any]]) -> None:
    """Store alerts under their numbers' ids."""
    index = f"osdetect-alerts-{NAMESPACE}-2024.05"
    actions = [create_action(index, alert_id(number), source) for number, source in alerts.items()]
    for start in range(0, len(actions), 5_000):
        assert all(outcome.created for outcome in cluster.bulk(actions[start : start + 5_000]))


def put_numbers(cluster: Cluster, numbers: Iterable[int]) -> None:
    """Store plain alerts."""
    put(cluster, {number: alert(number) for number in numbers})


def stored(cluster: Cluster, number: int) -> dict[str, Any]:
    """The alert's own part, as it is stored now."""
    found = cluster.read_document(f"osdetect-alerts-{NAMESPACE}-2024.05", alert_id(number))
    assert found is not None
    own: dict[str, Any] = found.source["osdetect"]
    return own


def seen(cluster: Cluster) -> list[FoundAlert]:
    """Every alert as it is now."""
    with Snapshot(cluster, NAMESPACE) as snapshot:
        return list(snapshot.alerts(EVERY))


def change(verb: Verb, by: str = "kim", *, to: str = "", comment: str = "", name: str = "") -> Change:
    """A change, of its own id unless it is named."""
    made = name or f"{verb}-{by}-{to}-{comment}"
    return Change(made, verb, by, "2024-06-01T08:00:00.000Z", to, comment)
