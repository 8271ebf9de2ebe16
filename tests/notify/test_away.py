"""Alerts that cannot be read when they are to be told, and a cluster that goes away while a channel tells."""

import pytest

from osdetect.cluster import Cluster, create_action
from osdetect.errors import ClusterRefused, ClusterUnavailable
from osdetect.notify.letters import letters
from osdetect.notify.message import Message
from osdetect.notify.outcome import Later, Never, Outcome
from osdetect.notify.tell import Told
from tests.alerts.material import NAMESPACE, alert_id
from tests.faults.material import connect
from tests.faults.proxy import TOO_MANY, Asked, Cut, Fault, FaultProxy
from tests.notify.material import INDEX, Clock, Kept, of_rule, plain, put_of_rule, work

LATER = f"osdetect-alerts-{NAMESPACE}-2024.06"
"""Another month's index than `INDEX`."""


def test_a_rule_whose_alerts_cannot_be_read_holds_up_no_other(cluster: Cluster) -> None:
    clock, kept = Clock(), Kept()
    soc = work(cluster, plain(), clock, send=kept)
    put_of_rule(cluster, [1], "a")
    soc.make_pass()
    put_of_rule(cluster, [2], "a")
    soc.make_pass()  # taken in, and its minute is not over
    clock.forward(61)
    cluster.request("POST", f"/{INDEX}/_close")
    for number, rule in ((10, "b"), (11, "c"), (12, "d")):  # each pass fails, and tells what it can
        _put_later(cluster, number, rule)
        with pytest.raises(ClusterUnavailable, match=f"{alert_id(2)} of {INDEX} cannot be read") as failed:
            soc.make_pass()
        assert "closed" in failed.value.cause
        clock.forward(61)
    assert kept.alerts == [alert_id(number) for number in (1, 10, 11, 12)]
    cluster.request("POST", f"/{INDEX}/_open", params={"wait_for_active_shards": "1"})
    assert soc.make_pass().waiting == 0
    last = kept.messages[-1]
    assert last.ids == (alert_id(2),)
    assert last.alerts[0]["event"]["action"] == "CreateThing", "it is told in full, not as one that is gone"


def test_new_alerts_that_may_not_be_read_hold_up_no_other_index(cluster: Cluster) -> None:
    clock, kept = Clock(), Kept()
    soc = work(cluster, plain(), clock, send=kept)
    put_of_rule(cluster, [1], "a")
    _put_later(cluster, 10, "b")
    cluster.request("PUT", f"/{INDEX}/_settings", body={"index.blocks.read": True})
    with pytest.raises(ClusterUnavailable, match=f"alerts of {INDEX} cannot be read"):
        soc.make_pass()
    assert kept.alerts == [alert_id(10)]
    cluster.request("PUT", f"/{INDEX}/_settings", body={"index.blocks.read": None})
    soc.make_pass()
    assert kept.alerts == [alert_id(10), alert_id(1)]


def test_nor_do_they_when_the_other_index_is_caught_up(cluster: Cluster) -> None:
    clock, kept = Clock(), Kept()
    soc = work(cluster, plain(), clock, send=kept)
    put_of_rule(cluster, [1], "a")
    cluster.request("PUT", f"/{INDEX}/_settings", body={"index.blocks.read": True})
    for number in (10, 11):  # the second is taken in, and its rule's minute is not over
        _put_later(cluster, number, "b")
        with pytest.raises(ClusterUnavailable, match=f"alerts of {INDEX} cannot be read"):
            soc.make_pass()
    assert kept.alerts == [alert_id(10)]
    clock.forward(61)
    with pytest.raises(ClusterUnavailable, match=f"alerts of {INDEX} cannot be read"):
        soc.make_pass()
    assert kept.alerts == [alert_id(10), alert_id(11)]


def test_when_no_index_may_be_read_the_channel_ends_behind_what_waits(cluster: Cluster) -> None:
    clock, kept, done = Clock(), Kept(), list[Told]()
    answers: list[Outcome] = [Later("it is down")]

    def send(message: Message) -> Outcome:
        return answers.pop() if answers else kept(message)

    soc = work(cluster, plain(), clock, send=send)
    put_of_rule(cluster, [1], "a")
    soc.make_pass()
    put_of_rule(cluster, [2], "b")
    soc.make_pass()  # taken in, while the channel rests
    clock.forward(1_000)
    put_of_rule(cluster, [3], "c")
    cluster.request("PUT", f"/{INDEX}/_settings", body={"index.blocks.read": True})
    with pytest.raises(ClusterRefused, match="block"):
        soc.make_pass(done.append)
    assert kept.alerts == [alert_id(1)], "its message was made before, that of the second cannot be"
    assert [(told.messages, told.waiting) for told in done] == [(1, 1)]


def test_what_a_failed_pass_told_is_given_with_the_failure(cluster: Cluster) -> None:
    clock, done = Clock(), list[Told]()
    soc = work(cluster, plain(), clock, send=Kept())
    put_of_rule(cluster, [1], "a")
    soc.make_pass(done.append)
    put_of_rule(cluster, [2], "a")
    soc.make_pass(done.append)
    assert done == [], "they came to their end"
    clock.forward(61)
    cluster.request("POST", f"/{INDEX}/_close")
    _put_later(cluster, 10, "b")
    with pytest.raises(ClusterUnavailable):
        soc.make_pass(done.append)
    (told,) = done
    assert (told.taken_in, told.messages, told.alerts, told.waiting) == (1, 1, 1, 1)


