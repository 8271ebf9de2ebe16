"""The detection loop: new events of each shard, percolated, checked exactly, stored as alerts.

It reads only OpenSearch: what runs is what was deployed. Rule files and the compiler are not imported here.

    release.py     the deployed rules
    percolate.py   a batch of events to its candidates (rule, event), by one request
    judge.py       candidates to alerts, by the exact evaluation
    losses.py      what could not be judged or stored, as dead letters
    cursors.py     how far each shard is judged
    stored_alerts.py  read alerts back
    run.py         the order of it all: judge, store alerts, then move the cursor
"""

from osdetect.detect.report import RunReport
from osdetect.detect.run import DetectOptions, detect_once
from osdetect.detect.stored_alerts import StoredAlert, stored_alerts

__all__ = ["DetectOptions", "RunReport", "StoredAlert", "detect_once", "stored_alerts"]
