"""How packs, and what became of them, are shown."""

from collections.abc import Sequence
from typing import Any

from osdetect.cli.output import LISTED, error_json, print_error, print_refusals, print_table, say, write_line
from osdetect.packs import Change, Conflict, Failed, Listed, State
from osdetect.packs.manifest import HeldRule
from osdetect.source import printable


def print_change(change: Change | Failed, *, verbose: bool) -> None:
    """What became of a pack, for people."""
    if isinstance(change, Failed):
        print_error(change.error)
        say(f"the pack {change.name} stays as it was")
        return
    pack = change.pack
    print_refusals(change.refused if verbose else change.newly_refused, all_of_them=verbose)
    for conflict in change.conflicts:
        _print_conflict(conflict, pack.name, verbose=verbose)
    for sign, rules in (("+", change.added), ("~", change.changed), ("-", change.removed)):
        _print_rules(sign, rules, all_of_them=verbose)
    if not change.written:
        at = f" ({_revision(pack.revision)})" if pack.revision else ""
        write_line(f"{pack.name}: nothing new{at}")
    left_out = f", {change.left_out} not selected" if change.left_out else ""
    write_line(
        f"{pack.name}: {pack.rules} rules, {len(change.added)} added, {len(change.changed)} changed, "
        f"{len(change.removed)} removed{left_out}, {_refusals(change)}, {len(change.conflicts)} conflicts"
    )
    moved = f"{_revision(change.before)} → " if change.before not in {"", pack.revision} else ""
    write_line(f"  source: {printable(pack.source.location, 300)} {moved}{_revision(pack.revision)}".rstrip())
    duty = f": {pack.licence.duty}" if pack.licence.duty else ""
    write_line(f"  licence: {pack.licence.name}{duty}; {pack.licence.authors} authors are named by the rules")


def _refusals(change: Change) -> str:
    refused, new = len(change.pack.refused), len(change.newly_refused)
    if new >= refused:
        return f"{refused} refused"
    known = f"{new} of them new" if new else "as before; the lock file names them"
    return f"{refused} refused ({known})"


def _print_conflict(conflict: Conflict, pack: str, *, verbose: bool) -> None:
    say(f"conflict: overlays/{pack}/{printable(conflict.file, 300)}: {printable(conflict.what, 300)}")
    for line in conflict.diff if verbose else conflict.diff[:LISTED]:
        say(f"    {printable(line)}")
    say("  cure:  change the overlay, or say that it is right: osdetect packs update --accept " + pack)


def _print_rules(sign: str, rules: Sequence[HeldRule], *, all_of_them: bool) -> None:
    shown = rules if all_of_them else rules[:LISTED]
    for rule in shown:
        write_line(f"{sign} {printable(rule.id, 40)} {printable(rule.title, 100)}")
    if len(rules) > len(shown):
        write_line(f"{sign} ... and {len(rules) - len(shown)} more; --verbose lists all")


def _revision(revision: str) -> str:
    return revision[:12]


def change_json(change: Change | Failed) -> dict[str, Any]:
    """What became of a pack, for machines."""
    if isinstance(change, Failed):
        return {"name": change.name, "failed": error_json(change.error)}
    return {
        "name": change.pack.name,
        **change.pack.to_json(),
        "before": change.before,
        "written": change.written,
        "added": [_rule_json(rule) for rule in change.added],
        "changed": [_rule_json(rule) for rule in change.changed],
        "removed": [_rule_json(rule) for rule in change.removed],
        "not_selected": change.left_out,
        "conflicts": [
            {"rule": one.id, "overlay": one.file, "what": one.what, "diff": list(one.diff)}
            for one in change.conflicts
        ],
        "refused_files": [error_json(one) for one in change.refused],
        "newly_refused": [error_json(one) for one in change.newly_refused],
    }


def _rule_json(rule: HeldRule) -> dict[str, str]:
    return {"id": rule.id, "title": rule.title, "file": rule.file}


def is_wrong(one: Listed) -> bool:
    """Whether somebody should look at a pack."""
    return one.state is not State.CLEAN or any(overlay.conflict for overlay in one.pack.overlays)


def print_listed(found: Sequence[Listed]) -> None:
    """The packs as a table, and what is wrong with them."""
    if not found:
        write_line("there are no packs; osdetect packs add SOURCE adds one")
        return
    header = ("pack", "state", "rules", "refused", "overlays", "revision", "licence", "source")
    print_table("", header, [_row(one) for one in found])
    for one in found:
        for path in one.differing[:LISTED]:
            write_line(f"{one.pack.name}: not as it was put there: {printable(path, 300)}")
        if len(one.differing) > LISTED:
            write_line(f"{one.pack.name}: ... and {len(one.differing) - LISTED} files more")


def _row(one: Listed) -> tuple[str, ...]:
    pack = one.pack
    conflicts = sum(overlay.conflict for overlay in pack.overlays)
    overlays = f"{len(pack.overlays)}, {conflicts} in conflict" if conflicts else str(len(pack.overlays))
    revision = " ".join(word for word in (pack.source.ref, _revision(pack.revision)) if word)
    return (
        pack.name, one.state.value, str(pack.rules), str(len(pack.refused)), overlays, revision, pack.licence.name,
        pack.source.location,
    )  # fmt: skip


def listed_json(one: Listed) -> dict[str, Any]:
    """A pack, for machines."""
    return {
        "name": one.pack.name,
        "state": one.state.value,
        "differing": list(one.differing),
        **one.pack.to_json(),
    }
