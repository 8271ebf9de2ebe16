"""What the tests of scanning scan, and by which rules."""

import gzip
import io
import json
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from osdetect.compiler.ruleset import compile_files
from osdetect.scan import Found, ScanOptions, ScanRule, Workers, find_files, scan
from osdetect.schema.event_fields import EventFields

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ACCOUNT = "111122223333"
RULES = """
title: Trail Removed
id: 7f5d1a52-6a6c-4c1e-9a55-0d7b7f6e0a01
level: high
author: somebody
logsource: {product: aws, service: cloudtrail}
detection:
  s: {eventSource: cloudtrail.amazonaws.com, eventName: DeleteTrail}
  condition: s
---
title: Anything Of A Trail
id: 7f5d1a52-6a6c-4c1e-9a55-0d7b7f6e0a02
level: low
logsource: {product: aws, service: cloudtrail}
detection:
  s: {eventName|endswith: Trail}
  f: {userAgent|contains: robot}
  condition: s and not f
"""
TRAIL_REMOVED, ANY_TRAIL = (f"7f5d1a52-6a6c-4c1e-9a55-0d7b7f6e0a0{number}" for number in (1, 2))


def record(number: int, **more: Any) -> dict[str, Any]:
    """A record that both rules match."""
    return {
        "eventVersion": "1.11",
        "userIdentity": {"type": "IAMUser", "accountId": ACCOUNT, "userName": "ada"},
        "eventTime": f"2024-05-01T{number // 3600 % 24:02}:{number // 60 % 60:02}:{number % 60:02}Z",
        "eventSource": "cloudtrail.amazonaws.com",
        "eventName": "DeleteTrail",
        "sourceIPAddress": "192.0.2.1",
        "eventID": f"00000000-0000-0000-0000-{number:012}",
        "recipientAccountId": ACCOUNT,
        **more,
    }


def quiet(number: int) -> dict[str, Any]:
    """A record that no rule matches."""
    return record(number, eventSource="s3.amazonaws.com", eventName="ListBuckets")


def delivery(records: Iterable[object]) -> bytes:
    return json.dumps({"Records": list(records)}).encode()


def put(path: Path, data: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def put_records(path: Path, records: Iterable[object]) -> Path:
    """A delivery, gzip if its name says so."""
    text = delivery(records)
    return put(path, gzip.compress(text) if path.suffix == ".gz" else text)


def rules() -> list[ScanRule]:
    """The two rules, compiled."""
    with tempfile.TemporaryDirectory() as folder:
        put(Path(folder) / "rules.yml", RULES.encode())
        done = compile_files([Path(folder)], fields=EventFields.shipped())
    assert not done.read.refused
    return [ScanRule.of(rule.id, rule.document) for rule in done.rules]


@contextmanager
def scanning(
    *paths: Path,
    jobs: int = 2,
    options: ScanOptions | None = None,
    stop: Callable[[Workers], bool] = lambda _: False,
    standard_input: bytes = b"",
) -> Iterator[Found]:
    """What a scan found, while it can be asked."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        files = find_files(paths, folder, io.BytesIO(standard_input))
        with Workers(jobs) as workers:
            yield scan(
                files,
                rules(),
                options or ScanOptions(documents=True),
                workers=workers,
                folder=folder,
                run_id="run",
                now=NOW,
                stop=lambda: stop(workers),
            )


def alerts(found: Found) -> list[dict[str, Any]]:
    return [orjson.loads(alert) for alert in found.documents()]


def placed(alert: dict[str, Any]) -> tuple[str, int, str]:
    """File name, record and rule of an alert."""
    source = alert["osdetect"]["source"]
    return Path(source["file"]).name, source["record"], alert["rule"]["id"]
