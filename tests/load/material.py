"""What the tests of loading load, and how they look at what became of it."""

import gzip
import json
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from osdetect.cluster import Cluster
from osdetect.load import LoadOptions, LoadReport, load

EVENTS = "osdetect-cloudtrail-*"
NOW = datetime(2024, 5, 1, 12, 0, tzinfo=UTC)


class Folder:
    """Writes deliveries below a folder."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, name: str, records: Iterable[Any]) -> Path:
        return self.raw(name, gzip.compress(json.dumps({"Records": list(records)}).encode()))

    def raw(self, name: str, data: bytes) -> Path:
        target = self.path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
        return target


def record(number: int, **more: Any) -> dict[str, Any]:
    return {
        "eventVersion": "1.11",
        "userIdentity": {"type": "IAMUser", "accountId": "111122223333", "userName": "ada"},
        "eventTime": f"2024-0{number % 3 + 1}-1{number % 10}T10:00:00Z",
        "eventSource": "s3.amazonaws.com",
        "eventName": "ListBuckets",
        "eventID": f"00000000-0000-0000-0000-{number:012}",
        "recipientAccountId": "111122223333",
        "requestParameters": {"number": number},
        **more,
    }


def stored(cluster: Cluster, pattern: str) -> dict[str, dict[str, Any]]:
    """Every document of the indices, by index and id."""
    cluster.request("POST", f"/{pattern}/_refresh", accept=(404,))
    reply = cluster.request(
        "POST", f"/{pattern}/_search", params={"size": 10000, "ignore_unavailable": "true"}, body={}
    )
    return {f"{hit['_index']}/{hit['_id']}": hit["_source"] for hit in reply["hits"]["hits"]}


def run(cluster: Cluster, *paths: Path, **options: Any) -> LoadReport:
    report = load(cluster, list(paths), LoadOptions(**options), now=NOW)
    parts = report.created + report.already_there + report.reused_ids + report.dead_letters
    assert report.records_read == parts
    return report
