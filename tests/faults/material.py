"""Rules, events and looks into a cluster that the tests of the pipe share."""

import json
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from osdetect.cli.rules import CompiledSet, compile_rules
from osdetect.cluster import Cluster, Connection
from osdetect.deploy import DeployReport, deploy
from osdetect.detect import DetectOptions, Method, RunReport, detect_once

ACCOUNT = "111122223333"


def connect(url: str, **settings: Any) -> Cluster:
    """A connection that gives up soon."""
    return Cluster.connect(Connection.from_settings(url=url, **{"retry_for_s": 5.0, **settings}))


def rule_id(number: int) -> str:
    """The id of a made-up rule."""
    return f"00000000-0000-4000-8000-{number:012d}"


def rule_text(number: int, selection: str, *, condition: str = "selection", level: str = "high") -> str:
    """A rule; `selection` is YAML in flow style."""
    return f"""title: Made-up rule {number}
id: {rule_id(number)}
status: test
description: For the tests of the pipe.
author: A Test Author
references: [https://example.org/{number}]
tags: [attack.persistence, attack.t1098.001]
logsource: {{product: aws, service: cloudtrail}}
detection:
    selection: {selection}
    condition: {condition}
level: {level}
"""


def write_rules(folder: Path, selections: Iterable[str]) -> Path:
    """A folder of rules, numbered from 1, one for each selection."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, selection in enumerate(selections, 1):
        (folder / f"rule_{number}.yml").write_text(rule_text(number, selection))
    return folder


def compiled(folder: Path, *selections: str) -> CompiledSet:
    """Rules with these selections, compiled."""
    return compile_rules([write_rules(folder / f"rules-{uuid.uuid4().hex}", selections)])


def deployed(cluster: Cluster, folder: Path, *selections: str) -> DeployReport:
    """Rules with these selections, made live."""
    return deploy(cluster, compiled(folder, *selections).compiled, on_progress=lambda _done, _total: None)


def record(number: int, **fields: Any) -> dict[str, Any]:
    """A CloudTrail record."""
    return {
        "eventVersion": "1.11",
        "eventTime": f"2024-05-{1 + number % 28:02}T{number % 24:02}:{number % 60:02}:00Z",
        "eventID": str(uuid.UUID(int=number)),
        "eventName": "CreateThing",
        "eventSource": "things.amazonaws.com",
        "awsRegion": "eu-west-1",
        "sourceIPAddress": "198.51.100.7",
        "userAgent": "aws-cli/2.17",
        "userIdentity": {"type": "IAMUser", "userName": "casey", "principalId": "AIDAEXAMPLE"},
        "recipientAccountId": ACCOUNT,
        **fields,
    }


def put_records(cluster: Cluster, index: str, records: Iterable[Mapping[str, Any]]) -> None:
    """Store records as any other shipper would: raw, through the events' pipeline if the index has it."""
    lines = [
        json.dumps({"create": {"_index": index, "_id": f"{ACCOUNT}-{one['eventID']}"}}).encode()
        + b"\n"
        + json.dumps(one).encode()
        + b"\n"
        for one in records
    ]
    assert all(outcome.created for outcome in cluster.bulk(lines))


def detected(
    cluster: Cluster,
    *,
    namespace: str = "t",
    target: str = "",
    run_id: str = "",
    method: Method | None = None,
) -> RunReport:
    """One pass of the detector."""
    return detect_once(
        cluster,
        DetectOptions(namespace=namespace, target=target, method=method),
        run_id=run_id or uuid.uuid4().hex,
        clock=lambda: datetime.now(UTC),
        on_progress=lambda _done, _total: None,
    )


def documents(url: str, pattern: str) -> dict[str, Any]:
    """Every document of the indices of that pattern, by id, asked without osdetect.

    A detector may make an index between any two of these requests: one without a shard that is up is waited for.
    """
    options = "ignore_unavailable=true&allow_no_indices=true"
    ask_when_up(url, "POST", f"/{pattern}/_refresh?{options}")
    asked = f"/{pattern}/_search?size=10000&allow_partial_search_results=false&{options}"
    reply = ask_when_up(url, "GET", asked)
    hits = reply["hits"]["hits"]
    found = {hit["_id"]: hit["_source"] for hit in hits}
    assert len(found) == len(hits) < 10_000
    return found


_BUSY_S = 60.0


def ask_when_up(url: str, method: str, path: str) -> Any:
    """Ask the cluster; where the answer is that shards are missing (503), wait for them, and ask once more."""
    reply = ask(url, method, path, accept=(503,))
    if "error" not in reply:
        return reply
    ask(url, "GET", "/_cluster/health?wait_for_status=yellow&timeout=10s")
    return ask(url, method, path)


def cursors(url: str) -> dict[str, Any]:
    """The stored cursors, by id; other things are in the state index too."""
    return {name: one for name, one in documents(url, "osdetect-state").items() if "cursor" in one}


def ask(url: str, method: str, path: str, body: Any = None, *, accept: tuple[int, ...] = ()) -> Any:
    """Ask the cluster without osdetect; again where it is too busy to begin (429), as a node with a full heap is for a moment."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(
        f"{url}{path}", data=data, method=method, headers={"content-type": "application/json"}
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    ends = time.monotonic() + _BUSY_S
    while True:
        try:
            with opener.open(request, timeout=60) as response:
                return json.load(response)
        except urllib.error.HTTPError as refused:
            with refused:
                if refused.code in accept:
                    return json.load(refused)
                if refused.code != 429 or time.monotonic() > ends:  # HTTP's
                    raise AssertionError(f"{method} {path}: {refused.code} {refused.read()!r}") from refused
        time.sleep(0.5)
