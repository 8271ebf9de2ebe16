"""Each code on a rule that deserves it, at the very key or item, and not on the same rule once it is cured."""

from pathlib import Path

import pytest

from osdetect.check import CODES
from tests.check.material import WORDS, codes, found, rule, selection

IAM = "eventSource: iam.amazonaws.com\neventName: CreateUser"
FILTER = """\
title: Our own pipeline
id: 6f0e3f0c-0000-4000-8000-000000000900
logsource: {{product: aws, service: cloudtrail}}
filter:
    rules: [6f0e3f0c-0000-4000-8000-000000000001]
    ours:
        userIdentity.userName: pipeline
    condition: {}
"""


def _words(old: str, new: str) -> str:
    assert old in WORDS
    return rule(
        "    selection:\n        eventName: CreateUser\n    condition: selection",
        words=WORDS.replace(old, new),
    )


def _condition(condition: str, more: str = "") -> str:
    return rule(f"    a:\n        eventName: CreateUser\n{more}    condition: {condition}")


# code: (what deserves it, the text that the finding's line holds, the same cured)
EXAMPLES: dict[str, tuple[str, str, str]] = {
    "OSD001": (selection("eventName|nonsense: a"), "eventName|nonsense", selection("eventName: CreateUser")),
    "OSD002": (
        _condition("a", "    timeframe: 5m\n"),
        "timeframe",
        _condition("a"),
    ),
    "OSD101": (
        "title: A filter\nlogsource: {product: aws}\nfilter:\n    a: {eventName: CreateUser}\n    condition: not a\n",
        "filter:",
        FILTER.format("not ours"),
    ),
    "OSD102": (_words("[none known]", "none"), "falsepositives", _words("[none known]", "[none]")),
    "OSD103": (
        _words("tags:", "related: [{id: 6f0e3f0c-0000-4000-8000-000000000009, type: copied}]\ntags:"),
        "related",
        _words("tags:", "related: [{id: 6f0e3f0c-0000-4000-8000-000000000009, type: derived}]\ntags:"),
    ),
    "OSD104": (_words("2024-05-01", "2024/05/01"), "date:", _words("2024-05-01", "2024-05-02")),
    "OSD105": (
        _words("status:", f"taxonomy: {'x' * 257}\nstatus:"),
        "taxonomy",
        _words("status:", "taxonomy: sigma\nstatus:"),
    ),
    "OSD106": (
        _words("[attack.persistence]", "[attack.persistence, attack.persistence]"),
        "tags",
        _words("[attack.persistence]", "[attack.persistence, attack.impact]"),
    ),
    "OSD107": (
        _words("[attack.persistence]", "[car.Cloud]"),
        "tags",
        _words("[attack.persistence]", "[car.cloud]"),
    ),
    "OSD108": (
        _words("tags:", "related: [{id: another, type: derived}]\ntags:"),
        "related",
        _words("tags:", "related: [{id: 6f0e3f0c-0000-4000-8000-000000000009, type: derived}]\ntags:"),
    ),
    "OSD109": (_words("[none known]", "[x]"), "falsepositives", _words("[none known]", "[xy]")),
    "OSD110": (
        FILTER.format("not ours") + "detection: {a: text, condition: a}\n",
        "detection",
        FILTER.format("not ours"),
    ),
    "OSD111": (_words(" [none known]", ""), "falsepositives", _words("[none known]", "[none]")),
    "OSD201": (
        selection("eventSource: aim.amazonaws.com"),
        "aim.",
        selection("eventSource: iam.amazonaws.com"),
    ),
    "OSD202": (selection("eventName: CreateUsr"), "CreateUsr", selection(IAM)),
    "OSD203": (
        selection("eventSource: iam.amazonaws.com\neventName: CreateTrail"),
        "CreateTrail",
        selection("eventSource: cloudtrail.amazonaws.com\neventName: CreateTrail"),
    ),
    "OSD204": (
        selection("eventSource: s3.amazonaws.com\neventName: PutPublicAccessBlock"),
        "PutPublicAccessBlock",
        selection("eventSource: s3.amazonaws.com\neventName: PutBucketPublicAccessBlock"),
    ),
    "OSD205": (selection("status: success"), "status: success", selection("errorCode|exists: false")),
    "OSD206": (
        selection("userIdentity.username: bob"),
        "userIdentity.username",
        selection("userIdentity.userName: bob"),
    ),
    "OSD207": (
        selection("userIdentity.type: AssumeRole"),
        "AssumeRole",
        selection("userIdentity.type: AssumedRole"),
    ),
    "OSD208": (
        selection("eventSource: 'iam.amazonaws.com '"),
        "iam.amazonaws.com '",
        selection("eventSource: 'iam.amazonaws.com'"),
    ),
    "OSD301": (
        _condition("a and b", "    b:\n        eventName: DeleteUser\n"),
        "DeleteUser",
        _condition("a or b", "    b:\n        eventName: DeleteUser\n"),
    ),
    "OSD302": (_condition("a or not a"), "condition", _condition("a")),
    "OSD303": (
        _condition("a", "    b:\n        eventName: DeleteUser\n"),
        "b:",
        _condition("1 of *", "    b:\n        eventName: DeleteUser\n"),
    ),
    "OSD304": (
        selection("eventName:\n    - CreateUser\n    - createuser"),
        "- createuser",
        selection("eventName|cased:\n    - CreateUser\n    - createuser"),
    ),
    "OSD306": (selection("errorCode: null"), "errorCode", selection("errorCode|exists: false")),
    "OSD307": (selection("userAgent: '*kali*'"), "kali", selection("userAgent|contains: kali")),
    "OSD308": (FILTER.format("ours"), "condition", FILTER.format("not ours")),
    "OSD401": (_words("level: high\n", ""), "title", _words("level: high", "level: low")),
    "OSD402": (
        _words("attack.persistence", "attack.persistance"),
        "tags",
        _words("attack.persistence", "attack.t1098"),
    ),
    "OSD403": (
        _words("attack.persistence", "attack.t1086"),
        "tags",
        _words("attack.persistence", "attack.t1059.001"),
    ),
}


