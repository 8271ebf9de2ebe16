"""Every command under every role: it runs under those that are for it, and names the missing right to all others."""

import re
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from osdetect.schema.roles import shipped_roles
from osdetect.vocabulary import ExitCode
from tests.cli.conftest import Osdetect, Ran
from tests.faults.material import rule_id
from tests.security.material import Pipe

ROLES = tuple(role.word for role in shipped_roles())
RULES, LOG, CHANNELS, SHORT = "{rules}", "{log}", "{channels}", "{short}"


@dataclass(frozen=True, slots=True)
class Case:
    """A command line, and the roles that it is for."""

    line: tuple[str, ...]
    roles: frozenset[str]
    exits: frozenset[int] = field(default=frozenset({ExitCode.OK}))
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
    _case("deployer detector", "releases"),
    _case("deployer detector", "drift"),
    _case("deployer", "rollback"),
    _case("", "destroy", "--everything", "--yes"),  # what was gathered is an administrator's to delete
    _case("deployer", "destroy", "--yes"),
)
_REFUSED = frozenset({ExitCode.CLUSTER, ExitCode.LOSS})


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
