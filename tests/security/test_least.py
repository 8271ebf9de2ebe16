"""No role has a right that it could do without: each is taken away alone, and then something that the role is for fails.

Some hundred rights, a few seconds each: `pytest -m long tests/security/test_least.py --timeout 7200`.
"""

import copy
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from osdetect.cluster import Cluster, Connection
from osdetect.errors import ClusterRefused
from osdetect.schema.roles import Role, shipped_roles
from osdetect.security.api import ROLES
from osdetect.vocabulary import ExitCode
from tests.cli.conftest import Osdetect
from tests.conftest import OURS
from tests.faults.material import record, rule_id, rule_text, write_rules
from tests.security.material import SecuredNode

_API = f"/_plugins/_security/api/{ROLES}"
_REFUSALS = ("lacks the right", "no permissions for", "security_exception")
Line = tuple[str, ...]
Ask = tuple[str, str, Any]
Came = tuple[object, bool]
"""What came of a step, and whether a refusal was told."""
ADMIN, MKDIR = "(an administrator asks)", "(the folder is there from now on)"
"""First words of what others do in between: `ADMIN METHOD PATH`, `ADMIN COMMAND ...`, `MKDIR FOLDER`."""

DOCTOR: Line = ("doctor", "--role", "detector", "--output", "json")
"""What it cannot see it tells, with the status that it has anyway: its findings are compared."""
PREPARED: Mapping[str, Sequence[Line]] = {
    "deployer": (),
    "loader": (("deploy", "{live}"),),
    "detector": (),
    "notifier": (("deploy", "{live}"), ("load", "{log}"), ("detect", "--once")),
    "analyst": (("deploy", "{live}"), ("load", "{log}"), ("detect", "--once")),
    "viewer": (("deploy", "{live}"), ("load", "{log}"), ("detect", "--once")),
}
"""What an administrator does before, on an empty cluster."""

DOES: Mapping[str, Sequence[Line]] = {
    "deployer": (
        ("plan", "{live}"),
        ("deploy", "{live}"),
        (ADMIN, "PUT", "/osdetect-rules/_doc/stray?refresh=true"),
        ("drift",),
        ("deploy", "{live}"),
        (ADMIN, "DELETE", f"/osdetect-rules/_doc/{rule_id(1)}?refresh=true"),
        ("deploy", "{live}"),
        ("deploy", "{rules}"),
        ("deploy", "{live}"),
        ("releases",),
        ("rollback",),
        ("drift",),
        ("plan", "{rules}"),
        ("destroy", "--yes"),
    ),
    "loader": (("load", "{log}"), ("load", "{log}"), ("load", "{again}")),
    "detector": (
        ("status",),
        (ADMIN, "deploy", "{live}"),
        (ADMIN, "load", "{log}"),
        ("detect", "--once", "--since", "2020-01-01"),
        ("detect", "--once"),
        ("backfill", "--from", "2020-01-01", "--to", "2035-01-01"),
        ("hunt", rule_id(1)),
        ("tuning",),
        ("status",),
        ("status", "--heartbeat", "10h"),
        ("plan", "{rules}", "--backtest", "3650"),
        ("releases",),
        ("drift",),
        ("notify", "dead"),
        DOCTOR,
    ),
    "notifier": (
        ("notify", "run", "--once", "--channels", "{channels}"),
        ("notify", "outbox"),
        ("notify", "dead"),
        ("notify", "retry", "--all", "--channels", "{channels}"),
        (MKDIR, "{nowhere}"),
        ("notify", "retry", "--all", "--channels", "{channels}"),
        ("notify", "run", "--once", "--channels", "{channels}"),
    ),
    "analyst": (
        ("alerts", "list"),
        ("alerts", "show", "{short}", "--event"),
        ("alerts", "ack", "{short}"),
        ("alerts", "comment", "{short}", "-m", "looked at"),
        ("alerts", "close", "{short}", "--as", "tp"),
        ("alerts", "reopen", "{short}"),
        ("alerts", "ack", "--rule", "Made-up rule 1", "--yes"),
        ("alerts", "reopen", "--rule", "Made-up rule 1", "--yes"),
    ),
    "viewer": (("alerts", "list"), ("alerts", "show", "{short}", "--event")),
}
"""What each role is for."""

