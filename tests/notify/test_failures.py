"""Receivers that are busy, away, broken or refuse; processes that die. Nothing is lost, and repetitions have their key."""

import socket
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from osdetect.cluster import Cluster
from osdetect.notify.channel import ChannelWork
from osdetect.notify.form import Outbox
from osdetect.notify.letters import letters
from osdetect.notify.message import Message
from osdetect.notify.outcome import Later, Never, Outcome, Sent
from tests.alerts.material import NAMESPACE, alert_id
from tests.cli.conftest import start
from tests.notify.material import Clock, Kept, hook, plain, put_of_rule, work
from tests.notify.receiver import Answer, Receiver


def test_a_busy_receiver_is_asked_again_when_it_says(cluster: Cluster, receiver: Receiver) -> None:
    put_of_rule(cluster, [1], "one")
    put_of_rule(cluster, [2], "two")
    receiver.answers = [Answer(429, (("Retry-After", "40"),), b"slow down")]
    clock = Clock()
    soc = work(cluster, hook(receiver.url), clock)
    told = soc.make_pass()
    assert "429" in told.unreached
    assert "slow down" in told.unreached
    assert len(receiver.got) == 1, "the other message is not even tried"
    clock.forward(39)
    assert "it rests" in soc.make_pass().unreached
    assert len(receiver.got) == 1
    clock.forward(2)
    assert soc.make_pass().messages == 2
    assert len({got.key for got in receiver.got}) == 2
    first, *_, again = sorted(receiver.got, key=lambda got: got.key != receiver.got[0].key)[:2]
    assert (first.key, first.raw) == (again.key, again.raw)


def test_a_receiver_that_was_down_gets_it_all_in_few_messages(cluster: Cluster) -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        port = reserved.getsockname()[1]
    clock = Clock()
    soc = work(cluster, hook(f"http://127.0.0.1:{port}/hook"), clock)
    for hour in range(5):
        put_of_rule(cluster, range(hour * 10, hour * 10 + 10))
        assert "cannot be reached" in soc.make_pass().unreached
        clock.forward(3_600)
    with Receiver(port) as receiver:
        soc.make_pass()
        clock.forward(61)
        soc.make_pass()
        assert [got.body["count"] for got in receiver.got] == [10, 40]
        assert sorted(one for got in receiver.got for one in got.body["alert_ids"]) == sorted(
            map(alert_id, range(50))
        )


@pytest.mark.parametrize("status", [302, 400, 410])
def test_what_is_refused_for_good_becomes_a_dead_letter(
    cluster: Cluster, receiver: Receiver, status: int
) -> None:
    put_of_rule(cluster, [1])
    receiver.answers = [Answer(status, (("Location", receiver.url),), b"no such hook")]
    soc = work(cluster, hook(receiver.url), Clock())
    told = soc.make_pass()
    assert len(told.dead) == 1
    assert len(receiver.got) == 1, "a redirection is not followed"
    (letter,) = letters(cluster, NAMESPACE)
    assert f"it answered {status}" in letter.reason
    assert letter.message.ids == (alert_id(1),)


def test_after_so_many_attempts_a_message_is_given_up(cluster: Cluster) -> None:
    put_of_rule(cluster, [1])
    clock = Clock()
    soc = work(cluster, plain(attempts=3), clock, send=lambda _: Later("it is down"))
    dead = []
    for _ in range(5):
        dead += soc.make_pass().dead
        clock.forward(1_000)
    assert dead == ["it is down (given up after 3 attempts)"]
    assert [letter.message.ids for letter in letters(cluster, NAMESPACE)] == [(alert_id(1),)]


def test_a_message_that_always_fails_holds_up_no_other(cluster: Cluster) -> None:
    put_of_rule(cluster, [1], "poison")
    clock, kept = Clock(), Kept()

    def send(message: Message) -> Outcome:
        return Later("it crashed") if message.rule["id"] == "poison" else kept(message)

    soc = work(cluster, plain(), clock, send=send)
    soc.make_pass()
    for number in range(10, 13):
        put_of_rule(cluster, [number], f"good-{number}")
        clock.forward(1_000)
        soc.make_pass()
    assert sorted(kept.alerts) == sorted(map(alert_id, range(10, 13)))


