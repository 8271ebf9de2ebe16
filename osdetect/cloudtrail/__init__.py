"""CloudTrail files on disk: finding them, opening them, and taking their records out as raw bytes.

The layout read is AWS's own delivery: a JSON object `{"Records": [...]}` in a `.json.gz` or `.json` file, in any
folder structure (AWS docs, "Finding your CloudTrail log files" and "CloudTrail log file examples"), and the same records
without that frame (`bare`). `windows` reads a file of any size a few MiB at a time.

    iter_files(paths)      which files there are, in a stable order; what is left out and why
    read_file(path)        one file, opened within limits: a `Delivery` of records, or a `Digest`
    Delivery.records()     each record's bytes, content and position; a record that cannot be read keeps its bytes

Nothing here knows OpenSearch. Every file is hostile: sizes, nesting, text encoding and JSON are checked, not assumed.
"""

from osdetect.cloudtrail.discover import FoundFile, LeftOut, iter_files
from osdetect.cloudtrail.reader import Delivery, Digest, Limits, fingerprint, read_file
from osdetect.cloudtrail.record import BadRecord, RawRecord

__all__ = [
    "BadRecord",
    "Delivery",
    "Digest",
    "FoundFile",
    "LeftOut",
    "Limits",
    "RawRecord",
    "fingerprint",
    "iter_files",
    "read_file",
]