@pytest.mark.parametrize("code", sorted(EXAMPLES))
def test_each_code_is_told_where_it_belongs_and_not_once_it_is_cured(code: str, tmp_path: Path) -> None:
    wrong, line, cured = EXAMPLES[code]
    (tmp_path / "wrong").mkdir()
    (tmp_path / "cured").mkdir()
    there = [finding for finding in found(tmp_path / "wrong", wrong) if finding.code.id == code]
    assert len(there) == 1
    assert line in there[0].where.excerpt
    assert there[0].where.column >= 1
    assert there[0].what
    assert code not in codes(found(tmp_path / "cured", cured))


def test_every_code_has_an_example() -> None:
    assert set(CODES) - set(EXAMPLES) == {"OSD305"}  # takes two rules: the next test


def test_a_rule_that_says_what_another_says_is_told(tmp_path: Path) -> None:
    same = found(
        tmp_path, selection(IAM), selection("eventName: createuser\neventSource: IAM.amazonaws.com", 2)
    )
    assert codes(same) == ["OSD305"]
    assert "Rule 1" in same[0].what
    assert same[0].where.file.endswith("1.yml")


def test_the_parts_of_a_correlation_may_say_what_another_rule_says(tmp_path: Path) -> None:
    correlation = """\
title: Many users
id: 6f0e3f0c-0000-4000-8000-000000000077
correlation:
    type: event_count
    rules: [6f0e3f0c-0000-4000-8000-000000000002]
    group-by: [recipientAccountId]
    timespan: 5m
    condition: {gte: 9}
"""
    assert "OSD305" not in codes(found(tmp_path, selection(IAM), selection(IAM, 2), correlation))


def test_a_good_rule_has_no_findings(tmp_path: Path) -> None:
    assert found(tmp_path, selection(IAM)) == ()