def test_workers_at_the_same_time_tell_each_alert_once(cluster: Cluster) -> None:
    clock, kept = Clock(), Kept()
    works = [work(cluster, plain(), clock, worker=name, send=kept) for name in ("w1", "w2", "w3")]
    failed: list[BaseException] = []

    def passes(begin: threading.Barrier, one: ChannelWork) -> None:
        begin.wait()
        try:
            one.make_pass()
        except BaseException as error:
            failed.append(error)
            raise

    for turn in range(4):
        for rule in range(5):
            first = turn * 50 + rule * 10
            put_of_rule(cluster, range(first, first + 10), f"rule-{rule}")
        begin = threading.Barrier(len(works))
        threads = [threading.Thread(target=passes, args=(begin, one)) for one in works]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        clock.forward(61)
    works[0].make_pass()  # what a pass took in while another had its lease
    assert failed == []
    assert sorted(kept.alerts) == sorted(map(alert_id, range(200)))


def test_who_dies_between_sending_and_marking_sends_the_same_again(cluster: Cluster) -> None:
    class Died(Exception):
        pass

    put_of_rule(cluster, range(3))
    clock, kept = Clock(), Kept()

    def dies(message: Message) -> Outcome:
        kept(message)
        raise Died

    channel = plain(timeout_s=10.0)
    with pytest.raises(Died):
        work(cluster, channel, clock, worker="w1", send=dies).make_pass()
    put_of_rule(cluster, [3, 4])
    other = work(cluster, channel, clock, worker="w2", send=kept)
    other.make_pass()
    assert len(kept.messages) == 1, "the claim holds"
    clock.forward(61)
    other.make_pass()
    clock.forward(61)
    other.make_pass()
    assert [message.count for message in kept.messages] == [3, 3, 2]
    assert kept.messages[0] == kept.messages[1]


@pytest.mark.parametrize(
    ("point", "sent_before"), [("before-move", 0), ("message-claimed", 0), ("message-sent", 1)]
)
def test_a_killed_process_is_followed_by_one_that_tells_the_same(
    cluster: Cluster, receiver: Receiver, tmp_path: Path, point: str, sent_before: int
) -> None:
    put_of_rule(cluster, range(3))
    settings = tmp_path / "channels.toml"
    settings.write_text(f'[channels.soc]\nkind = "webhook"\nurl = "{receiver.url}"\nhistory = true\n')
    _run_and_kill_at(point, tmp_path, "--channels", settings, "-n", NAMESPACE, "--url", cluster.url)
    assert len(receiver.got) == sent_before
    put_of_rule(cluster, [3])
    clock = Clock()
    clock.now = datetime.now(UTC)
    soc = work(cluster, hook(receiver.url), clock, worker="w2")
    for _ in range(3):
        clock.forward(70)  # leases, claims and the rule's minute are over
        soc.make_pass()
    if sent_before:
        first, again, rest = receiver.got
        assert (first.key, first.raw) == (again.key, again.raw)
        assert rest.body["alert_ids"] == [alert_id(3)]
    told = {got.key: got.body["alert_ids"] for got in receiver.got}
    assert sorted(one for ids in told.values() for one in ids) == sorted(map(alert_id, range(4)))


def _run_and_kill_at(point: str, folder: Path, *arguments: object) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listening:
        listening.bind(str(folder / "points"))
        listening.listen()
        listening.settimeout(60)
        process = start("notify", "run", "--once", *arguments, OSDETECT_TEST_POINTS=str(folder / "points"))
        while True:
            said, _ = listening.accept()
            with said:
                if said.recv(100).startswith(f"{point} ".encode()):
                    process.kill()
                    break
                said.sendall(b"go\n")
        process.communicate(timeout=30)


def test_a_partial_refusal_is_told_and_kept(cluster: Cluster) -> None:
    put_of_rule(cluster, [1])
    soc = work(cluster, plain(), Clock(), send=lambda _: Sent("kim@example.org: no such user"))
    told = soc.make_pass()
    assert (told.messages, len(told.dead)) == (1, 1)
    assert "kim@example.org" in next(letters(cluster, NAMESPACE)).reason


def test_a_lane_that_failed_for_good_goes_on(cluster: Cluster) -> None:
    clock, kept = Clock(), Kept()
    answers: list[Outcome] = [Never("gone")]

    def send(message: Message) -> Outcome:
        return answers.pop() if answers else kept(message)

    soc = work(cluster, plain(), clock, send=send)
    put_of_rule(cluster, [1])
    soc.make_pass()
    put_of_rule(cluster, [2])
    clock.forward(60)
    soc.make_pass()
    assert kept.alerts == [alert_id(2)]
    outbox = Outbox.now(cluster, NAMESPACE)
    assert outbox is not None
    (behind,) = outbox.lanes("soc")
    assert not behind.waits
