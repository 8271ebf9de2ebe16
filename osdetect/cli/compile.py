"""`osdetect compile`: rules to what OpenSearch is given, on standard output; no cluster is needed."""

from collections.abc import Callable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from osdetect.cli.output import print_error, print_json, print_refusals, progress_bar, write_bytes
from osdetect.cli.reading import Pipelines, Placeholders, read
from osdetect.compiler import Compiled, compile_rule
from osdetect.errors import InputError
from osdetect.expr import render, to_json
from osdetect.schema.event_fields import EventFields
from osdetect.sigma.gather import to_deploy
from osdetect.vocabulary import RULES_ALIAS, ExitCode

Rules = Annotated[
    list[Path] | None,
    typer.Argument(
        help="Sigma rule files and folders, for any log source; default: the rules that come with osdetect.",
        metavar="RULES",
    ),
]


class Form(StrEnum):
    """What is written of each rule."""

    DSL = "dsl"
    """The search query for stored events."""
    PERCOLATOR = "percolator"
    """The document that is deployed."""
    NDJSON = "ndjson"
    """Those documents as the body of a bulk request."""
    TREE = "tree"
    """The rule as osdetect understands it."""


def compile_(
    rules: Rules = None,
    form: Annotated[Form, typer.Option("--format", "-f", help="What to write of each rule.")] = Form.DSL,
    pipeline: Pipelines = None,
    placeholders: Placeholders = None,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="List every refusal and warning, not only the first.")
    ] = False,
) -> int:
    """Compile rules and print what OpenSearch is given for them, as JSON.

    `dsl` is the query for events that are stored: it may find too much and never too little. `percolator` is the
    document that `osdetect deploy` stores, whose query is exact; `ndjson` is a bulk request of these; `tree` the rule's
    meaning. Rules that cannot be compiled are told on standard error and set exit code 1.

    Examples: `osdetect compile rule.yml` · `osdetect compile rules/ -f ndjson > rules.ndjson`
    """
    with progress_bar("Reading rules") as tell:
        rule_set = read(rules, placeholders=placeholders, pipelines=pipeline, on_progress=tell)
    if form in (Form.PERCOLATOR, Form.NDJSON):
        rule_set = to_deploy(rule_set, pipeline or ())
    if not rule_set.rules and not rule_set.refused:
        raise InputError("there is no rule in these files", cure="name files that hold Sigma rules")
    fields = EventFields.shipped()
    compiled = [compile_rule(rule, fields) for rule in rule_set.rules]
    if form is Form.NDJSON:
        write_bytes(b"".join(_bulk(one) for one in compiled))
    else:
        print_json([_PRINTED[form](one) for one in compiled])
    print_refusals(rule_set.refused, all_of_them=verbose)
    for warning in rule_set.warnings if verbose else ():
        print_error(warning, word="warning")
    return ExitCode.LOSS if rule_set.refused else ExitCode.OK


def _head(one: Compiled) -> dict[str, Any]:
    return {"id": one.stored.id, "title": one.stored.words["rule"]["name"]}


def _dsl(one: Compiled) -> dict[str, Any]:
    return {**_head(one), "query": one.source["search"]}


def _percolator(one: Compiled) -> dict[str, Any]:
    return {"_id": one.stored.id, "_source": one.source}


def _tree(one: Compiled) -> dict[str, Any]:
    return {**_head(one), "text": render(one.stored.tree), "tree": to_json(one.stored.tree)}


def _bulk(one: Compiled) -> bytes:
    action = {"index": {"_index": RULES_ALIAS, "_id": one.stored.id}}
    return orjson.dumps(action) + b"\n" + orjson.dumps(one.source) + b"\n"


_PRINTED: Mapping[Form, Callable[[Compiled], dict[str, Any]]] = {
    Form.DSL: _dsl,
    Form.PERCOLATOR: _percolator,
    Form.TREE: _tree,
}
