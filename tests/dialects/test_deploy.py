"""`osdetect deploy --pipeline`: what it says, what it refuses, and that `detect` then reads such events."""

import json
from pathlib import Path
from typing import Any

import pytest

from osdetect.cluster import Cluster
from osdetect.detect.release import live_release
from osdetect.documents.dialect import RAW
from osdetect.vocabulary import ExitCode
from tests.cli.conftest import Osdetect
from tests.cli.conftest import osdetect as osdetect  # noqa: PLC0414  # a fixture of the neighbour's
from tests.dialects.material import WRITERS
from tests.faults.material import ACCOUNT, ask, connect, documents, record, rule_text

pytestmark = pytest.mark.node
INDEX = "somebody-elses"


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    made = tmp_path / "rules"
    made.mkdir()
    (made / "1.yml").write_text(
        rule_text(1, "{eventName: CreateThing, requestParameters.name|contains: secret}")
    )
    (made / "2.yml").write_text(rule_text(2, "{sessionCredentialFromConsole: 'true'}"))
    return made


def stored(url: str, name: str) -> dict[str, Any]:
    """One record in an index of its own, mapped as OpenSearch guesses."""
    made = record(1, requestParameters={"name": "my-secret"}, errorCode="AccessDenied")
    ask(url, "DELETE", f"/{INDEX}?ignore_unavailable=true")
    ask(url, "PUT", f"/{INDEX}/_doc/some-id?refresh=true", WRITERS[name](made))
    return made


@pytest.mark.parametrize("name", sorted(WRITERS))
def test_auto_finds_the_dialect_and_the_alert_is_the_records(
    osdetect: Osdetect, fresh_cluster: str, rules: Path, name: str
) -> None:
    made = stored(fresh_cluster, name)
    try:
        ran = osdetect(
            "deploy", rules, "--pipeline", "auto", "--target", INDEX, "--url", fresh_cluster, "-o", "json"
        )
        told = json.loads(ran.out)
        assert told["dialect"]["name"] == name
        refused = [one["what"] for one in told["refused"]]
        if name == "cloudtrail-ecs":
            assert refused == ["the field 'sessionCredentialFromConsole' is not in these events"]
            assert (told["refused"][0]["file"], told["refused"][0]["line"]) == (str(rules / "2.yml"), 10)
        else:
            assert refused == []
        assert ran.status == (ExitCode.LOSS if refused else ExitCode.OK)
        detected = osdetect("detect", "--once", "--target", INDEX, "--url", fresh_cluster)
        assert detected.status == ExitCode.OK
        assert "1 new alerts" in detected.out
        (alert,) = documents(fresh_cluster, "osdetect-alerts-*").values()
        assert alert["event"]["id"] == made["eventID"]
        assert alert["event"]["outcome"] == "failure"
        assert alert["cloud"] == {"account": {"id": ACCOUNT}, "region": "eu-west-1"}
        assert alert["user"]["name"] == "casey"
        assert alert["source"]["ip"] == "198.51.100.7"
        again = osdetect("deploy", rules, "--pipeline", name, "--url", fresh_cluster)
        assert "nothing to do" in again.out
    finally:
        ask(fresh_cluster, "DELETE", f"/{INDEX}")


def test_the_release_remembers_its_dialect(osdetect: Osdetect, fresh_cluster: str, rules: Path) -> None:
    (rules / "2.yml").unlink()
    indices = []
    with connect(fresh_cluster) as cluster:
        for options in ((), ("--pipeline", "cloudtrail-raw"), ("--pipeline", "cloudtrail-ocsf")):
            assert osdetect("deploy", rules, *options, "--url", fresh_cluster).status == ExitCode.OK
            release = live_release(cluster)
            indices.append(release.index)
            if "cloudtrail-ocsf" in options:
                assert release.dialect.name == "cloudtrail-ocsf"
                assert release.dialect.paths["eventID"] == ("metadata.uid",)
                assert release.dialect.json_text == ("api.request.data", "api.response.data")
            else:
                assert release.dialect == RAW
        assert indices[0] == indices[1] != indices[2]
        _garble(cluster, indices[2])
    ran = osdetect("detect", "--once", "--url", fresh_cluster)
    assert ran.status == ExitCode.CLUSTER
    assert "does not say in which dialect" in ran.err
    assert "osdetect deploy" in ran.err


def _garble(cluster: Cluster, index: str) -> None:
    meta = cluster.request("GET", f"/{index}/_mapping")[index]["mappings"]["_meta"]
    cluster.request("PUT", f"/{index}/_mapping", body={"_meta": {**meta, "dialect": "ocsf"}})


def test_a_pipeline_of_ones_own_says_what_alerts_will_lack(
    osdetect: Osdetect, fresh_cluster: str, rules: Path, tmp_path: Path
) -> None:
    (rules / "2.yml").unlink()
    own = tmp_path / "own.yml"
    own.write_text(
        "transformations:\n"
        "- {type: field_name_mapping, mapping: {eventName: call, requestParameters.name: name}}\n"
        "- type: detection_item_failure\n"
        "  message: our events are small\n"
        "  field_name_conditions: [{type: exclude_fields, fields: [call, name]}]\n"
    )
    ran = osdetect("deploy", rules, "--pipeline", own, "--url", fresh_cluster)
    assert ran.status == ExitCode.OK
    assert "alerts will lack what CloudTrail calls eventID" in ran.out
    assert "CloudTrail calls eventName" not in ran.out


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--pipeline", "cloudtrail-esc"), "there is no processing pipeline 'cloudtrail-esc'"),
        (("--pipeline", "auto"), "--target and --pipeline auto go together"),
        (("--target", "x"), "--target and --pipeline auto go together"),
        (("--pipeline", "auto", "--target", "no-such-index"), "no-such-index stands for no index"),
        (("--pipeline", "RULE"), "this is not a processing pipeline"),
    ],
)
def test_2_a_dialect_that_cannot_be_told_is_refused_with_its_cure(
    osdetect: Osdetect, fresh_cluster: str, rules: Path, options: tuple[str, ...], said: str
) -> None:
    given = (str(rules / "1.yml") if one == "RULE" else one for one in options)
    ran = osdetect("deploy", rules, *given, "--url", fresh_cluster)
    assert ran.status == ExitCode.USAGE
    assert said in ran.err
