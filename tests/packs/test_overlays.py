"""Overlays: in effect, surviving updates, in conflict when their base changed, and never lost."""

from pathlib import Path

import pytest

from osdetect.expr import to_json
from osdetect.sigma import ReadOptions, Rule, read_rules
from tests.packs.conftest import Packs
from tests.packs.material import Repository, rule, rule_id

PATCH = f"""overlay: patch
id: {rule_id("CreateUser")}
why: our pipeline makes users
change:
  level: low
  detection.ours: {{userName: ci}}
  detection.condition: call and not ours
"""
DISABLE = f"overlay: disable\nid: {rule_id('GetUser')}\nwhy: too loud here\n"


def overlay(root: Path, name: str, text: str) -> Path:
    file = root / "overlays/upstream" / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return file


def rules(root: Path) -> dict[str, Rule]:
    read = read_rules([root / "packs"], ReadOptions(every_log_source=True))
    assert read.refused == ()
    return {one.title: one for one in read.rules}


def test_rules_are_patched_disabled_replaced_and_added(
    packs: Packs, root: Path, upstream: Repository
) -> None:
    packs("add", upstream.folder)
    before = rules(root)
    overlay(root, "patch.yml", PATCH)
    overlay(root, "aws/disable.yml", DISABLE)
    overlay(
        root, "replace.yml", rule("ListUsers", level="critical", description="ours") + "---\n" + rule("Own")
    )
    done = packs("update", "--offline", "--output", "json")
    assert done.status == 0, done.err
    after = rules(root)
    assert set(after) == {"CreateUser", "DeleteTrail", "ListUsers", "Own", "Whoami"}
    assert (after["CreateUser"].level, after["ListUsers"].level) == ("low", "critical")
    assert "ci" in str(to_json(after["CreateUser"].tree))
    assert after["CreateUser"].author == "Ada, Grace"
    assert after["DeleteTrail"] == before["DeleteTrail"]
    assert [one["title"] for one in done.json[0]["removed"]] == ["GetUser"]
    assert packs("list").status == 0


def test_without_its_overlay_a_rule_is_again_what_the_source_says(
    packs: Packs, root: Path, upstream: Repository
) -> None:
    packs("add", upstream.folder)
    before = rules(root)
    files = [overlay(root, "patch.yml", PATCH), overlay(root, "disable.yml", DISABLE)]
    files.append(overlay(root, "all.yml", f"overlay: disable\nid: {rule_id('DeleteTrail')}\n"))
    packs("update", "--offline")
    assert set(rules(root)) == {"CreateUser", "ListUsers", "Whoami"}
    for file in files:
        file.unlink()
    assert packs("update", "--offline").status == 0
    assert rules(root) == before
    assert (root / "packs/upstream/rules/aws/DeleteTrail.tests.yml").exists()


def test_an_update_in_conflict_is_told_until_somebody_looked(
    packs: Packs, root: Path, upstream: Repository
) -> None:
    packs("add", upstream.folder)
    file = overlay(root, "patch.yml", PATCH)
    assert packs("update").status == 0
    changed = rule("CreateUser", level="critical", description="sharper")
    upstream.commit({"rules/aws/CreateUser.yml": changed, "rules/aws/StopLogging.yml": rule("StopLogging")})

    done = packs("update", "--output", "json")
    assert done.status == 1
    (conflict,) = done.json[0]["conflicts"]
    assert (conflict["rule"], conflict["overlay"]) == (rule_id("CreateUser"), "patch.yml")
    assert "+level: critical" in conflict["diff"]
    assert "-level: high" in conflict["diff"]
    assert file.read_text(encoding="utf-8") == PATCH
    now = rules(root)
    assert "StopLogging" in now
    assert now["CreateUser"].level == "low"
    assert now["CreateUser"].description == "sharper"

    again = packs("update")
    assert again.status == 1
    assert "conflict" in again.err
    assert packs("list").status == 1
    assert packs("update", "--accept").status == 0
    assert packs("list").status == 0
    assert packs("update").status == 0


def test_a_changed_overlay_is_no_longer_in_conflict(packs: Packs, root: Path, upstream: Repository) -> None:
    packs("add", upstream.folder)
    overlay(root, "patch.yml", PATCH)
    packs("update")
    upstream.commit({"rules/aws/CreateUser.yml": rule("CreateUser", level="critical")})
    assert packs("update").status == 1
    overlay(root, "patch.yml", PATCH.replace("level: low", "level: medium"))
    assert packs("update").status == 0


