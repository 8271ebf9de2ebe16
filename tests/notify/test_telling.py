"""What is told, when, and how often: the rules hold on a real node, by a clock of the tests' own."""

from msgspec.structs import replace

from osdetect.cluster import Cluster
from osdetect.follow import shards_of
from osdetect.notify.form import Outbox
from osdetect.notify.message import EXAMPLES, LISTED_IDS
from osdetect.notify.standing import stand
from tests.alerts.material import NAMESPACE, alert_id
from tests.notify.material import INDEX, Clock, Kept, change, plain, put_of_rule, work


def test_each_alert_is_told_once(cluster: Cluster) -> None:
    put_of_rule(cluster, [1])
    clock, kept = Clock(), Kept()
    soc = work(cluster, plain(), clock, send=kept)
    assert soc.make_pass().messages == 1
    (message,) = kept.messages
    assert (message.count, message.ids, message.channel) == (1, (alert_id(1),), "soc")
    assert message.rule["author"] == "Robin Author"
    assert message.alerts[0]["event"]["action"] == "CreateThing"
    clock.forward(600)
    told = soc.make_pass()
    assert (told.messages, told.taken_in, told.waiting) == (0, 0, 0)
    assert len(kept.messages) == 1


def test_a_flood_makes_one_message_a_minute(cluster: Cluster) -> None:
    clock, kept = Clock(), Kept()
    soc = work(cluster, plain(), clock, send=kept)
    put_of_rule(cluster, [0])
    soc.make_pass()
    started = clock.now
    times = []
    for burst in range(10):
        put_of_rule(cluster, range(1 + burst * 500, 501 + burst * 500))
        before = len(kept.messages)
        soc.make_pass()
        times += [clock.now] * (len(kept.messages) - before)
        clock.forward(15)
    clock.forward(60)
    soc.make_pass()
    counts = [message.count for message in kept.messages]
    assert counts[0] == 1, "the first goes at once"
    assert sum(counts) == 5_001, "every alert is in one message"
    assert len(counts) <= 1 + (clock.now - started).total_seconds() / 60
    assert times == sorted(set(times)), "never two of a rule at once"
    biggest = max(kept.messages, key=lambda message: message.count)
    assert biggest.count > 500
    assert (len(biggest.alerts), len(biggest.ids)) == (EXAMPLES, LISTED_IDS)
    assert biggest.first < biggest.last
    assert len({message.key for message in kept.messages}) == len(counts)


def test_rules_do_not_wait_for_each_other(cluster: Cluster) -> None:
    clock, kept = Clock(), Kept()
    soc = work(cluster, plain(), clock, send=kept)
    put_of_rule(cluster, range(300), "noisy")
    soc.make_pass()
    put_of_rule(cluster, range(300, 600), "noisy")
    put_of_rule(cluster, [600], "quiet")
    told = soc.make_pass()
    assert [message.rule["id"] for message in kept.messages] == ["noisy", "quiet"]
    assert told.waiting == 1


def test_a_change_of_an_alert_tells_nothing(cluster: Cluster) -> None:
    put_of_rule(cluster, range(3))
    clock, kept = Clock(), Kept()
    soc = work(cluster, plain(), clock, send=kept)
    soc.make_pass()
    for number in range(3):
        change(cluster, number, status="acknowledged")
    clock.forward(120)
    told = soc.make_pass()
    assert (told.taken_in, told.messages, len(kept.messages)) == (0, 0, 1)


def test_an_alert_that_is_changed_before_it_is_seen_is_told(cluster: Cluster) -> None:
    clock, kept = Clock(), Kept()
    soc = work(cluster, plain(), clock, send=kept)
    put_of_rule(cluster, range(3))
    change(cluster, 1, status="acknowledged")
    soc.make_pass()
    assert sorted(kept.alerts) == sorted(alert_id(number) for number in range(3))


