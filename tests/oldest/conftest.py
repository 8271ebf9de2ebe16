"""The commands in this process."""

from tests.cli.conftest import osdetect

__all__ = ["osdetect"]