_EVERY: Mapping[str, Any] = {"query": {"match_all": {}}}
_PAGES: Sequence[Ask] = tuple(
    one
    for pattern in ("osdetect-alerts-*", "osdetect-matches-*", "osdetect-cloudtrail-*")
    for one in (
        ("POST", f"/{pattern}/_search", _EVERY),
        ("GET", f"/{pattern}/_field_caps?fields=*", None),
        ("GET", f"/{pattern}/_mapping/field/*", None),
        ("POST", "/_msearch", f'{{"index":"{pattern}"}}\n{json.dumps(_EVERY)}\n'.encode()),
    )
)
ASKS: Mapping[str, Sequence[Ask]] = {"analyst": _PAGES, "viewer": _PAGES}
"""What OpenSearch Dashboards asks of indices for who looks at its pages."""


_LETTER = "an event that cannot be judged, of which a test has none"
ELSEWHEN: Mapping[str, Mapping[str, str]] = {
    "detector": {
        "osdetect-deadletter-*: indices:admin/create": _LETTER,
        "osdetect-deadletter-*: indices:data/write/bulk*": _LETTER,
    },
    "notifier": {"osdetect-outbox-*: indices:data/read/get*": "a lane that two notifiers write at once"},
    "analyst": {
        "osdetect-alerts-*: indices:admin/refresh*": "a list right behind a change, which else comes a second late"
    },
}
"""Rights that are needed only when something happens that a test cannot order, and what that is."""


class Right(msgspec.Struct, frozen=True):
    """One thing that a role may do."""

    action: str
    pattern: str = ""
    """Of indices; empty: it is a right to the cluster."""

    def __str__(self) -> str:
        return f"{self.pattern}: {self.action}" if self.pattern else self.action


def rights_of(role: Role) -> Iterator[Right]:
    yield from map(Right, role.cluster)
    for one in role.indices:
        yield from (Right(action, pattern) for pattern in one.patterns for action in one.actions)


def without(role: Role, right: Right) -> dict[str, Any]:
    """The role's body with all rights but one."""
    body = copy.deepcopy(role.body())
    if not right.pattern:
        body["cluster_permissions"].remove(right.action)
        return body
    kept = []
    for one in body["index_permissions"]:
        for pattern in one["index_patterns"]:
            actions = [word for word in one["allowed_actions"] if Right(word, pattern) != right]
            kept.append({"index_patterns": [pattern], "allowed_actions": actions})
    return {**body, "index_permissions": kept}


def test_a_role_without_a_right_has_all_others() -> None:
    for role in shipped_roles():
        every = set(rights_of(role))
        for right in every:
            body = without(role, right)
            left = {Right(one) for one in body["cluster_permissions"]} | {
                Right(action, pattern)
                for one in body["index_permissions"]
                for pattern in one["index_patterns"]
                for action in one["allowed_actions"]
            }
            assert left == every - {right}


