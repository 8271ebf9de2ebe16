"""The fixtures that other tests stand on."""

import pytest

from osdetect.node.probe import Probe


@pytest.mark.node
def test_a_fresh_cluster_has_nothing_of_ours_on_it(node_url: str, request: pytest.FixtureRequest) -> None:
    probe = Probe(node_url)
    made: tuple[tuple[str, dict[str, object]], ...] = (
        ("/osdetect-rules-abc", {"aliases": {"osdetect-rules": {}}}),
        ("/_component_template/osdetect-parts", {"template": {}}),
        ("/_index_template/osdetect-events", {"index_patterns": ["osdetect-cloudtrail-*"]}),
        ("/_ingest/pipeline/osdetect-cloudtrail", {"processors": []}),
        ("/somebody-elses", {}),
    )
    for path, body in made:
        answer = probe.ask(path, method="PUT", body=body, timeout=30)
        assert answer is not None
        assert answer.status == 200
    assert request.getfixturevalue("fresh_cluster") == node_url
    left = []
    for path, _body in made:
        found = probe.ask(path)
        assert found is not None
        left.append(found.status)
    assert left == [404, 404, 404, 404, 200]
    aliases = probe.ask("/_alias/osdetect-rules")
    assert aliases is not None
    assert aliases.status == 404
