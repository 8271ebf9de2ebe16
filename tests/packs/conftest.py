"""`osdetect packs`, run in this process in a repository of the user's."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from osdetect.cli.main import run
from tests.packs.material import DRL, Repository, rule


class Ran(msgspec.Struct, frozen=True):
    """What a command came to."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Packs = Callable[..., Ran]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    made = tmp_path / "mine"
    made.mkdir()
    return made


@pytest.fixture
def packs(capfd: pytest.CaptureFixture[str], root: Path) -> Packs:
    """Runs `osdetect packs ...` on `root`."""

    def ran(*arguments: object) -> Ran:
        capfd.readouterr()
        status = run(["packs", *map(str, arguments), "--root", str(root)])
        out, err = capfd.readouterr()
        assert "Traceback" not in err
        return Ran(status, out, err)

    return ran


@pytest.fixture
def upstream(tmp_path: Path, pristine: Repository) -> Repository:
    """A repository with rules of several kinds, for one test."""
    return Repository(tmp_path / "upstream", {}, like=pristine)


@pytest.fixture(scope="session")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """What `upstream` is a copy of: nobody changes it."""
    return Repository(
        tmp_path_factory.mktemp("pristine") / "upstream",
        {
            "LICENSE": DRL,
            "README.md": "rules\n",
            "rules/aws/CreateUser.yml": rule("CreateUser", tags="[attack.t1136.003]"),
            "rules/aws/DeleteTrail.yml": rule("DeleteTrail", level="critical"),
            "rules/aws/DeleteTrail.tests.yml": "must_match: []\n",
            "rules/aws/several.yml": rule("GetUser", level="low") + "---\n" + rule("ListUsers"),
            "rules/windows/whoami.yml": rule("Whoami", product="windows", service="security"),
            ".github/workflow.yml": "on: push\n",
            "compose.yml": "services: {}\n",
        },
    )
