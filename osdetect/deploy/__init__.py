"""Bring rules, templates and pipelines into a cluster: `deploy`."""

from osdetect.deploy.limit import Limit
from osdetect.deploy.release import DeployReport, Refused, deploy, refusals

__all__ = ["DeployReport", "Limit", "Refused", "deploy", "refusals"]
