"""Every public rule is compiled, or refused for a reason that docs/public-rules.md accepts; a real node takes each query."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest

from osdetect.cluster import Cluster, Connection
from osdetect.compiler import Compiled
from osdetect.deploy import deploy
from osdetect.sigma import ReadOptions
from tests.oracle.public_rules import (
    TOGETHER,
    Files,
    as_markdown,
    compiled,
    read,
    reason,
    reasons_as_markdown,
    table,
    together,
)

HERE = Path(__file__).parent
KEPT: dict[str, dict[str, dict[str, Any]]] = json.loads((HERE / "rules.json").read_bytes())
DOCUMENT = (HERE.parents[1] / "docs" / "public-rules.md").read_text(encoding="utf-8")
CLOUDTRAIL, EVERY = "cloudtrail", "every log source"


@pytest.fixture(scope="module")
def folder(shared: Path) -> Path:
    """The public rules."""
    return shared / "data/rules"


@pytest.fixture(scope="module")
def files(folder: Path) -> Files:
    """What each file holds, whatever it is for."""
    return read(folder, ReadOptions(every_log_source=True))


@pytest.fixture(scope="module")
def made(files: Files) -> dict[str, Compiled]:
    """Every rule, compiled."""
    return compiled(files)


def test_of_the_rules_for_cloudtrail_as_many_are_compiled_as_the_table_says(folder: Path) -> None:
    found = read(folder, ReadOptions())
    assert table(found, compiled(found)) == KEPT[CLOUDTRAIL]


def test_of_the_rules_for_every_log_source_as_many_are_compiled_as_the_table_says(
    files: Files, made: Mapping[str, Compiled]
) -> None:
    assert table(files, made) == KEPT[EVERY]


def test_what_is_refused_is_refused_at_a_place(files: Files) -> None:
    refused = together(files).refused
    assert len(refused) == sum(KEPT[EVERY][TOGETHER]["refused"].values())
    for refusal in refused:
        assert refusal.where is not None
        assert refusal.where.line > 0, refusal
        assert refusal.where.column > 0, refusal


def test_none_of_sigmahqs_rules_is_refused_and_none_is_judged_on_every_event() -> None:
    for rows in KEPT.values():
        assert rows["sigmahq/rules"]["refused"] == {}
        assert {row["every_event"] for row in rows.values()} == {0}
    assert KEPT[EVERY]["sigmahq/rules"]["rules"] == KEPT[EVERY]["sigmahq/rules"]["files"]


def test_the_document_has_the_tables() -> None:
    for rows in KEPT.values():
        assert as_markdown(rows) in DOCUMENT
    assert reasons_as_markdown(KEPT) in DOCUMENT


def test_the_document_says_why_each_reason_is_accepted() -> None:
    said = dict(re.findall(r"^\*\*([^*]+)\*\*: (.+?)(?:\n\n|\Z)", DOCUMENT, re.MULTILINE | re.DOTALL))
    reasons = {why for rows in KEPT.values() for row in rows.values() for why in row["refused"]}
    assert set(said) == reasons
    assert all(len(words.split()) > 12 and words.startswith("accepted") for words in said.values())


def test_a_reason_is_told_without_the_names_that_differ(files: Files) -> None:
    assert {reason(one) for one in together(files).refused} == set(KEPT[EVERY][TOGETHER]["refused"])


@pytest.mark.node
def test_a_node_takes_every_query(fresh_cluster: str, made: Mapping[str, Compiled]) -> None:
    index = "osdetect-cloudtrail-public-2024.01"
    one_of_each = list({one.stored.id: one for one in made.values()}.values())
    assert len(one_of_each) >= KEPT[EVERY][TOGETHER]["rules"]
    with Cluster.connect(Connection(url=fresh_cluster, timeout_s=120)) as cluster:
        report = deploy(cluster, one_of_each, on_progress=lambda *_: None)
        assert [one.reason for one in report.refused] == []
        assert report.rules == len(one_of_each)
        assert cluster.create_index(index, {})  # as the templates make it
        params = {"filter_path": "responses.error,responses.status"}
        for start in range(0, len(one_of_each), 500):
            batch = one_of_each[start : start + 500]
            body = b"".join(
                b"{}\n" + orjson.dumps({"size": 0, "query": one.source["search"]}) + b"\n" for one in batch
            )
            replies = cluster.request("POST", f"/{index}/_msearch", params=params, body=body)["responses"]
            refused = [reply for reply in replies if reply["status"] != 200]
            assert (len(replies), refused) == (len(batch), [])
