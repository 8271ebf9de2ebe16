"""Several detectors and writers at once: each event gets its one alert."""

import threading
import time
import uuid
from pathlib import Path
from random import Random

from osdetect.cluster import Cluster
from osdetect.detect import RunReport
from tests.faults.material import ask, connect, deployed, detected, documents, put_records, record

INDEX = "osdetect-cloudtrail-t-2024.05"
ALERTS = "osdetect-alerts-t-*"
ANY = "{eventSource: things.amazonaws.com}"


def _sources(url: str) -> list[str]:
    return sorted(alert["osdetect"]["source"]["id"] for alert in documents(url, ALERTS).values())


def test_two_detectors_at_once_double_and_miss_nothing(cluster: Cluster, tmp_path: Path) -> None:
    deployed(cluster, tmp_path, ANY)
    ask(cluster.url, "PUT", f"/{INDEX}", {"settings": {"index.number_of_shards": 3}})
    put_records(cluster, INDEX, [record(number) for number in range(1, 3001)])
    reports: list[RunReport] = []
    failures: list[Exception] = []

    def run() -> None:
        try:
            with connect(cluster.url) as own:
                reports.append(detected(own))
        except Exception as error:  # noqa: BLE001  # told by the assertion below
            failures.append(error)

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert len(reports) == 2
    assert sum(report.counts.alerts_created for report in reports) == 3000
    assert detected(cluster).counts.alerts_created == 0
    assert len(_sources(cluster.url)) == len(set(_sources(cluster.url))) == 3000
    for report in reports:
        assert report.counts.events == report.counts.judged + report.counts.deadlettered


def test_events_written_while_detecting_are_all_judged(cluster: Cluster, tmp_path: Path) -> None:
    deployed(cluster, tmp_path, ANY)
    ask(
        cluster.url, "PUT", f"/{INDEX}", {"settings": {"index.number_of_shards": 2, "refresh_interval": "1s"}}
    )
    ended = time.monotonic() + 5
    written: list[str] = []

    def write(seed: int) -> None:
        rng = Random(seed)
        with connect(cluster.url) as own:
            while time.monotonic() < ended:
                made = [record(uuid.UUID(int=rng.getrandbits(128)).int) for _ in range(rng.randrange(1, 30))]
                put_records(own, INDEX, made)
                written.extend(f"111122223333-{one['eventID']}" for one in made)

    writers = [threading.Thread(target=write, args=(seed,)) for seed in range(4)]
    for writer in writers:
        writer.start()
    passes = created = 0
    while any(writer.is_alive() for writer in writers):
        report = detected(cluster)
        passes += 1
        created += report.counts.alerts_created
        assert report.counts.alerts_there == 0
    for writer in writers:
        writer.join()
    created += detected(cluster).counts.alerts_created
    assert passes > 1
    assert created == len(written)
    ask(cluster.url, "POST", f"/{ALERTS}/_refresh")
    stored = ask(cluster.url, "GET", f"/{ALERTS}/_count")["count"]
    assert stored == len(written) == len(set(written))
    if len(written) < 10_000:
        assert _sources(cluster.url) == sorted(written)
