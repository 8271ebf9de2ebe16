"""Channels and passes that the tests of notifications share; the clock is theirs."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from osdetect.cluster import Cluster, Version
from osdetect.notify.channel import ChannelWork, Surroundings
from osdetect.notify.message import Message
from osdetect.notify.outcome import Outcome, Sent
from osdetect.notify.senders import sender
from osdetect.notify.settings import AnyChannel, Stdout, Webhook
from tests.alerts.material import NAMESPACE, alert, alert_id, put

INDEX = f"osdetect-alerts-{NAMESPACE}-2024.05"


class Clock:
    """A clock that goes when it is told."""

    def __init__(self) -> None:
        self.now = datetime(2026, 3, 1, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def forward(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


def hook(url: str, **settings: Any) -> Webhook:
    """A webhook's channel that tells everything."""
    return Webhook(url=url, **{"namespace": NAMESPACE, "history": True, "timeout_s": 2.0, **settings})


def work(
    cluster: Cluster,
    channel: AnyChannel,
    clock: Clock,
    *,
    name: str = "soc",
    worker: str = "w1",
    send: Callable[[Message], Outcome] | None = None,
) -> ChannelWork:
    """A channel's work; no chance in its pauses."""
    around = Surroundings(worker, clock, stop=lambda: False, chance=lambda: 1.0)
    return ChannelWork(cluster, name, channel, send or sender(name, channel, clock), around)


class Kept:
    """A way out that keeps what it is given, for tests of what is told and when."""

    def __init__(self) -> None:
        self.messages: list[Message] = []

    def __call__(self, message: Message) -> Outcome:
        self.messages.append(message)
        return Sent()

    @property
    def alerts(self) -> list[str]:
        return [one for message in self.messages for one in message.ids]


def plain(level: str = "informational", **settings: Any) -> Stdout:
    """A channel for `Kept`."""
    made = {"kind": "stdout", "level": level, "namespace": NAMESPACE, "history": True, **settings}
    return msgspec.convert(made, Stdout)


def of_rule(number: int, rule: str = "rule-x", **words: Any) -> dict[str, Any]:
    """An alert of a rule."""
    made = alert(number)
    return {**made, "rule": {**made["rule"], "id": rule, "author": "Robin Author", **words}}


def put_of_rule(cluster: Cluster, numbers: Iterable[int], rule: str = "rule-x", **words: Any) -> None:
    """Store alerts of a rule."""
    put(cluster, {number: of_rule(number, rule, **words) for number in numbers})


def change(cluster: Cluster, number: int, **own: Any) -> None:
    """Change an alert as triage does."""
    stored = cluster.read_document(INDEX, alert_id(number))
    assert stored is not None
    before = dict(stored.source["osdetect"])
    before.setdefault("first_seq_no", stored.version.seq_no)
    version: Version = stored.version
    source = {**stored.source, "osdetect": {**before, **own}}
    assert cluster.replace_document(INDEX, alert_id(number), source, version) is not None
