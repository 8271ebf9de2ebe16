"""`osdetect node`: the embedded OpenSearch node."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from osdetect import node
from osdetect.cli.options import Output
from osdetect.cli.output import OutputFormat, err, print_json, print_table, say, write_line
from osdetect.vocabulary import ExitCode

app = typer.Typer(
    help="An OpenSearch node on this machine, for trying out, tests and small work.", no_args_is_help=True
)

Name = Annotated[str, typer.Option("--name", help="Which node: each name has its own data.")]

_STAGES = {
    node.Stage.FETCH: "Fetching OpenSearch",
    node.Stage.ASSEMBLE: "Putting it together",
    node.Stage.START: "Starting OpenSearch",
    node.Stage.SECURE: "Making users and roles",
}


@contextmanager
def node_progress() -> Iterator[node.OnProgress]:
    """Bars for the stages of a start."""
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as bars:
        tasks: dict[node.Stage, Any] = {}

        def tell(progress: node.Progress) -> None:
            if progress.stage is node.Stage.NOTE:
                say(f"note: {progress.text}")
                return
            if progress.stage not in tasks:
                tasks[progress.stage] = bars.add_task(_STAGES[progress.stage])
            bars.update(tasks[progress.stage], completed=progress.done, total=progress.total or None)

        yield tell


@app.command()
def up(
    name: Name = "default",
    port: Annotated[
        int | None, typer.Option(help="HTTP port; default: 9200, or a free one.", metavar="PORT")
    ] = None,
    ephemeral: Annotated[
        bool, typer.Option("--ephemeral", help="Start empty; delete all data when it stops.")
    ] = False,
    secured: Annotated[
        bool, typer.Option("--secured", help="With TLS, users and roles (for tests).")
    ] = False,
    heap_mb: Annotated[int | None, typer.Option("--heap-mb", help="Java heap in MB.", metavar="MB")] = None,
    output: Output = OutputFormat.TABLE,
) -> None:
    """Start the node, or find it running. The first start fetches about 110 MB.

    Examples: `osdetect node up` · `osdetect node up --ephemeral --name try`
    """
    heap = node.NodeOptions().heap_mb if heap_mb is None else heap_mb
    options = node.NodeOptions(name=name, port=port, ephemeral=ephemeral, secured=secured, heap_mb=heap)
    with node_progress() as tell:
        running = node.start(options, on_progress=tell)
    if output is OutputFormat.JSON:
        print_json(_json(running))
        return
    state = (
        "was running already" if running.already_running else f"is up after {running.seconds_to_ready:.1f} s"
    )
    write_line(f"OpenSearch {running.version} ({running.name}) {state}: {running.url}")
    write_line(f"data: {'deleted when it stops' if running.ephemeral else running.data_dir}")
    if running.credentials:
        write_line(f"certificate authority: {running.credentials.ca_file}")
        write_line(f"passwords: {running.credentials.password_file}")
    write_line(f"stop it: osdetect node down{'' if name == 'default' else f' --name {name}'}")


@app.command()
def status(name: Name = "default", output: Output = OutputFormat.TABLE) -> int:
    """Say whether the node runs and answers. Exit code 6 when it does not.

    Example: `osdetect node status --output json`
    """
    found = node.status(name)
    if output is OutputFormat.JSON:
        extra = (
            {"answering": found.answering, "health": found.health, "memory_bytes": found.memory_bytes}
            if found
            else {}
        )
        print_json({"running": found is not None, **(_json(found.node) if found else {}), **extra})
    elif found is None:
        write_line(f"the node {name} does not run; start it: osdetect node up")
    else:
        rows = [
            ("url", found.node.url),
            ("answers", f"yes, health {found.health}" if found.answering else "no"),
            ("version", found.node.version),
            ("process", str(found.node.pid)),
            ("memory", f"{found.memory_bytes >> 20} MiB"),
            ("data", str(found.node.data_dir)),
            ("log", str(found.node.log_file)),
        ]
        print_table(f"node {name}", ("", ""), rows)
    return ExitCode.OK if found and found.answering else ExitCode.NODE


@app.command()
def logs(
    name: Name = "default",
    lines: Annotated[int, typer.Option("--lines", "-l", min=1, help="How many of the last lines.")] = 50,
) -> None:
    """Print the end of the node's log.

    Example: `osdetect node logs --lines 200`
    """
    for line in node.logs(lines, name):
        write_line(line)


@app.command()
def down(name: Name = "default", output: Output = OutputFormat.TABLE) -> None:
    """Stop the node. Its data stays, unless it is ephemeral.

    Example: `osdetect node down --name try`
    """
    stopped = node.stop(name)
    if output is OutputFormat.JSON:
        print_json({"stopped": stopped is not None, "name": name})
    elif stopped is None:
        write_line(f"the node {name} was not running")
    else:
        kept = "its data is deleted" if stopped.ephemeral else f"its data stays in {stopped.data_dir}"
        write_line(f"stopped the node {name}; {kept}")


def _json(running: node.RunningNode) -> dict[str, object]:
    known = running.credentials
    return {
        "name": running.name,
        "url": running.url,
        "pid": running.pid,
        "version": running.version,
        "ephemeral": running.ephemeral,
        "data_dir": str(running.data_dir),
        "log_file": str(running.log_file),
        "seconds_to_ready": running.seconds_to_ready,
        "already_running": running.already_running,
        **({"ca_file": str(known.ca_file), "password_file": str(known.password_file)} if known else {}),
    }
