"""Rules made wrong by chance: each is read or refused at its place, what is read compiles, and a real node takes it and lives."""

import random
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import orjson
import pytest
import yaml
from msgspec.structs import replace

from osdetect.cluster import Cluster, Connection
from osdetect.compiler import Compiled, compile_rule
from osdetect.deploy import deploy
from osdetect.errors import RuleError
from osdetect.expr import evaluate
from osdetect.resources import folder
from osdetect.schema.event_fields import EventFields
from osdetect.schema.projection import Projection
from osdetect.sigma import ReadOptions, Rule
from osdetect.sigma.files import read_file
from osdetect.sigma.listing import list_files
from osdetect.source import SourceText
from tests.compiler.mutations import mutated

pytestmark = pytest.mark.node

SECONDS = 2.0
"""Of processor time that one rule may take."""
BATCH = 500
INDEX = "osdetect-cloudtrail-mutated-2024.01"
EVENTS: tuple[dict[str, Any], ...] = (
    {
        "eventName": "CreateUser",
        "eventSource": "iam.amazonaws.com",
        "userIdentity": {"arn": "arn:aws:iam::1:root"},
    },
    {
        "eventName": "x",
        "requestParameters": {"a": [1, None, "😀", {"b": True}]},
        "sourceIPAddress": "10.0.0.1",
    },
    {},
)


class Outcome(msgspec.Struct, frozen=True):
    """What a mutated text came to."""

    text: str
    rules: tuple[tuple[Rule, Compiled], ...]
    refused: tuple[RuleError, ...]
    seconds: float


def _texts(public: Path | None) -> list[str]:
    """Rules to begin with: the project's own, and public ones if they are there. All are one map."""
    own = list(list_files([folder("rules")])[0])
    files = own + (sorted(public.rglob("*.yml"))[::7] if public else [])
    texts = [file.read_text(encoding="utf-8") for file in files]
    return [text for text in texts if _is_one_map(text)]


def _is_one_map(text: str) -> bool:
    documents = list(yaml.safe_load_all(text))
    return len(documents) == 1 and isinstance(documents[0], dict)


def _outcomes(texts: Sequence[str], seed: int, count: int) -> Iterator[Outcome]:
    """Each text read, each rule compiled, under an id of its own; whatever is raised here is a defect."""
    fields = EventFields.shipped()
    for number in range(count):
        text = mutated(texts, random.Random(f"{seed}/{number}"))
        started = time.process_time()
        found = read_file(SourceText("mutated.yml", text), ReadOptions(every_log_source=True))
        rules = [
            replace(rule, id=str(UUID(int=number << 16 | place))) for place, rule in enumerate(found.rules)
        ]
        made = tuple((rule, compile_rule(rule, fields)) for rule in rules)
        yield Outcome(text, made, found.refused, time.process_time() - started)


def _check(outcome: Outcome) -> None:
    assert outcome.seconds < SECONDS, outcome.text
    for refusal in outcome.refused:
        assert refusal.where is not None, outcome.text
        assert refusal.where.file == "mutated.yml"
        assert refusal.where.line > 0, (str(refusal), outcome.text)
        assert refusal.where.column > 0, (str(refusal), outcome.text)


def _ask(cluster: Cluster, pairs: Sequence[tuple[Rule, Compiled]]) -> None:
    """Deploy the rules, percolate events through them, run their searches."""
    compiled = [one for _, one in pairs]
    report = deploy(cluster, compiled, on_progress=lambda *_: None)
    assert report.refused == ()
    projection = Projection.of([one.stored for one in compiled])
    documents = [projection.project(event) for event in EVENTS]
    query = {"percolate": {"field": "query", "documents": documents}}
    body = orjson.dumps({"size": 10_000, "_source": False, "query": query})
    hits = cluster.request("POST", f"/{report.index}/_search", body=body)["hits"]["hits"]
    found = {(slot, hit["_id"]) for hit in hits for slot in hit["fields"]["_percolator_document_slot"]}
    assert found == {
        (slot, rule.id)
        for rule, _ in pairs
        for slot, event in enumerate(EVENTS)
        if evaluate(rule.tree, event)
    }
    searches = b"".join(
        b"{}\n" + orjson.dumps({"size": 0, "query": one.source["search"]}) + b"\n" for one in compiled
    )
    replies = cluster.request("POST", f"/{INDEX}/_msearch", body=searches)["responses"]
    assert [
        (reply, one.source["search"])
        for reply, one in zip(replies, compiled, strict=True)
        if "error" in reply
    ] == []


def _judge(url: str, texts: Sequence[str], seed: int, count: int) -> None:
    read = refused = 0
    with Cluster.connect(Connection(url=url, timeout_s=120)) as cluster:
        started = cluster.request(
            "GET", "/_nodes/_local/jvm", params={"filter_path": "nodes.*.jvm.start_time_in_millis"}
        )
        assert cluster.create_index(INDEX, {})
        pairs: list[tuple[Rule, Compiled]] = []
        for number, outcome in enumerate(_outcomes(texts, seed, count), start=1):
            _check(outcome)
            pairs += outcome.rules
            read, refused = read + len(outcome.rules), refused + len(outcome.refused)
            if number % BATCH == 0 or number == count:
                _ask(cluster, pairs)
                pairs = []
        cluster.request("DELETE", f"/{INDEX}")
        again = cluster.request(
            "GET", "/_nodes/_local/jvm", params={"filter_path": "nodes.*.jvm.start_time_in_millis"}
        )
        assert again == started  # the same process, alive
    assert min(read, refused) > count / 5  # both are common


def test_three_hundred_mutated_rules_are_read_or_refused_and_the_node_lives(fresh_cluster: str) -> None:
    _judge(fresh_cluster, _texts(None), seed=1, count=300)


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_ten_thousand_mutated_rules_are_read_or_refused_and_the_node_lives(
    fresh_cluster: str, shared: Path
) -> None:
    _judge(fresh_cluster, _texts(shared / "data/rules"), seed=2, count=10_000)
