"""What people do with alerts: find them, read them, say what they are. Nobody's change is lost by another's.

selection.py   which alerts are meant: conditions, as a query
reading.py     alerts as stored, found by selection or by id
changes.py     what each change makes of an alert, and when it no longer makes sense; pure
update.py      changes written by compare-and-set, many at a time
links.py       where OpenSearch Dashboards shows an event
"""

from osdetect.alerts.changes import Change, Status, Verb, Verdict
from osdetect.alerts.links import dashboards_link
from osdetect.alerts.reading import SHORTEST_PREFIX, FoundAlert, Snapshot, event_of, found_by_id
from osdetect.alerts.selection import Selection
from osdetect.alerts.update import Outcome, Result, apply

__all__ = [
    "SHORTEST_PREFIX",
    "Change",
    "FoundAlert",
    "Outcome",
    "Result",
    "Selection",
    "Snapshot",
    "Status",
    "Verb",
    "Verdict",
    "apply",
    "dashboards_link",
    "event_of",
    "found_by_id",
]
