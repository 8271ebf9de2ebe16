"""Dashboards for OpenSearch Dashboards: built from one description, checked, imported, and read back."""

from osdetect.dashboards.door import Dashboards
from osdetect.dashboards.install import Installed, install

__all__ = ["Dashboards", "Installed", "install"]
