"""Dead letters of the detector: a verdict that could not be made, an alert that could not be stored."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from osdetect.cluster import Cluster, ItemOutcome, create_action
from osdetect.detect.groups import Touched
from osdetect.detect.judge import Alert, Unjudged, Withheld
from osdetect.errors import ClusterRefused
from osdetect.vocabulary import DEADLETTER_PREFIX

RefusedAlert = tuple[Alert | Withheld | Touched, ItemOutcome]


def store_dead_letters(
    cluster: Cluster,
    namespace: str,
    refused: Sequence[RefusedAlert],
    unjudged: Sequence[Unjudged],
    now: datetime,
) -> None:
    """Keep each loss with its reason. Ids are functions of what was lost: doing it again adds nothing.

    Raises:
        ClusterRefused: not even the dead letter could be stored; the cursor must not move.
    """
    letters = [_of_alert(alert, outcome) for alert, outcome in refused] + [_of_pair(one) for one in unjudged]
    actions = [
        create_action(
            f"{DEADLETTER_PREFIX}{namespace}",
            f"detect-{letter_id}",
            {
                "@timestamp": now.isoformat(),
                "namespace": namespace,
                "source": "detect",
                "reason": reason,
                "record": record,
            },
        )
        for letter_id, reason, record in letters
    ]
    if not actions:
        return
    failed = next((outcome for outcome in cluster.bulk(actions) if outcome.failed), None)
    if failed is not None:
        raise ClusterRefused(
            "a dead letter could not be stored",
            cause=failed.reason,
            cure="see the cluster's logs; the run goes on from the same place when it is started again",
        )


def _of_alert(alert: Alert | Withheld | Touched, outcome: ItemOutcome) -> tuple[str, str, Mapping[str, Any]]:
    return alert.id, f"the cluster refused the alert: {outcome.error_type}: {outcome.reason}", alert.source


def _of_pair(one: Unjudged) -> tuple[str, str, dict[str, Any]]:
    event, rule_id = one.candidate
    letter_id = hashlib.sha256(f"{rule_id}\0{event.at.key}".encode()).hexdigest()[:40]
    return letter_id, one.reason, {"rule": rule_id, "index": event.at.index, "id": event.at.id}