class Walk(msgspec.Struct):
    """Does all that a role is for, from the same state each time."""

    osdetect: Osdetect
    node: SecuredNode
    role: Role
    words: dict[str, str]

    def prepare(self) -> None:
        shutil.rmtree(self.words["nowhere"], ignore_errors=True)
        for listing, delete in OURS:
            answer = self.node.kept.probe(self.node.url).ask(listing)
            assert answer is not None
            found = answer.body if answer.status == 200 else []
            names = [one["index"] for one in found] if isinstance(found, list) else []
            if isinstance(found, dict):
                names = [one["name"] for kind in found.values() if isinstance(kind, list) for one in kind]
                names = names or list(found)
            for name in names:
                self.node.admin(delete.format(name), "DELETE")
        for line in PREPARED[self.role.word]:
            ran = self._run(line, "admin")
            assert ran[0] == ExitCode.OK, (line, ran)
        if PREPARED[self.role.word][-1:] == (("detect", "--once"),):
            self.node.admin("/osdetect-alerts-*/_refresh", "POST")
            listed = self.osdetect("alerts", "list", "-o", "ndjson", **self.node.settings("admin")).out
            self.words["short"] = json.loads(listed.splitlines()[0])["id"][:12]

    def _run(self, line: Line, user: str) -> Came:
        words = [word.format(**self.words) for word in line]
        if words[0] == ADMIN and words[1].islower():
            return self._run(line[1:], "admin")
        if words[0] == ADMIN:
            self.node.admin(words[2], words[1], {} if words[1] == "PUT" else None)
            return 0, False
        if words[0] == MKDIR:
            Path(words[1]).mkdir(exist_ok=True)
            return 0, False
        ran = self.osdetect(*words, **self.node.settings(user))
        if line == DOCTOR:
            found = json.loads(ran.out)["findings"]
            return (
                *sorted((one["check"], one["verdict"], "cannot be" in one["said"]) for one in found),
                ran.status,
            ), False
        said = f"{ran.out}{ran.err}"
        return ran.status, any(word in said for word in _REFUSALS)

    def steps(self) -> Iterator[tuple[Line | Ask, Came]]:
        """Each step, and what came of it."""
        for line in DOES[self.role.word]:
            yield line, self._run(line, self.role.word)
        word = self.role.word
        for method, path, body in ASKS.get(word, ()):
            yield (method, path, body), self._asked(word, method, path, body)

    def _asked(self, user: str, method: str, path: str, body: Any) -> Came:
        connection = Connection.from_settings(
            url=self.node.url,
            ca_certs=self.node.ca_file,
            username=user,
            password=self.node.passwords[user],
        )
        try:
            with Cluster.connect(connection) as cluster:
                answer = cluster.request(method, path, body=body)
        except ClusterRefused as refused:
            return refused.status or 0, True
        return 200, "security_exception" in str(answer)

    def fails(self, usual: Mapping[int, Came]) -> object:
        """The first step that does not end as usual."""
        return next(
            (step for n, (step, ended) in enumerate(self.steps()) if ended != usual[n]),
            None,
        )


@pytest.fixture
def words(tmp_path: Path) -> dict[str, str]:
    records = [record(n) for n in range(1, 6)] + [record(7, eventName="DeleteThing")]
    lost = record(8, eventName={"a": 1})
    (tmp_path / "log.json").write_text(json.dumps({"Records": records}))
    (tmp_path / "again.json").write_text(json.dumps({"Records": [*records, lost]}))
    (tmp_path / "channels.toml").write_text(
        f'[channels.out]\nkind = "file"\npath = "{tmp_path}/told.ndjson"\nhistory = true\n'
        f'[channels.lost]\nkind = "file"\npath = "{tmp_path}/nowhere/told"\nhistory = true\nattempts = 1\n'
    )
    live = write_rules(tmp_path / "live", ["{eventName: CreateThing}"])
    tuned = "osdetect: {suppress: {group_by: [userIdentity.userName], window: 1h}}\n"
    (live / "grouped.yml").write_text(rule_text(3, "{eventName: CreateThing}") + tuned)
    (live / "shadow.yml").write_text(rule_text(2, "{eventName: DeleteThing}") + "osdetect: {mode: shadow}\n")
    rules = write_rules(tmp_path / "rules", ["{eventName: CreateThing}", "{eventName: DeleteThing}"])
    return {
        "live": str(live),
        "rules": str(rules),
        "log": str(tmp_path / "log.json"),
        "again": str(tmp_path / "again.json"),
        "nowhere": str(tmp_path / "nowhere"),
        "channels": str(tmp_path / "channels.toml"),
    }


@pytest.mark.long
@pytest.mark.parametrize("role", shipped_roles(), ids=lambda role: role.word)
def test_each_right_of_a_role_is_needed(
    osdetect: Osdetect, secured: SecuredNode, role: Role, words: dict[str, str]
) -> None:
    walk = Walk(osdetect, secured, role, words)
    walk.prepare()
    secured.admin(f"{_API}/{role.name}", "PUT", role.body())
    usual = dict(enumerate(ended for _, ended in walk.steps()))
    assert not any(refused for _, refused in usual.values()), usual
    idle: list[str] = []
    try:
        for right in rights_of(role):
            walk.prepare()
            secured.admin(f"{_API}/{role.name}", "PUT", without(role, right))
            found = walk.fails(usual)
            if found is None and str(right) not in ELSEWHEN.get(role.word, {}):
                idle.append(str(right))
    finally:
        secured.admin(f"{_API}/{role.name}", "PUT", role.body())
    assert not idle
