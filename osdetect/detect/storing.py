"""Alerts on their way into the cluster: a bounded number of them, two requests under way at once."""

from collections import Counter, deque
from collections.abc import Callable
from concurrent.futures import Future
from datetime import datetime
from functools import partial

from osdetect.cluster import Cluster, ItemOutcome, create_action
from osdetect.cluster.background import in_background
from osdetect.detect.groups import Settled, Touched, require_space, settle
from osdetect.detect.judge import Alert, NoMatch, Unjudged, Verdict, Withheld
from osdetect.detect.losses import store_dead_letters
from osdetect.detect.report import Counts
from osdetect.documents.match import Why
from osdetect.follow import for_one_index, reached

_REQUEST_ALERTS = 250
_REQUEST_BYTES = 4 << 20
_SENDERS = 2


class Storing:
    """Takes the verdicts of one batch and stores what follows from them; nothing is kept but what is under way."""

    def __init__(self, cluster: Cluster, namespace: str, clock: Callable[[], datetime]) -> None:
        self._cluster, self._namespace, self._clock = cluster, namespace, clock
        self._alerts: list[Alert | Withheld] = []
        self._actions: list[bytes] = []
        self._bytes = 0
        self._under_way: deque[tuple[list[Alert | Withheld], Future[tuple[ItemOutcome, ...]]]] = deque()
        self._lost: set[tuple[int, str, str]] = set()
        """The places of events that were lost."""
        self._candidates = self._matches = self._created = self._there = 0
        self._withheld: Counter[Why] = Counter()
        self._touched: dict[str, Touched] = {}

    def add(self, verdict: Verdict) -> None:
        """Take a verdict.

        Raises:
            IndexRefused: the cluster takes no alerts where this one belongs.
            IndexAway: it does not answer for them.
            ClusterError: an alert or a dead letter could not be stored.
        """
        self._candidates += 1
        match verdict:
            case Alert():
                self._matches += 1
                self._send_later(verdict)
            case Withheld():
                self._matches += 1
                self._send_later(verdict)
                if verdict.group is not None and verdict.alert is not None:
                    group, place = verdict.group, verdict.event.place
                    touched = Touched(group.id, group.alert_index, group.match_index, verdict.alert, place)
                    self._touched.setdefault(group.id, touched)
            case Unjudged((event, _)):
                self._lost.add(event.at.place)
                with for_one_index(self._cluster):
                    store_dead_letters(self._cluster, self._namespace, [], [verdict], self._clock())
            case NoMatch():
                pass

    def finish(self, events: int) -> Counts:
        """Wait until all is stored, then write the groups' alerts; what was done with a batch of so many events.

        Raises:
            IndexRefused: the cluster takes no alerts where this one belongs.
            IndexAway: it does not answer for them.
            ClusterError: an alert or a dead letter could not be stored.
        """
        settled = self._write_groups()
        return Counts(
            events=events,
            judged=events - len(self._lost),
            deadlettered=len(self._lost),
            candidates=self._candidates,
            matches=self._matches,
            alerts_created=self._created,
            alerts_there=self._there,
            gathered=self._withheld[Why.GATHERED],
            shadowed=self._withheld[Why.SHADOW],
            excepted=self._withheld[Why.EXCEPTED],
            groups_created=settled.created,
            groups_there=settled.there,
        )

    def _write_groups(self) -> Settled:
        """Write the alerts of the groups, once all their matches are stored."""
        self._send()
        while self._under_way:
            self._settle()
        reached("matches-stored")
        with for_one_index(self._cluster):
            settled = settle(self._cluster, self._touched.values())
            store_dead_letters(self._cluster, self._namespace, settled.refused, [], self._clock())
        self._lost |= {touched.place for touched, _ in settled.refused if touched.place is not None}
        return settled

    def _send_later(self, alert: Alert | Withheld) -> None:
        action = create_action(alert.index, alert.id, alert.source)
        self._alerts.append(alert)
        self._actions.append(action)
        self._bytes += len(action)
        if len(self._alerts) >= _REQUEST_ALERTS or self._bytes >= _REQUEST_BYTES:
            self._send()

    def _send(self) -> None:
        if not self._alerts:
            return
        if len(self._under_way) == _SENDERS:
            self._settle()
        sent = in_background(partial(self._cluster.bulk, self._actions))
        self._under_way.append((self._alerts, sent))
        self._alerts, self._actions, self._bytes = [], [], 0

    def _settle(self) -> None:
        alerts, sent = self._under_way.popleft()
        with for_one_index(self._cluster):
            outcomes = sent.result()
            refused = [(alert, one) for alert, one in zip(alerts, outcomes, strict=True) if one.failed]
            for alert, outcome in refused:
                require_space(alert.index, outcome)
            store_dead_letters(self._cluster, self._namespace, refused, [], self._clock())
        self._lost |= {alert.event.place for alert, _ in refused}
        for alert, outcome in zip(alerts, outcomes, strict=True):
            if outcome.failed:
                continue
            if isinstance(alert, Withheld):
                self._withheld[alert.why] += 1
            elif outcome.created:
                self._created += 1
            else:
                self._there += 1
