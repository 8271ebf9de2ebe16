"""Stands as `sigma/backends/osdetect/__init__.py` in an installation: where pySigma looks for backends."""

from osdetect.convert import OsdetectBackend

__all__ = ["OsdetectBackend"]

backends = {"osdetect": OsdetectBackend}