@pytest.mark.parametrize(
    ("fault", "sent"),
    [
        pytest.param(Cut(), [], id="away: the other rule is not even tried"),
        pytest.param(TOO_MANY, [alert_id(2)], id="there for others"),
    ],
)
def test_after_alerts_that_were_not_answered_the_cluster_is_asked_once_whether_it_is_there(
    cluster: Cluster, fault: Fault, sent: list[str]
) -> None:
    put_of_rule(cluster, [1], "one")
    _put_later(cluster, 2, "two")
    away, asked_then = False, list[str]()

    def choose(asked: Asked) -> Fault | None:
        nonlocal away
        of_one = asked.path == "/_mget" and alert_id(1).encode() in asked.body
        away = away or of_one
        if away:
            asked_then.append(asked.path)
        return fault if of_one or (away and isinstance(fault, Cut)) else None

    kept = Kept()
    with (
        FaultProxy(cluster.url, choose) as proxy,
        connect(proxy.url, retry_for_s=1.0) as through,
        pytest.raises(ClusterUnavailable),
    ):
        work(through, plain(), Clock(), send=kept).make_pass()
    assert kept.alerts == sent
    assert asked_then.count("/") == 1
    if not sent:
        assert (set(asked_then[:-1]), asked_then[-1]) == ({"/_mget"}, "/")


def test_an_index_that_is_not_answered_for_is_waited_for_once_in_a_pass(cluster: Cluster) -> None:
    put_of_rule(cluster, [1], "a")
    _put_later(cluster, 10, "a")
    put_of_rule(cluster, [2], "b")
    _put_later(cluster, 11, "c")
    put_of_rule(cluster, [3], "d")
    busy = True

    def choose(asked: Asked) -> Fault | None:
        return TOO_MANY if busy and asked.path == "/_mget" and INDEX.encode() in asked.body else None

    clock, kept = Clock(), Kept()
    with FaultProxy(cluster.url, choose) as proxy, connect(proxy.url, retry_for_s=1.0) as through:
        soc = work(through, plain(), clock, send=kept)
        with pytest.raises(ClusterUnavailable, match="too busy"):
            soc.make_pass()
        asked = [one.body for one in proxy.asked if one.path == "/_mget" and INDEX.encode() in one.body]
        assert kept.alerts == [alert_id(11)], "the other index is there for who needs no more"
        assert asked == asked[:1] * len(asked), "of one message, again and again"
        assert alert_id(1).encode() in asked[0]
        busy = False
        assert soc.make_pass().waiting == 0
    assert sorted(kept.alerts) == sorted(map(alert_id, (1, 2, 3, 10, 11)))


@pytest.mark.parametrize(
    ("worker", "counted"),
    [pytest.param("w1", 0, id="by the same process"), pytest.param("w2", 1, id="by another, once")],
)
def test_what_is_given_up_again_because_its_mark_failed_is_counted_once(
    cluster: Cluster, worker: str, counted: int
) -> None:
    put_of_rule(cluster, [1])
    clock, done, fails = Clock(), list[Told](), False

    def send(_: Message) -> Outcome:
        nonlocal fails
        fails = True
        return Never("gone")

    def choose(asked: Asked) -> Fault | None:
        mark = "/osdetect-outbox-" in asked.path and asked.method == "PUT"
        return TOO_MANY if mark and fails and not done else None

    with FaultProxy(cluster.url, choose) as proxy, connect(proxy.url, retry_for_s=0.5) as through:
        works = {name: work(through, plain(), clock, worker=name, send=send) for name in ("w1", "w2")}
        with pytest.raises(ClusterUnavailable):
            works["w1"].make_pass(done.append)
        clock.forward(1_000)
        again = works[worker].make_pass()
    assert [told.dead for told in done] == [["gone"]]
    assert (len(again.dead), again.waiting) == (counted, 0)
    assert len(list(letters(cluster, NAMESPACE))) == 1


def test_a_mark_that_the_outbox_does_not_take_ends_the_pass(cluster: Cluster) -> None:
    put_of_rule(cluster, [1], "one")
    put_of_rule(cluster, [2], "two")
    tried: set[str] = set()

    def choose(asked: Asked) -> Fault | None:
        if "/osdetect-outbox-" in asked.path and asked.method == "PUT":
            tried.add(asked.path)
            return TOO_MANY
        return None

    kept = Kept()
    with FaultProxy(cluster.url, choose) as proxy, connect(proxy.url, retry_for_s=0.5) as through:
        with pytest.raises(ClusterUnavailable):
            work(through, plain(), Clock(), send=kept).make_pass()
        assert proxy.count("/") == 1, "when it connected"
    assert (len(tried), kept.messages) == (1, [])


def _put_later(cluster: Cluster, number: int, rule: str) -> None:
    (outcome,) = cluster.bulk([create_action(LATER, alert_id(number), of_rule(number, rule))])
    assert outcome.created
