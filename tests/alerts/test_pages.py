"""Every alert is on some page, also where one page ends between two that agree in nearly all."""

from osdetect.alerts import Snapshot
from osdetect.cluster import Cluster
from tests.alerts.material import EVERY, NAMESPACE, alert, alert_id, put


def test_the_alerts_of_one_rule_and_event_are_all_read(cluster: Cluster) -> None:
    """An event's own alert, from before its rule gathered, and that of the group which it then began."""
    same = alert(1)
    put(
        cluster,
        {
            number: {**same, "osdetect": {**same["osdetect"], "id": alert_id(number)}}
            for number in range(1, 4)
        },
    )
    for size in (1, 2):
        with Snapshot(cluster, NAMESPACE) as snapshot:
            read = [hit["_id"] for hits in snapshot.pages(EVERY, size=size) for hit in hits]
        assert sorted(read) == sorted(map(alert_id, range(1, 4)))
