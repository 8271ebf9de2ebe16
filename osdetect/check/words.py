"""The words around a detection: what is missing, and tags that ATT&CK does not have."""

from collections.abc import Iterator
from difflib import get_close_matches

from osdetect.check.findings import Finding, Subject
from osdetect.schema.attack import is_attack_tag, successor, tactics

_WANTED = {
    "description": "an analyst reads it beside the alert",
    "level": "osdetect takes medium",
    "status": "it says how far the rule can be trusted",
    "author": "alerts name the author",
    "date": "it says how old the rule is",
    "references": "they say where the knowledge is from",
    "falsepositives": "they say what else may look like this",
    "tags": "alerts name the tactics and techniques of ATT&CK",
}
"""The keys that the specification leaves optional, and what is lost without each."""


def missing_words(subject: Subject) -> Iterator[Finding]:
    """The keys that help an analyst and are not there, told together."""
    missing = [name for name in _WANTED if not subject.data.get(name)]
    if subject.kind == "rule" and missing:
        yield subject.finding(
            "OSD401",
            f"{', '.join(missing)} missing",
            at=("title",),
            cause="; ".join(f"{name}: {_WANTED[name]}" for name in missing),
            cure="add what is known",
        )


def attack_tags(subject: Subject) -> Iterator[Finding]:
    """Tags of the attack namespace that ATT&CK does not have, or no longer."""
    tags = subject.data.get("tags")
    for i, tag in enumerate(tags if isinstance(tags, list) else ()):
        if not isinstance(tag, str) or not tag.lower().startswith("attack."):
            continue
        if not is_attack_tag(tag):
            yield subject.finding(
                "OSD402",
                f"ATT&CK does not have {tag[7:67]!r}, or no longer",
                at=("tags", i),
                cause="the tag names no tactic and no technique that is known, so alerts cannot name it",
                cure=_probably_meant(tag),
            )
        elif later := successor(tag):
            yield subject.finding(
                "OSD403",
                f"ATT&CK replaced {tag[7:].upper()} by {later}",
                at=("tags", i),
                cause="the id still works; reports by technique will count it apart",
                cure=f"write attack.{later.lower()}",
            )


def _probably_meant(tag: str) -> str:
    name = tag[7:71].lower().replace("_", "-").replace(" ", "-")
    near = get_close_matches(name, tactics(), n=1, cutoff=0.8)
    return (
        f"write attack.{near[0]}"
        if near
        else "write a tactic like attack.persistence or a technique like attack.t1098"
    )
