"""osdetect as a backend of pySigma: `sigma convert -t osdetect` gives the queries that `osdetect compile` gives."""

from osdetect.convert.backend import OsdetectBackend

__all__ = ["OsdetectBackend"]
