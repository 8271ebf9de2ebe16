"""A deploy that is killed at random moments: a detector always finds the old rules or the new ones, whole."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from random import Random

import pytest

from osdetect.vocabulary import RULES_ALIAS
from tests.faults.material import ask, documents, rule_id, write_rules
from tests.faults.proxy import Asked, Cut, FaultProxy

SETS = {
    "old": ["{eventName: A}", "{eventName: B}"],
    "new": ["{eventName: C}", "{eventName: D}", "{eventName: E}"],
}


class _Killer:
    """Kills a process when its n-th request arrives: before the cluster sees it, or when it has done it."""

    def __init__(self, at: int, *, after: bool) -> None:
        self._left = at
        self._after = after
        self._known = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self.dead = False

    def aim(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._known.set()

    def __call__(self, _asked: Asked) -> Cut | None:
        self._left -= 1
        if self.dead or self._left > 0:
            return None
        self._known.wait(10)
        assert self._process is not None
        self._process.kill()
        self.dead = True
        return Cut(after=self._after)


def _start(rules: Path, url: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-m", "osdetect", "deploy", str(rules), "--url", url],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "OSDETECT_RETRY_FOR_S": "5"},
    )


def _live_rules(url: str) -> set[str]:
    (index,) = ask(url, "GET", f"/_alias/{RULES_ALIAS}")
    assert ask(url, "GET", f"/{index}/_mapping")[index]["mappings"]["_meta"]["complete"] is True
    return {source["rule"]["name"] + str(source["query"]) for source in documents(url, RULES_ALIAS).values()}


@pytest.mark.parametrize("kills", [3, pytest.param(20, marks=pytest.mark.long)])
def test_a_deploy_killed_at_random_moments_leaves_one_whole_set_and_the_next_completes(
    fresh_cluster: str, tmp_path: Path, kills: int
) -> None:
    folders = {name: write_rules(tmp_path / name, rules) for name, rules in SETS.items()}
    rng = Random(kills)
    whole: dict[str, set[str]] = {}
    with FaultProxy(fresh_cluster, lambda _asked: None) as proxy:
        for name, folder in folders.items():
            proxy.asked.clear()
            assert _start(folder, proxy.url).wait(60) == 0
            whole[name] = _live_rules(fresh_cluster)
        assert whole["old"].isdisjoint(whole["new"])
        requests = len(proxy.asked)
        assert requests > 10
        live = "new"
        for turn in range(kills):
            wanted = "old" if live == "new" else "new"
            _delete_all_but_the_live_one(fresh_cluster)
            killer = _Killer(rng.randrange(8, requests + 1), after=bool(turn % 2))
            proxy.choose = killer
            process = _start(folders[wanted], proxy.url)
            killer.aim(process)
            status = process.wait(60)
            assert status == -signal.SIGKILL
            assert killer.dead
            found = _live_rules(fresh_cluster)
            assert found in (whole[live], whole[wanted]), f"kill {turn}: neither the old set nor the new one"
            proxy.choose = lambda _asked: None
            assert _start(folders[wanted], proxy.url).wait(60) == 0
            assert _live_rules(fresh_cluster) == whole[wanted]
            live = wanted
    assert _start(folders["new"], fresh_cluster).wait(60) == 0
    assert set(documents(fresh_cluster, RULES_ALIAS)) == {rule_id(number) for number in (1, 2, 3)}


def _delete_all_but_the_live_one(url: str) -> None:
    """So that the next deploy has everything to do."""
    (live,) = ask(url, "GET", f"/_alias/{RULES_ALIAS}")
    for entry in ask(url, "GET", "/_cat/indices/osdetect-rules-*?format=json"):
        if entry["index"] != live:
            ask(url, "DELETE", f"/{entry['index']}")
