"""The detection loop: new events of each shard, percolated, checked exactly, stored as alerts.

It reads only OpenSearch: what runs is what was deployed. Rule files and the compiler are not imported here.

    release.py     the deployed rules
    methods.py     the candidates (event, rule) of a range, batch by batch, in the way that is expected to be cheapest:
    in_process.py    by the engine in this process
    percolate.py     by percolate requests
    by_search.py     by the rules' search queries over a window of events
    costs.py       what each way is expected to take, learned from what it took
    judge.py       candidates to verdicts, by the exact evaluation
    storing.py     alerts on their way into the cluster
    groups.py      the alerts of groups say what their stored matches say
    interrupted.py  also those whose events are gone since a worker died
    losses.py      what could not be judged or stored, as dead letters
    flood.py       rules that match very much, put off
    watched.py     the shards of the target, and those that cannot be read now
    turns.py       in which order a worker does them
    lanes.py       the order of it all: what is new, then what was put off; judge, store, then move the cursor
    run.py         a detector: passes, and what they report
    run_document.py  what a run did, kept
    schedule.py    when passes are made
    stored_alerts.py  read alerts back
    hunt.py        the alerts that rules would have made of a span of time, without storing them
"""

from osdetect.detect.costs import Method
from osdetect.detect.options import DetectOptions
from osdetect.detect.report import RunReport
from osdetect.detect.run import Detector, detect_once
from osdetect.detect.stored_alerts import StoredAlert, stored_alerts

__all__ = ["DetectOptions", "Detector", "Method", "RunReport", "StoredAlert", "detect_once", "stored_alerts"]
