"""The pipe on the secured node: made once, each part of it under its own role."""

import json
from collections.abc import Iterator

import pytest

from osdetect.vocabulary import ExitCode
from tests.cli.conftest import Osdetect, osdetect
from tests.dashboards.server import DashboardsServer
from tests.faults.material import record, rule_text, write_rules
from tests.security.material import Pipe, SecuredNode

__all__ = ["osdetect"]


@pytest.fixture(scope="session")
def words(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("matrix")
    records = [record(1), record(2, eventName="DeleteThing")]
    (folder / "log.json").write_text(json.dumps({"Records": records}))
    out = folder / "told.ndjson"
    nowhere = folder / "nowhere" / "told.ndjson"  # what goes there is given up
    (folder / "channels.toml").write_text(
        f'[channels.out]\nkind = "file"\npath = "{out}"\nhistory = true\n'
        f'[channels.lost]\nkind = "file"\npath = "{nowhere}"\nhistory = true\nattempts = 1\n'
    )
    live = write_rules(folder / "live", ["{eventName: CreateThing}"])
    (live / "shadow.yml").write_text(rule_text(2, "{eventName: DeleteThing}") + "osdetect: {mode: shadow}\n")
    rules = write_rules(folder / "rules", ["{eventName: CreateThing}", "{eventName: DeleteThing}"])
    tested = write_rules(folder / "tested", ["{eventName: CreateThing}"])
    example = f"base: {json.dumps(record(1))}\nmust_match:\n  - why: a thing is made\n"
    (tested / "rule_1.tests.yml").write_text(example)
    return {
        "tested": str(tested),
        "site": str(folder / "site"),
        "live": str(live),
        "rules": str(rules),
        "log": str(folder / "log.json"),
        "channels": str(folder / "channels.toml"),
        "nowhere": str(nowhere.parent),
    }


@pytest.fixture(scope="session")
def dashboards(empty_secured: SecuredNode) -> Iterator[DashboardsServer]:
    """Lets in one user, as the roles of Dashboards do."""
    with DashboardsServer(user="deployer", password=empty_secured.passwords["deployer"]) as made:
        yield made


@pytest.fixture
def pipe(
    osdetect: Osdetect, empty_secured: SecuredNode, words: dict[str, str], dashboards: DashboardsServer
) -> Pipe:
    """Made once; each test that takes it finds it."""
    words["dashboards"] = dashboards.url
    if "short" not in words:
        for user, *line in (
            ("deployer", "deploy", words["live"]),
            ("loader", "load", words["log"]),
            ("detector", "detect", "--once"),
        ):
            ran = osdetect(*line, **empty_secured.settings(user))
            assert ran.status == ExitCode.OK, (user, line, ran.err)
        empty_secured.admin("/osdetect-alerts-*/_refresh", "POST")  # a viewer may not ask for it
        (listed,) = osdetect(
            "alerts", "list", "-o", "ndjson", **empty_secured.settings("viewer")
        ).out.splitlines()
        words["short"] = json.loads(listed)["id"][:12]
    return Pipe(empty_secured, words)
