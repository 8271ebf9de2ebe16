"""Which dialect the rules are deployed for: from the options --pipeline and --target."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Annotated

import msgspec
import typer

from osdetect.cluster import Cluster
from osdetect.deploy.target import fields_of
from osdetect.documents.dialect import FACTS, RAW, Dialect, telling_paths
from osdetect.errors import UsageError
from osdetect.schema.dialects import detect_dialect
from osdetect.sigma.options import Pipeline

AUTO = "auto"

Pipelines = Annotated[
    list[str] | None,
    typer.Option(
        "--pipeline",
        help="The events' dialect: a processing pipeline's name or file; `auto` asks the --target. Can be repeated.",
        metavar="NAME|FILE",
    ),
]
AutoTarget = Annotated[
    str,
    typer.Option(
        "--target", help="With `--pipeline auto`: the index or pattern whose fields tell the dialect."
    ),
]


class Chosen(msgspec.Struct, frozen=True):
    """What rules are deployed for."""

    pipeline: Pipeline | None = None
    """What puts rules into the events' names; None for raw records."""
    dialect: Dialect = RAW
    """Where the events hold what their records said."""


def chosen_dialect(
    named: Sequence[str], target: str, connected: Callable[[], AbstractContextManager[Cluster]]
) -> Chosen:
    """The pipelines that were asked for, `auto` replaced by the dialect of the target.

    Args:
        named: names and files, as given; none means raw records.
        target: the index or pattern that `auto` is about.
        connected: connects to the cluster; only `auto` needs it.

    Raises:
        UsageError: there is no such pipeline, or the target's dialect cannot be told.
    """
    if bool(target) != (AUTO in named):
        raise UsageError(
            f"--target and --pipeline {AUTO} go together",
            cause="the target's fields are what tells the dialect",
            cure=f"give both: --pipeline {AUTO} --target PATTERN",
        )
    if not named:
        return Chosen()
    if AUTO not in named:
        return _loaded(named)
    with connected() as cluster:
        found = told_by(cluster, target)
    return _loaded([found if name == AUTO else name for name in named])


def told_by(cluster: Cluster, target: str) -> str:
    """The name of the shipped pipeline for the events of the target.

    Raises:
        UsageError: its fields fit no dialect, or several.
    """
    from osdetect.sigma.pipelines import shipped_pipelines  # noqa: PLC0415  # as in _loaded

    known = [_loaded([name]).dialect for name in shipped_pipelines()]
    return detect_dialect(fields_of(cluster, target), telling_paths(known), target=target)


def _loaded(names: Sequence[str]) -> Chosen:
    from osdetect.sigma.pipelines import load_pipelines  # noqa: PLC0415  # pySigma takes half a second to import

    pipeline = load_pipelines(names)
    dialect = Dialect(", ".join(pipeline.names), pipeline.paths(FACTS), pipeline.json_text)
    return Chosen(pipeline, dialect)
