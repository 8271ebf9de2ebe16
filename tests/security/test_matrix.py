"""Every command under every role: it runs under those that are for it, and names the missing right to all others."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import typer

from osdetect.cli.commands import program
from osdetect.schema.roles import shipped_roles
from osdetect.vocabulary import ExitCode
from tests.cli.conftest import Osdetect, Ran
from tests.faults.material import rule_id
from tests.security.material import Pipe

ROLES = tuple(role.word for role in shipped_roles())
RULES, LIVE, LOG, CHANNELS, SHORT = "{rules}", "{live}", "{log}", "{channels}", "{short}"
DASHBOARDS, SITE, TESTED = "{dashboards}", "{site}", "{tested}"


class Case(msgspec.Struct, frozen=True):
    """A command line, and the roles that it is for."""

    line: tuple[str, ...]
    roles: frozenset[str]
    exits: frozenset[int] = frozenset({ExitCode.OK})
    """With which it may end under those."""


def _case(roles: str, *line: str, exits: tuple[int, ...] = (ExitCode.OK,)) -> Case:
    return Case(line, frozenset(roles.split()), frozenset(exits))


CASES = (
    _case("loader", "load", LOG),
    _case("detector", "detect", "--once"),
    _case("detector", "backfill", "--from", "2020-01-01", "--to", "2035-01-01"),
    _case("detector", "hunt", rule_id(1)),
    _case("detector", "status"),
    _case("detector", "status", "--heartbeat", "10h"),
    _case("detector", "tuning"),
    _case("notifier", "notify", "run", "--once", "--channels", CHANNELS, exits=(ExitCode.LOSS,)),
    _case("notifier", "notify", "outbox"),
    _case("detector notifier", "notify", "dead"),
    _case("notifier", "notify", "retry", "--all", "--channels", CHANNELS),
    _case("detector", "doctor", "--role", "detector"),
    _case("analyst notifier viewer", "catalog", "show", rule_id(1), RULES, "--cluster"),
    _case("analyst notifier viewer", "catalog", "build", RULES, "--cluster", "-o", SITE),
    _case("", "test", TESTED),  # its index of a moment is an administrator's, or the embedded node's
    _case("analyst viewer", "alerts", "list"),
    _case("analyst viewer", "alerts", "show", SHORT, "--event"),
    _case("analyst", "alerts", "ack", SHORT),
    _case("analyst", "alerts", "assign", SHORT, "--to", "casey"),
    _case("analyst", "alerts", "comment", SHORT, "-m", "looked at"),
    _case("analyst", "alerts", "close", SHORT, "--as", "tp"),
    _case("analyst", "alerts", "reopen", SHORT),
    _case("deployer detector", "plan", RULES, exits=(ExitCode.CHANGES,)),
    _case("detector", "plan", RULES, "--backtest", "3650", exits=(ExitCode.CHANGES,)),
    _case("deployer", "deploy", RULES),
    _case("deployer", "deploy", LIVE, "--dashboards", DASHBOARDS),
    _case("deployer detector", "releases"),
    _case("deployer detector", "drift"),
    _case("deployer", "rollback"),
    _case("", "destroy", "--everything", "--yes"),  # what was gathered is an administrator's to delete
    _case("deployer", "destroy", "--yes"),
)
OF_ADMINISTRATORS = frozenset({"security apply", "security show"})
"""Under each of our roles tests/security/test_apply.py runs these."""
_REFUSED = frozenset({ExitCode.CLUSTER, ExitCode.LOSS})


def _asking(command: Any, names: tuple[str, ...] = ()) -> Iterator[str]:
    """Every command that can be told of a cluster."""
    for name, inner in getattr(command, "commands", {}).items():
        yield from _asking(inner, (*names, name))
    if any("--url" in option.opts for option in command.params):
        yield " ".join(names)


def test_every_command_that_asks_a_cluster_is_among_the_cases() -> None:
    tried = {" ".join(case.line[:count]) for case in CASES for count in (1, 2)}
    every = set(_asking(typer.main.get_command(program())))
    assert every - tried == OF_ADMINISTRATORS
    assert len(every) > 25


def _line(pipe: Pipe, case: Case) -> list[str]:
    return [word.format(**pipe.words) if word.startswith("{") else word for word in case.line]


@pytest.mark.parametrize("case", CASES, ids=lambda case: " ".join(case.line[:2]))
def test_a_command_runs_under_its_roles_and_under_no_other(
    osdetect: Osdetect, pipe: Pipe, case: Case
) -> None:
    assert case.roles <= set(ROLES)
    if "retry" in case.line:  # what was given up can be delivered now
        Path(pipe.words["nowhere"]).mkdir(exist_ok=True)
    for role in sorted(set(ROLES) - case.roles):
        ran = osdetect(*_line(pipe, case), **pipe.node.settings(role))
        _names_the_right(ran, role, case)
    for role in sorted(case.roles):
        ran = osdetect(*_line(pipe, case), **pipe.node.settings(role))
        assert ran.status in case.exits, (role, ran)
    if "destroy" in case.line:
        pipe.words.pop("short", None)  # the next test that needs the pipe makes it anew


def _names_the_right(ran: Ran, role: str, case: Case) -> None:
    said = f"{ran.out}{ran.err}"
    assert ran.status in _REFUSED, (role, ran)
    named = re.search(r"the user (\S+) lacks the right ((?:indices|cluster):\S+)", said)
    assert named, (role, ran)
    assert named[1] == role
    cured = {name.removeprefix("osdetect-") for name in re.findall(r"osdetect-\w+(?= or |, or)", said)}
    assert role not in cured
    assert case.roles & cured or not case.roles, (role, case, ran)


def test_a_deploy_that_must_write_an_index_anew_is_refused_before_it_changes_it(
    osdetect: Osdetect, pipe: Pipe
) -> None:
    """What was gathered none of our roles may delete."""
    (index,) = {one["index"] for one in pipe.node.admin("/_cat/indices/osdetect-cloudtrail-*?format=json")}
    meta = pipe.node.admin(f"/{index}/_mapping")[index]["mappings"]["_meta"]
    pipe.node.admin(f"/{index}/_mapping", "PUT", {"_meta": {**meta, "version": 1}})
    ran = osdetect("deploy", pipe.words["live"], **pipe.node.settings("deployer"))
    settings = pipe.node.admin(f"/{index}/_settings?flat_settings=true")[index]["settings"]
    pipe.node.admin(f"/{index}/_mapping", "PUT", {"_meta": meta})
    assert ran.status == ExitCode.CLUSTER
    assert "none of osdetect's roles has that right" in ran.err
    assert "index.blocks.write" not in settings
