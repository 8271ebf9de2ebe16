"""Two analysts, a detector and a bad network on the same alerts at once: nobody's change is lost."""

import threading
from collections import Counter
from collections.abc import Callable
from random import Random

import pytest

from osdetect.alerts import Change, FoundAlert, Outcome, Result, Verb, apply
from osdetect.cluster import Cluster
from osdetect.errors import ClusterUnavailable
from tests.alerts.material import alert_id, change, put_numbers, seen, stored
from tests.faults.material import ask, connect
from tests.faults.proxy import Asked, Cut, Fault, FaultProxy, on

INDEX = "osdetect-alerts-t-2024.05"


def _all_at_once(url: str, work: list[tuple[list[FoundAlert], Change]]) -> list[list[Result]]:
    """Each change to its alerts, all in threads that begin together."""
    done: list[list[Result]] = [[] for _ in work]
    begin = threading.Barrier(len(work))

    def run(number: int) -> None:
        alerts, wanted = work[number]
        with connect(url) as own:
            begin.wait()
            done[number] = list(apply(own, alerts, wanted))

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(work))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return done


def test_of_two_who_acknowledge_the_same_alerts_each_alert_has_one(cluster: Cluster) -> None:
    put_numbers(cluster, range(400))
    alerts = seen(cluster)
    assert len(alerts) == 400
    mixed = Random(5).sample(alerts, len(alerts))
    kim, lee = _all_at_once(
        cluster.url, [(alerts, change(Verb.ACK, "kim")), (mixed, change(Verb.ACK, "lee"))]
    )
    assert len(kim) == len(lee) == 400
    won = {one.alert.id: "kim" for one in kim if one.outcome is Outcome.CHANGED}
    won_by_lee = {one.alert.id: "lee" for one in lee if one.outcome is Outcome.CHANGED}
    assert not won.keys() & won_by_lee.keys()
    assert len(won) + len(won_by_lee) == 400
    for one in seen(cluster):
        history = one.source["osdetect"]["history"]
        assert [entry["by"] for entry in history] == [{**won, **won_by_lee}[one.id]]
    for lost in (*kim, *lee):
        if lost.outcome is not Outcome.CHANGED:
            assert lost.outcome is Outcome.REFUSED
            assert "changed it meanwhile" in lost.why or "acknowledged by" in lost.why


def test_comments_of_many_at_once_are_all_kept(cluster: Cluster) -> None:
    put_numbers(cluster, [1])
    (one,) = seen(cluster)
    work = [([one], change(Verb.COMMENT, f"person-{number}", comment=f"{number}")) for number in range(6)]
    done = _all_at_once(cluster.url, work)
    assert Counter(results[0].outcome for results in done) == {Outcome.CHANGED: 6}
    own = stored(cluster, 1)
    assert sorted(entry["text"] for entry in own["comments"]) == list("012345")
    assert len(own["history"]) == 6
    assert own["first_seq_no"] == one.version.seq_no


def _meanwhile(proxy: FaultProxy, do: Callable[[], None]) -> None:
    """Do this once, when the first write is under way, before it arrives."""
    left = [do]

    def choose(asked: Asked) -> Fault | None:
        if asked.path.endswith("_bulk") and left:
            left.pop()()
        return None

    proxy.choose = choose


def test_a_count_that_a_detector_wrote_meanwhile_stays_and_the_change_goes_on_top(
    cluster: Cluster, proxy: FaultProxy
) -> None:
    put_numbers(cluster, [1])
    (one,) = seen(cluster)

    def count() -> None:
        own = {**stored(cluster, 1), "suppression": {"count": 17}, "first_seq_no": one.version.seq_no}
        ask(cluster.url, "PUT", f"/{INDEX}/_doc/{one.id}", {**one.source, "osdetect": own})

    _meanwhile(proxy, count)
    with connect(proxy.url) as own:
        (result,) = apply(own, [one], change(Verb.CLOSE, to="fp"))
    assert result.outcome is Outcome.CHANGED
    after = stored(cluster, 1)
    assert (after["status"], after["closed_as"], after["suppression"]) == ("closed", "fp", {"count": 17})
    assert after["first_seq_no"] == one.version.seq_no
    assert proxy.count("_bulk") == 2


def test_what_another_analyst_did_meanwhile_is_told_and_stays(cluster: Cluster, proxy: FaultProxy) -> None:
    put_numbers(cluster, [1])
    (one,) = seen(cluster)

    def assign() -> None:
        assert [done.outcome for done in apply(cluster, [one], change(Verb.ASSIGN, "lee", to="lee"))] == [
            Outcome.CHANGED
        ]

    _meanwhile(proxy, assign)
    with connect(proxy.url) as own:
        (result,) = apply(own, [one], change(Verb.ASSIGN, to="kim"))
    assert result.outcome is Outcome.REFUSED
    assert "assigned to lee by lee" in result.why
    assert stored(cluster, 1)["assignee"] == "lee"


def test_a_write_whose_answer_was_lost_is_made_once(cluster: Cluster, proxy: FaultProxy) -> None:
    put_numbers(cluster, range(3))
    proxy.choose = on("_bulk", [Cut(after=True)])
    with connect(proxy.url) as own:
        results = list(apply(own, seen(cluster), change(Verb.COMMENT, comment="once")))
    assert {one.outcome for one in results} == {Outcome.CHANGED}
    assert [len(stored(cluster, number)["comments"]) for number in range(3)] == [1, 1, 1]
    assert proxy.count("_bulk") == 2


def test_an_alert_that_is_gone_or_refused_is_named_and_the_others_are_done(cluster: Cluster) -> None:
    put_numbers(cluster, range(3))
    alerts = seen(cluster)
    ask(cluster.url, "DELETE", f"/{INDEX}/_doc/{alert_id(1)}")
    results = {one.alert.id: one for one in apply(cluster, alerts, change(Verb.ACK))}
    assert results[alert_id(1)].why == "it is no longer there"
    assert {results[alert_id(number)].outcome for number in (0, 2)} == {Outcome.CHANGED}
    ask(cluster.url, "PUT", f"/{INDEX}/_settings", {"index.blocks.write": True})
    (blocked,) = apply(cluster, seen(cluster)[:1], change(Verb.CLOSE, to="tp"))
    assert blocked.outcome is Outcome.REFUSED
    assert "block" in blocked.why


def test_what_was_done_before_the_cluster_went_away_is_told(cluster: Cluster, proxy: FaultProxy) -> None:
    put_numbers(cluster, range(600))
    alerts = seen(cluster)
    proxy.choose = lambda asked: Cut() if asked.path.endswith("_bulk") and proxy.count("_bulk") > 1 else None
    told: list[Result] = []
    with connect(proxy.url, retry_for_s=0.5) as own, pytest.raises(ClusterUnavailable):
        told.extend(apply(own, alerts, change(Verb.ACK)))
    done = {one.id for one in seen(cluster) if one.source["osdetect"]["status"] == "acknowledged"}
    assert {one.alert.id for one in told} == done
    assert len(done) == 500
    again = Counter(one.outcome for one in apply(cluster, alerts, change(Verb.ACK, name="again")))
    assert again[Outcome.CHANGED] == 100