def test_an_alert_that_moved_over_the_cursor_unseen_is_told(cluster: Cluster) -> None:
    """It is written, the checkpoint is read, it is changed, and then the page is read: its old place is empty."""
    clock, kept = Clock(), Kept()
    soc = work(cluster, plain(), clock, send=kept)
    put_of_rule(cluster, [0])
    soc.make_pass()
    put_of_rule(cluster, [1, 2], "other")
    change(cluster, 1, status="acknowledged")
    # The cursor of a pass that read its page between the two: behind both alerts' first places.
    cluster.request("POST", "/osdetect-state/_refresh")
    body = {"query": {"term": {"kind": "cursor"}}}
    (hit,) = cluster.request("POST", "/osdetect-state/_search", body=body)["hits"]["hits"]
    cursor = {**hit["_source"]["cursor"], "seq_no": 2}
    cluster.request("PUT", f"/osdetect-state/_doc/{hit['_id']}", body={**hit["_source"], "cursor": cursor})
    soc.make_pass()
    assert alert_id(1) in kept.alerts


def test_a_channel_begins_with_what_comes_after_it(cluster: Cluster) -> None:
    put_of_rule(cluster, range(5))
    clock, kept = Clock(), Kept()
    soc = work(cluster, plain(history=False), clock, send=kept)
    assert soc.make_pass().taken_in == 0
    change(cluster, 2, status="closed")
    put_of_rule(cluster, [7])
    clock.forward(60)
    soc.make_pass()
    assert kept.alerts == [alert_id(7)]


def test_numbers_that_began_anew_are_not_older_than_the_channel(cluster: Cluster) -> None:
    put_of_rule(cluster, range(5))
    (shard,) = shards_of(cluster, INDEX)
    now = Clock()()
    standing = stand(cluster, NAMESPACE, "anew", [shard], history=False, now=now)
    assert standing.before(shard) == shard.checkpoint == 4
    assert standing.before(replace(shard, history="another")) == -1


def test_a_channel_tells_what_it_wants(cluster: Cluster) -> None:
    put_of_rule(cluster, [0, 2], "low-one", level="low")
    put_of_rule(cluster, [4, 6, 9], "high-one", level="high")  # 9 is of the other account
    clock, kept = Clock(), Kept()
    high, by_rule, account = Kept(), Kept(), Kept()
    work(cluster, plain("high"), clock, name="high", send=high).make_pass()
    work(cluster, plain(rules=["low-one"]), clock, name="rule", send=by_rule).make_pass()
    work(cluster, plain(accounts=["444455556666"]), clock, name="account", send=account).make_pass()
    work(cluster, plain(tags=["attack.persistence"]), clock, name="tag", send=kept).make_pass()
    assert sorted(high.alerts) == sorted(map(alert_id, (4, 6, 9)))
    assert sorted(by_rule.alerts) == sorted(map(alert_id, (0, 2)))
    assert account.alerts == [alert_id(9)]
    assert kept.alerts == []


def test_a_message_names_rule_and_author_also_when_its_alert_is_gone(cluster: Cluster) -> None:
    put_of_rule(cluster, [1, 2])
    clock, kept = Clock(), Kept()
    soc = work(cluster, plain(), clock, send=kept)
    soc.make_pass()
    put_of_rule(cluster, [3])
    soc.make_pass()  # taken in, and its minute is not over
    cluster.request("DELETE", f"/{INDEX}")
    clock.forward(61)
    soc.make_pass()
    last = kept.messages[-1]
    assert last.ids == (alert_id(3),)
    assert last.rule["author"] == "Robin Author"
    assert last.alerts[0]["gone"] is True


def test_the_outbox_says_what_waits(cluster: Cluster) -> None:
    put_of_rule(cluster, range(4))
    clock = Clock()
    soc = work(cluster, plain(), clock, send=Kept())
    soc.make_pass()
    put_of_rule(cluster, range(4, 10))
    soc.make_pass()
    outbox = Outbox.now(cluster, NAMESPACE)
    assert outbox is not None
    assert outbox.channels() == ("soc",)
    (behind,) = outbox.lanes("soc")
    assert behind.waits
    assert outbox.waiting(behind.lane) == 6
    assert (behind.lane.messages, behind.lane.alerts) == (1, 4)
