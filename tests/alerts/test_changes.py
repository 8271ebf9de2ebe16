"""What each change makes of an alert, and when it is refused."""

from typing import Any

import pytest

from osdetect.alerts.changes import Nothing, Refusal, State, Verb, Write, decide, known_by
from tests.alerts.material import alert, change


def _after(source: dict[str, Any], *changes: Any) -> dict[str, Any]:
    for one in changes:
        done = decide(one, source, State.of(source), seq_no=7)
        assert isinstance(done, Write)
        source = done.source
    return source


ACKED = _after(alert(1), change(Verb.ACK))
CLOSED = _after(alert(1), change(Verb.CLOSE, to="fp"))
GIVEN = _after(alert(1), change(Verb.ASSIGN, to="lee"))


@pytest.mark.parametrize(
    ("source", "wanted", "outcome"),
    [
        (alert(1), change(Verb.ACK), Write),
        (ACKED, change(Verb.ACK), Nothing),
        (ACKED, change(Verb.ACK, by="lee"), Refusal),
        (CLOSED, change(Verb.ACK), Refusal),
        (alert(1), change(Verb.CLOSE, to="tp"), Write),
        (ACKED, change(Verb.CLOSE, by="lee", to="tp"), Write),
        (CLOSED, change(Verb.CLOSE, by="lee", to="fp"), Nothing),
        (CLOSED, change(Verb.CLOSE, to="tp"), Refusal),
        (alert(1), change(Verb.REOPEN), Nothing),
        (ACKED, change(Verb.REOPEN), Write),
        (CLOSED, change(Verb.REOPEN), Write),
        (alert(1), change(Verb.ASSIGN, to="lee"), Write),
        (GIVEN, change(Verb.ASSIGN, to="lee"), Nothing),
        (GIVEN, change(Verb.ASSIGN, to="kim"), Write),
        (GIVEN, change(Verb.ASSIGN), Write),
        (CLOSED, change(Verb.ASSIGN, to="kim"), Refusal),
        (CLOSED, change(Verb.COMMENT, comment="x"), Write),
        (alert(1, status="strange"), change(Verb.ACK), Refusal),
        ({"rule": {}}, change(Verb.ACK), Write),
        ({"osdetect": "x"}, change(Verb.CLOSE, to="tp"), Write),
    ],
)
def test_each_change_is_made_is_there_already_or_is_refused(
    source: dict[str, Any], wanted: Any, outcome: type
) -> None:
    assert isinstance(decide(wanted, source, State.of(source), seq_no=7), outcome)


def test_the_history_says_who_did_what_and_keeps_the_verdict_of_what_was_reopened() -> None:
    done = _after(
        alert(1),
        change(Verb.ACK),
        change(Verb.ASSIGN, to="lee"),
        change(Verb.CLOSE, by="lee", to="fp", comment="our scanner"),
        change(Verb.REOPEN, comment="not ours"),
        change(Verb.ASSIGN),
    )["osdetect"]
    assert [(one["by"], one["change"], one.get("from"), one.get("to")) for one in done["history"]] == [
        ("kim", "acknowledged", "open", "acknowledged"),
        ("kim", "assigned", None, "lee"),
        ("lee", "closed", "acknowledged", "fp"),
        ("kim", "reopened", "fp", "open"),
        ("kim", "assigned", "lee", None),
    ]
    assert [(one["by"], one["text"]) for one in done["comments"]] == [
        ("lee", "our scanner"),
        ("kim", "not ours"),
    ]
    assert (done["status"], "closed_as" in done, "assignee" in done) == ("open", False, False)


def test_the_first_write_of_an_alert_is_remembered_and_the_rest_of_it_kept() -> None:
    first = decide(change(Verb.ACK), alert(1), State.of(alert(1)), seq_no=41)
    assert isinstance(first, Write)
    then = decide(change(Verb.CLOSE, to="tp"), first.source, State.of(first.source), seq_no=99)
    assert isinstance(then, Write)
    assert then.source["osdetect"]["first_seq_no"] == 41
    for name, value in alert(1).items():
        if name != "osdetect":
            assert then.source[name] == value
    for name, value in alert(1)["osdetect"].items():
        if name != "status":
            assert then.source["osdetect"][name] == value
    assert alert(1)["osdetect"].keys() <= then.source["osdetect"].keys()


def test_a_comment_is_not_lost_where_the_rest_is_there_already() -> None:
    done = decide(change(Verb.CLOSE, to="fp", comment="me too"), CLOSED, State.of(CLOSED), seq_no=1)
    assert isinstance(done, Write)
    assert done.source["osdetect"]["history"][-1]["change"] == "commented"
    assert done.source["osdetect"]["comments"][-1]["text"] == "me too"
    assert done.source["osdetect"]["closed_as"] == "fp"


@pytest.mark.parametrize(
    ("now", "wanted", "outcome"),
    [
        (CLOSED, change(Verb.CLOSE, by="lee", to="tp"), Refusal),
        (CLOSED, change(Verb.CLOSE, by="lee", to="fp"), Nothing),
        (ACKED, change(Verb.CLOSE, by="lee", to="tp"), Refusal),
        (GIVEN, change(Verb.ASSIGN, to="kim"), Refusal),
        (GIVEN, change(Verb.ASSIGN, to="lee"), Nothing),
        (GIVEN, change(Verb.ACK), Refusal),
        (CLOSED, change(Verb.COMMENT, comment="x"), Write),
        (alert(1, suppression={"count": 3}), change(Verb.ACK), Write),
    ],
)
def test_what_another_did_meanwhile_is_never_written_over(
    now: dict[str, Any], wanted: Any, outcome: type
) -> None:
    done = decide(wanted, now, State.of(alert(1)), seq_no=1)
    assert isinstance(done, outcome)
    if isinstance(done, Refusal):
        assert "meanwhile" in done.why
        assert "by kim at 2024-06-01" in done.why


def test_a_change_is_known_again_by_its_id() -> None:
    assert known_by(change(Verb.ACK), ACKED)
    assert not known_by(change(Verb.ACK, by="lee"), ACKED)
    assert not known_by(change(Verb.ACK), {"osdetect": {"history": "damaged"}})
