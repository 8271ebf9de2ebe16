"""A cluster that is not set up for events, or does not take them: a clear error, and no good record a dead letter."""

import pytest

from osdetect.cluster import Cluster, Connection
from osdetect.errors import ClusterRefused, ClusterUnavailable
from tests.load.material import Folder, record, run, stored

pytestmark = pytest.mark.node


def test_without_our_template_nothing_is_loaded(fresh_cluster: str, files: Folder) -> None:
    cluster = Cluster.connect(Connection(url=fresh_cluster))
    with pytest.raises(ClusterRefused, match="no template") as caught:
        run(cluster, files.write("a.json.gz", [record(1)]))
    assert "osdetect deploy" in caught.value.cure
    assert not stored(cluster, "osdetect-*")
    cluster.close()


def test_a_foreign_template_over_ours_is_noticed(cluster: Cluster, files: Folder) -> None:
    body = {"index_patterns": ["osdetect-cloudtrail-default-*"], "priority": 9000, "template": {}}
    cluster.request("PUT", "/_index_template/osdetect-foreign", body=body)
    with pytest.raises(ClusterRefused, match="no template of osdetect"):
        run(cluster, files.write("a.json.gz", [record(1)]))


@pytest.mark.parametrize(("newer", "cause"), [(1, "a later osdetect deployed it"), (-1, "")])
def test_a_template_of_another_version_is_refused(
    cluster: Cluster, files: Folder, newer: int, cause: str
) -> None:
    path = "/_index_template/osdetect-events"
    (found,) = cluster.request("GET", path)["index_templates"]
    body = found["index_template"]
    body["template"]["mappings"]["_meta"]["version"] += newer
    cluster.request("PUT", path, body=body)
    with pytest.raises(ClusterRefused, match="is of version") as caught:
        run(cluster, files.write("a.json.gz", [record(1)]))
    assert caught.value.cause.startswith(cause)
    assert not stored(cluster, "osdetect-cloudtrail-*")


def test_trouble_of_the_cluster_is_no_reason_for_dead_letters(cluster: Cluster, files: Folder) -> None:
    path = files.write("a.json.gz", [record(1)])
    run(cluster, path)
    cluster.request(
        "PUT", "/osdetect-cloudtrail-default-2024.02/_settings", body={"index.blocks.write": True}
    )
    other = files.write("b.json.gz", [record(4)])
    with pytest.raises(ClusterRefused, match="does not take events"):
        run(cluster, other)
    assert not stored(cluster, "osdetect-deadletter-*")
    cluster.request(
        "PUT", "/osdetect-cloudtrail-default-2024.02/_settings", body={"index.blocks.write": False}
    )
    assert run(cluster, other).created == 1


def test_a_cluster_that_is_away_is_told(cluster: Cluster, files: Folder) -> None:
    nowhere = Connection(url="http://127.0.0.1:9", retry_for_s=0)
    away = Cluster(cluster._client.__class__([nowhere.url]), nowhere, (3,))
    with pytest.raises(ClusterUnavailable):
        run(away, files.write("a.json.gz", [record(1)]))
    away.close()
