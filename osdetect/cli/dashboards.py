"""`osdetect deploy --dashboards URL`: what is said on the command line, and what is told of it."""

from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from osdetect import dashboards, settings
from osdetect.cli.output import error_json, print_error, say, write_line
from osdetect.cluster import Connection
from osdetect.errors import OsdetectError
from osdetect.vocabulary import ExitCode

_EVERYBODY = "global"

DashboardsUrl = Annotated[
    str | None,
    typer.Option(
        "--dashboards",
        help="Import the dashboards into the OpenSearch Dashboards there, with the cluster's credentials.",
        metavar="URL",
    ),
]


class Imported(msgspec.Struct, frozen=True):
    """What came of the import; the rules are deployed either way."""

    url: str = ""
    done: dashboards.Installed | None = None
    failed: OsdetectError | None = None

    @property
    def status(self) -> ExitCode:
        """The exit code that it asks for."""
        return self.failed.exit_code if self.failed else ExitCode.OK

    def to_json(self) -> dict[str, Any]:
        """For machines: nothing if there was nothing to import."""
        if self.failed:
            return {"dashboards": {"url": self.url, "error": error_json(self.failed)}}
        if self.done is None:
            return {}
        return {
            "dashboards": {
                "url": self.url,
                "objects": self.done.objects,
                "default_index": self.done.default_index,
                "default_index_chosen": self.done.chosen,
            }
        }

    def tell(self) -> None:
        """For people."""
        if self.failed:
            print_error(self.failed)
        if self.done is not None:
            kept = ": somebody chose it, it is left alone" if self.done.chosen else ""
            write_line(f"dashboards: {self.done.objects} saved objects imported and read back at {self.url}")
            write_line(f"dashboards: the default index pattern is {self.done.default_index}{kept}")


def dashboards_at(url: str | None, *, ca_certs: Path | None, insecure: bool) -> dashboards.Dashboards | None:
    """OpenSearch Dashboards at `url`, if one is given.

    Raises:
        UsageError: the URL or another setting cannot be used.
    """
    if not url:
        return None
    connection = Connection.from_settings(url=url, ca_certs=ca_certs, verify_tls=not insecure)
    for note in connection.notes:
        say(f"warning: {note}")
    return dashboards.Dashboards(
        connection, tenant=settings.text("dashboards_tenant") or _EVERYBODY, on_wait=say
    )


def import_into(found: dashboards.Dashboards | None) -> Imported:
    """Import the dashboards; a failure is told and sets the exit code, but undoes nothing."""
    if found is None:
        return Imported()
    say(f"importing the dashboards into {found.url}")
    try:
        return Imported(found.url, done=dashboards.install(found))
    except OsdetectError as error:
        return Imported(found.url, failed=error)