def test_a_replacement_stays_in_effect_when_the_source_drops_its_rule(
    packs: Packs, root: Path, upstream: Repository
) -> None:
    overlay(root, "mine.yml", rule("DeleteTrail", level="low"))
    assert packs("add", upstream.folder).status == 0
    upstream.commit(remove=("rules/aws/DeleteTrail.yml",))
    done = packs("update")
    assert done.status == 1
    assert "the overlay's own is in effect" in done.err
    assert rules(root)["DeleteTrail"].level == "low"


def test_a_patch_whose_rule_is_gone_is_told(packs: Packs, root: Path, upstream: Repository) -> None:
    packs("add", upstream.folder)
    overlay(root, "patch.yml", PATCH)
    packs("update")
    upstream.commit(remove=("rules/aws/CreateUser.yml",))
    done = packs("update")
    assert done.status == 1
    assert "is not in the source" in done.err
    assert "CreateUser" not in rules(root)


def test_a_patch_that_no_longer_fits_leaves_the_old_pack(
    packs: Packs, root: Path, upstream: Repository
) -> None:
    packs("add", upstream.folder)
    overlay(
        root,
        "patch.yml",
        PATCH.replace("change:", "remove: [detection.call]\nchange:").replace("call and not ours", "ours"),
    )
    assert packs("update").status == 0
    before = rules(root)
    text = rule("CreateUser").replace("  call:", "  made:").replace("condition: call", "condition: made")
    upstream.commit({"rules/aws/CreateUser.yml": text, "rules/aws/StopLogging.yml": rule("StopLogging")})
    done = packs("update")
    assert done.status == 1
    assert "no longer fits" in done.err
    assert rules(root) == before


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("overlay: patch\nid: x\n", "changes nothing"),
        ("overlay: enable\nid: x\n", "must be patch or disable"),
        ("overlay: disable\n", "needs the id"),
        ("overlay: disable\nid: x\nlevel: low\n", "no part of an overlay"),
        ("title: x\nid: y\n", "neither a rule nor a change"),
        ("overlay: [\n", "cannot be read"),
        (f"overlay: patch\nid: {rule_id('CreateUser')}\nchange: {{author: Me}}\n", "does not change"),
        (
            f"overlay: patch\nid: {rule_id('CreateUser')}\nchange: {{detection.condition: nothing}}\n",
            "no rule",
        ),
        (DISABLE + "---\n" + DISABLE, "two overlays"),
    ],
)
def test_an_overlay_that_cannot_be_used_leaves_the_pack_as_it_was(
    packs: Packs, root: Path, upstream: Repository, text: str, said: str
) -> None:
    packs("add", upstream.folder, "--level", "high")
    before = rules(root)
    file = overlay(root, "wrong.yml", text)
    done = packs("update", "--offline")
    assert done.status == 1
    assert said in done.err
    assert "stays as it was" in done.err
    assert file.read_text(encoding="utf-8") == text
    assert rules(root) == before


def test_one_rule_of_a_file_whose_documents_share_words_is_patched(
    packs: Packs, root: Path, upstream: Repository
) -> None:
    shared = (
        "action: global\nauthor: Ada\nlevel: high\nlogsource: {product: aws, service: cloudtrail}\n---\n"
        + "---\n".join(
            f"title: {name}\nid: {rule_id(name)}\ndetection: {{call: {{eventName: {name}}}, condition: call}}\n"
            for name in ("One", "Two", "Three")
        )
    )
    upstream.commit({"rules/aws/shared.yml": shared})
    packs("add", upstream.folder)
    before = rules(root)
    overlay(root, "two.yml", f"overlay: patch\nid: {rule_id('Two')}\nchange: {{level: low}}\n")
    overlay(root, "three.yml", f"overlay: disable\nid: {rule_id('Three')}\n")
    assert packs("update").status == 0
    after = rules(root)
    assert (after["Two"].level, after["Two"].author) == ("low", "Ada")
    assert (after["One"].level, after["One"].author) == ("high", "Ada")
    assert set(before) - set(after) == {"Three"}


def test_a_rule_that_the_source_itself_broke_does_not_hold_up_the_overlay_of_its_neighbour(
    packs: Packs, root: Path, upstream: Repository
) -> None:
    odd = rule("Odd").replace("eventName", "eventName|nonsense")
    upstream.commit({"rules/aws/pair.yml": odd + "---\n" + rule("Even"), "rules/aws/again.yml": rule("Even")})
    packs("add", upstream.folder)
    overlay(root, "even.yml", f"overlay: patch\nid: {rule_id('Even')}\nchange: {{level: low}}\n")
    done = packs("update")
    assert done.status == 0  # what is refused was refused before: the lock file names it
    assert "stays as it was" not in done.err
    read = read_rules([root / "packs"], ReadOptions(every_log_source=True))
    assert next(one for one in read.rules if one.title == "Even").level == "low"
