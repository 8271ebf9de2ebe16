"""`osdetect load`: CloudTrail files into events, each record once, nothing lost without a name and a count.

load()       the whole command, without its printing
ready        is this cluster set up for events, and how is this namespace partitioned
ledger       which files are loaded already
batch        records gathered into bulk requests
deliver      one batch sent, and what became of each record of it
deadletter   the document for what cannot be an event
report       what happened
"""

from osdetect.load.options import LoadOptions
from osdetect.load.report import FileNote, LoadReport, RecordNote
from osdetect.load.run import load

__all__ = ["FileNote", "LoadOptions", "LoadReport", "RecordNote", "load"]
