"""`osdetect doctor`: whether a cluster is fit for detection."""

import platform
from datetime import UTC, datetime
from typing import Annotated

import typer

from osdetect import __version__
from osdetect.cli.connect import connect
from osdetect.cli.options import NAMESPACE, CaCerts, Insecure, Namespace, Output, Url
from osdetect.cli.output import OutputFormat, print_json, print_table
from osdetect.cluster import Cluster
from osdetect.deploy.mappings import shipped, standing
from osdetect.documents.event import check_namespace
from osdetect.errors import UsageError
from osdetect.schema.roles import shipped_roles
from osdetect.status.doctor import Finding, Installed, Patient, Verdict, examine
from osdetect.vocabulary import ExitCode


def doctor(
    namespace: Namespace = NAMESPACE,
    role: Annotated[
        str, typer.Option("--role", help="Which of our roles this user is to have.", metavar="ROLE")
    ] = "detector",
    url: Url = None,
    ca_certs: CaCerts = None,
    insecure: Insecure = False,
    output: Output = OutputFormat.TABLE,
) -> int:
    """Check versions, rights, templates, clocks, shards, disks and limits; each finding has its cure. Nothing is changed.

    Examples: `osdetect doctor` · `osdetect doctor --role notifier --output json`
    """
    check_namespace(namespace)
    if role not in (known := [one.word for one in shipped_roles()]):
        raise UsageError(f"there is no role {role!r}", cure=f"ours are {', '.join(known)}")
    with connect(url, ca_certs=ca_certs, insecure=insecure) as cluster:
        own = f"osdetect {__version__}, Python {platform.python_version()}"
        patient = Patient(cluster, namespace, lambda: _installed(cluster), lambda: datetime.now(UTC), role)
        findings = (Finding("osdetect", Verdict.OK, own), *examine(patient))
    if output is OutputFormat.JSON:
        print_json({"findings": [one.to_json() for one in findings]})
    else:
        header = ("check", "verdict", "what", "cure")
        print_table("", header, [(one.check, one.verdict.value, one.said, one.cure) for one in findings])
    return ExitCode.LOSS if any(one.verdict is Verdict.FAIL for one in findings) else ExitCode.OK


def _installed(cluster: Cluster) -> tuple[Installed, ...]:
    return tuple(
        Installed(resource.name, resource.path, there.owner, not there.differs)
        for resource in shipped()
        for there in (standing(cluster, resource),)
    )
