"""Loading 100,000 records from 500 gzip files: `osdetect load` against opensearch-py's `streaming_bulk`.

    python benchmarks/load.py [--records N] [--files N] [--profile throughput|fast-start] [--url URL]

Both read the same files and write to the same node, one after the other, osdetect first. Before that both load a fifth
of the files, uncounted, so that neither pays for the warming up of Java. `streaming_bulk` is used as its documentation
shows it: one dictionary a record, chunks of 500, the mapping left to OpenSearch.

The records are the real ones of `OSDETECT_SHARED` (every known source, each with a new id and time) if it is there: the
shapes of real records are what a dynamic mapping has to cope with. Else they are `osdetect.scenario`'s, whose few shapes
are kind to it.

Exit status 1 when the target is missed: at least 5 times as fast, and no record rejected.
"""

import argparse
import gzip
import json
import os
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import cycle, islice
from pathlib import Path
from random import Random

import msgspec
import opensearchpy  # it is what osdetect is compared with
import opensearchpy.helpers

from osdetect.cluster import Cluster, Connection
from osdetect.deploy.mappings import install
from osdetect.load import LoadOptions, load
from osdetect.node import NodeOptions, Profile, start, stop
from osdetect.scenario import iter_records

TARGET = 5.0
NODE = "benchmark-load"
BASELINE_INDEX = "benchmark-dynamic"
NAMESPACE = "benchmark"
SHARED = Path(os.environ.get("OSDETECT_SHARED") or Path(__file__).resolve().parents[2] / "shared")


class Measured(msgspec.Struct, frozen=True):
    """One side's figures."""

    name: str
    seconds: float
    stored: int
    rejected: int

    @property
    def rate(self) -> float:
        """Events stored in a second."""
        return self.stored / self.seconds

    def __str__(self) -> str:
        return (
            f"{self.name:<34}{self.rate:>9,.0f} events/s {self.seconds:>8.2f} s {self.rejected:>7,} rejected"
        )


def real_records(corpus: Path) -> Iterator[dict[str, object]]:
    """The real records over and over, each with an id and a time of its own, without end."""
    with gzip.open(corpus, "rt", encoding="utf-8") as lines:
        real = [json.loads(line)["event"] for line in lines]
    rng = Random(1)
    for record in cycle(record for record in real if {"eventID", "eventTime"} <= record.keys()):
        moment = datetime(2026, 3, 1, tzinfo=UTC) + timedelta(seconds=rng.randrange(30 * 86_400))
        event_id = str(uuid.UUID(int=rng.getrandbits(128)))
        yield {**record, "eventID": event_id, "eventTime": moment.strftime("%Y-%m-%dT%H:%M:%SZ")}


def write_files(folder: Path, records: int, files: int) -> str:
    """`records` in `files` gzip files, as CloudTrail delivers them; says what they are."""
    corpus = SHARED / "data" / "oracle" / "corpus.ndjson.gz"
    stream: Iterator[object] = iter_records(seed=1, background_count=records, story=False)
    if corpus.is_file():
        stream = real_records(corpus)
    for number in range(files):
        share = records * (number + 1) // files - records * number // files
        text = json.dumps({"Records": list(islice(stream, share))}, separators=(",", ":")).encode()
        (folder / f"{number:05}.json.gz").write_bytes(gzip.compress(text, 6))
    return "real records, varied" if corpus.is_file() else "made-up records"


def records_of(files: Sequence[Path]) -> Iterator[dict[str, object]]:
    """What a reader without osdetect does: unpack, parse, take the list."""
    for file in files:
        yield from json.loads(gzip.decompress(file.read_bytes()))["Records"]


def with_osdetect(url: str, files: Sequence[Path]) -> Measured:
    """Our side."""
    cluster = Cluster.connect(Connection(url=url))
    install(cluster)
    began = time.perf_counter()
    report = load(cluster, files, LoadOptions(namespace=NAMESPACE), now=datetime.now(UTC))
    stored = report.created + report.reused_ids
    return Measured("osdetect load", time.perf_counter() - began, stored, report.dead_letters)


def with_streaming_bulk(url: str, files: Sequence[Path]) -> Measured:
    """The other side."""
    client = opensearchpy.OpenSearch([url], timeout=120)
    began = time.perf_counter()
    actions = ({"_index": BASELINE_INDEX, "_source": record} for record in records_of(files))
    outcomes = [
        ok
        for ok, _ in opensearchpy.helpers.streaming_bulk(
            client, actions, raise_on_error=False, raise_on_exception=False
        )
    ]
    seconds = time.perf_counter() - began
    return Measured("streaming_bulk, dynamic mapping", seconds, sum(outcomes), len(outcomes) - sum(outcomes))


def clean(url: str) -> None:
    """Take away what an earlier run left."""
    client = opensearchpy.OpenSearch([url])
    for pattern in (BASELINE_INDEX, f"osdetect-*-{NAMESPACE}*"):
        for index in client.indices.get(index=pattern, params={"ignore_unavailable": "true"}):
            client.indices.delete(index=index)
    found = {"query": {"term": {"namespace": NAMESPACE}}}
    client.delete_by_query(
        index="osdetect-state", body=found, params={"ignore_unavailable": "true", "refresh": "true"}
    )
    client.close()


def main() -> int:
    """Measure both sides and judge."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--files", type=int, default=500)
    parser.add_argument("--profile", type=Profile, choices=list(Profile), default=Profile.THROUGHPUT)
    parser.add_argument("--url", help="a cluster to use instead of an embedded node")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        print(f"{given.records:,} {write_files(Path(made), given.records, given.files)}, {given.files} files")
        files = sorted(Path(made).glob("*.json.gz"))
        url = (
            given.url
            or start(NodeOptions(name=NODE, ephemeral=True, profile=given.profile, heap_mb=1024)).url
        )
        try:
            for some in (files[::5], files):  # the first round warms up
                clean(url)
                ours, theirs = with_osdetect(url, some), with_streaming_bulk(url, some)
            clean(url)
        finally:
            if given.url is None:
                stop(NODE)
    ratio = ours.rate / theirs.rate
    print(ours, theirs, f"ratio {ratio:.1f} (target {TARGET})", sep="\n")
    return 0 if ratio >= TARGET and ours.rejected == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
