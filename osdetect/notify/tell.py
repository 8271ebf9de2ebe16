"""Due messages are made, sent and marked; what fails in passing is tried again, what fails for good is kept apart."""

from collections.abc import Callable, Container
from datetime import datetime, timedelta

import msgspec
from msgspec.structs import replace

from osdetect.cluster import Cluster
from osdetect.follow import reached
from osdetect.notify import letters, standing
from osdetect.notify.form import AlertsAway, Behind, Link, Outbox, formed
from osdetect.notify.message import Message, iso
from osdetect.notify.outbox import Lane, write_lane
from osdetect.notify.outcome import Later, Never, Outcome, Sent, pause_s
from osdetect.notify.settings import Channel
from osdetect.notify.standing import Standing

_CLAIMS = 2
"""A claim lasts so many times the longest attempt."""


class Told(msgspec.Struct):
    """What a pass over a channel did."""

    channel: str
    taken_in: int = 0
    """Alerts that became entries."""
    messages: int = 0
    """Sent."""
    alerts: int = 0
    """Told by those."""
    waiting: int = 0
    """Rules with alerts that are not told yet."""
    dead: list[str] = msgspec.field(default_factory=list)
    """Why messages were given up."""
    unreached: str = ""
    """Why the receiver could not be told; empty: it could."""

    def to_json(self) -> dict[str, object]:
        """For machines."""
        return {
            "channel": self.channel,
            "alerts_taken_in": self.taken_in,
            "messages_sent": self.messages,
            "alerts_told": self.alerts,
            "rules_waiting": self.waiting,
            "dead_letters": self.dead,
            "unreached": self.unreached,
        }


class Teller(msgspec.Struct, frozen=True):
    """What one channel needs to tell."""

    cluster: Cluster
    channel: Channel
    send: Callable[[Message], Outcome]
    worker: str
    clock: Callable[[], datetime]
    chance: Callable[[], float]
    link: Link
    given_up: set[str] = msgspec.field(default_factory=set)
    """Keys of the messages that this process counted as given up: one whose mark fails is given up again."""

    def tell(
        self, outbox: Outbox, now_standing: Standing, told: Told, stop: Callable[[], bool]
    ) -> AlertsAway | None:
        """Send what is due, messages that were tried least first, until the receiver cannot be reached.

        A message that always fails is tried behind the others: it holds up none. Nor does a rule whose alerts cannot be
        read now: it waits for the next pass, and so do, unasked, the rules whose alerts are in the same index.

        Returns:
            Why alerts of a rule could not be read; None: nothing kept any from being told.

        Raises:
            ClusterError: the cluster did not take a mark; what was sent since is sent again, with the same key.
        """
        lanes = [behind for behind in outbox.lanes(told.channel) if behind.lane.going or behind.waits]
        lanes.sort(key=_order)
        told.waiting = len(lanes)
        away: dict[str, AlertsAway] = {}
        for behind in lanes:
            if stop() or told.unreached:
                break
            if now_standing.rests(self.clock()):
                told.unreached = f"it rests until {now_standing.rests_until}: {now_standing.why}"
                break
            try:
                lane = self._going(outbox, behind, away)
            except AlertsAway as error:
                away[error.index] = error
                continue
            if lane is not None:
                now_standing = self._lane(outbox.namespace, lane, now_standing, told)
        return next(iter(away.values()), None)

    def _going(self, outbox: Outbox, behind: Behind, away: Container[str]) -> Lane | None:
        """The lane with a message that this worker has claimed; None when nothing is due, another was faster, or its alerts are away.

        Raises:
            AlertsAway: see `formed`.
            ClusterError: the lane could not be read or claimed.
        """
        now, lane = self.clock(), behind.lane
        if lane.going is None:
            if not lane.open_at(now, self.channel.digest_s):
                return None
            made = formed(outbox, behind, now, self.link, away)
            if made is None:
                return None
            lane = made
        assert lane.going is not None
        if not lane.going.ready(now, self.worker):
            return None
        until = iso(now + timedelta(seconds=_CLAIMS * self.channel.timeout_s))
        going = replace(
            lane.going, attempts=lane.going.attempts + 1, claimed_by=self.worker, claimed_until=until
        )
        return write_lane(self.cluster, outbox.namespace, replace(lane, going=going), now)

    def _lane(self, namespace: str, lane: Lane, before: Standing, told: Told) -> Standing:
        """Send the lane's message and mark what came of it; how the channel stands then."""
        assert lane.going is not None
        reached("message-claimed")
        outcome = self.send(lane.going.message)
        reached("message-sent")
        now = self.clock()
        after = before
        match outcome:
            case Later(why, after_s):
                told.unreached = why
                rest = max(after_s, pause_s(before.failures + 1, self.chance()))
                after = standing.failed(self.cluster, before, why, rest, now)
                if lane.going.attempts < self.channel.attempts:
                    self._put_off(namespace, lane, outcome, now)
                    return after
                self._give_up(lane, f"{why} (given up after {lane.going.attempts} attempts)", told, now)
            case Never(why):
                self._give_up(lane, why, told, now)
            case Sent(refused):
                after = standing.recovered(self.cluster, before, now)
                if refused:
                    self._give_up(lane, f"not everybody got it: {refused}", told, now)
                told.messages += 1
                told.alerts += lane.going.message.count
        if write_lane(self.cluster, namespace, lane.ended(now, sent=isinstance(outcome, Sent)), now):
            told.waiting -= 1
        return after

    def _put_off(self, namespace: str, lane: Lane, outcome: Later, now: datetime) -> None:
        assert lane.going is not None
        pause = max(outcome.after_s, pause_s(lane.going.attempts, self.chance()))
        going = replace(
            lane.going,
            due=iso(now + timedelta(seconds=pause)),
            claimed_by="",
            claimed_until="",
            error=outcome.why,
        )
        write_lane(self.cluster, namespace, replace(lane, going=going), now)

    def _give_up(self, lane: Lane, why: str, told: Told, now: datetime) -> None:
        assert lane.going is not None
        message = lane.going.message
        letters.bury(self.cluster, message, why, now)
        if message.key not in self.given_up:
            self.given_up.add(message.key)
            told.dead.append(why)


def _order(behind: Behind) -> tuple[int, str]:
    going = behind.lane.going
    return (going.attempts, going.message.made) if going else (0, "")
