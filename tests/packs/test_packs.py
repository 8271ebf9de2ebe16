"""Packs from every kind of source: added, updated, listed, removed, and used like any folder of rules."""

import hashlib
import json
from pathlib import Path

import pytest

from osdetect.cli.main import run
from osdetect.sigma import ReadOptions, read_rules
from tests.packs.conftest import Packs
from tests.packs.material import DRL, Repository, held, rule, rule_id, tarred, zipped

AWS = ("--product", "aws")


def lock(root: Path) -> dict[str, dict[str, object]]:
    packs: dict[str, dict[str, object]] = json.loads((root / "osdetect.packs.lock").read_bytes())["packs"]
    return packs


def titles(root: Path) -> list[str]:
    read = read_rules([root / "packs"], ReadOptions(every_log_source=True))
    assert read.refused == ()
    return sorted(one.title for one in read.rules)


def test_a_git_repository_is_added_with_its_commit_licence_and_hash(
    packs: Packs, root: Path, upstream: Repository
) -> None:
    done = packs("add", upstream.folder, *AWS, "--output", "json")
    assert done.status == 0, done.err
    (told,) = done.json
    assert told["revision"] == upstream.git("rev-parse", "HEAD")
    assert told["licence"] == {"name": "DRL-1.1", "files": ["LICENSE"], "named_by_rules": [], "authors": 2}
    assert told["not_selected"] == 1
    assert set(held(root)) == {
        "upstream/LICENSE",
        "upstream/rules/aws/CreateUser.yml",
        "upstream/rules/aws/DeleteTrail.yml",
        "upstream/rules/aws/DeleteTrail.tests.yml",
        "upstream/rules/aws/several.yml",
    }
    assert held(root)["upstream/LICENSE"] == DRL
    entry = lock(root)["upstream"]
    manifest = (root / "packs/upstream/.manifest.json").read_bytes()
    assert entry["content"] == hashlib.sha256(manifest).hexdigest()
    assert (
        json.loads(manifest)["files"]["rules/aws/CreateUser.yml"]
        == hashlib.sha256((upstream.folder / "rules/aws/CreateUser.yml").read_bytes()).hexdigest()
    )


def test_what_the_licence_asks_for_is_told(packs: Packs, upstream: Repository) -> None:
    done = packs("add", upstream.folder)
    assert "DRL-1.1" in done.out
    assert "authors" in done.out


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("--level", "critical"), ["DeleteTrail"]),
        (("--level", "critical", "--level", "low"), ["DeleteTrail", "GetUser"]),
        (("--tag", "attack.t1136*"), ["CreateUser"]),
        (("--id", rule_id("ListUsers")), ["ListUsers"]),
        (("--service", "security"), ["Whoami"]),
        (("--status", "stable", "--product", "windows"), ["Whoami"]),
    ],
)
def test_rules_are_selected(
    packs: Packs, root: Path, upstream: Repository, options: tuple[str, ...], expected: list[str]
) -> None:
    assert packs("add", upstream.folder, *options).status == 0
    assert titles(root) == expected


def test_a_selection_that_takes_nothing_adds_nothing(packs: Packs, root: Path, upstream: Repository) -> None:
    done = packs("add", upstream.folder, "--product", "gcp")
    assert done.status == 4
    assert "none of the source's rules is selected" in done.err
    assert not (root / "osdetect.packs.lock").exists()


def test_a_correlation_rule_brings_the_rules_that_it_stands_on(
    packs: Packs, root: Path, upstream: Repository
) -> None:
    correlation = (
        f"title: Many users\nid: {rule_id('many')}\nlevel: critical\ncorrelation:\n  type: event_count\n"
        f"  rules: [{rule_id('CreateUser')}]\n  group-by: [userName]\n  timespan: 1h\n  condition: {{gte: 10}}\n"
    )
    sifted = (
        f"title: Not ours\nid: {rule_id('filter')}\nlogsource: {{product: aws, service: cloudtrail}}\nfilter:\n"
        f"  rules: [{rule_id('CreateUser')}]\n  ours: {{userName: ci}}\n  condition: not ours\n"
    )
    upstream.commit({"correlations/many.yml": correlation, "filters/ours.yml": sifted})
    assert packs("add", upstream.folder, *AWS, "--level", "critical").status == 0
    read = read_rules([root / "packs"])
    assert sorted(one.title for one in read.rules) == ["CreateUser", "DeleteTrail"]
    assert [one.correlation.title for one in read.correlations] == ["Many users"]
    assert next(one for one in read.rules if one.title == "CreateUser").filters == (rule_id("filter"),)


def test_an_update_shows_what_came_changed_and_went(packs: Packs, root: Path, upstream: Repository) -> None:
    first = packs("add", upstream.folder, *AWS, "--output", "json").json[0]["revision"]
    nothing = packs("update")
    assert nothing.status == 0
    assert "nothing new" in nothing.out
    second = upstream.commit(
        {
            "rules/aws/StopLogging.yml": rule("StopLogging"),
            "rules/aws/CreateUser.yml": rule("CreateUser", level="medium"),
        },
        remove=("rules/aws/DeleteTrail.yml",),
    )
    done = packs("update", "--output", "json")
    assert done.status == 0, done.err
    (told,) = done.json
    assert (told["before"], told["revision"]) == (first, second)
    assert [one["title"] for one in told["added"]] == ["StopLogging"]
    assert [one["title"] for one in told["changed"]] == ["CreateUser"]
    assert [one["title"] for one in told["removed"]] == ["DeleteTrail"]
    assert titles(root) == ["CreateUser", "GetUser", "ListUsers", "StopLogging"]


def test_a_ref_is_kept_and_can_be_changed(packs: Packs, root: Path, upstream: Repository) -> None:
    upstream.git("tag", "v1")
    upstream.commit({"rules/aws/StopLogging.yml": rule("StopLogging")})
    assert packs("add", upstream.folder, *AWS, "--ref", "v1").status == 0
    assert packs("update").status == 0
    assert "StopLogging" not in titles(root)
    assert packs("update", "upstream", "--ref", "main").status == 0
    assert "StopLogging" in titles(root)


def test_a_selection_can_be_changed(packs: Packs, root: Path, upstream: Repository) -> None:
    packs("add", upstream.folder, *AWS)
    assert packs("update", "upstream", "--level", "low").status == 0
    assert titles(root) == ["GetUser"]
    assert packs("update", "--everything").status == 0
    assert "Whoami" in titles(root)


def test_folders_and_archives_of_any_layout_hold_the_same_pack(
    packs: Packs, upstream: Repository, tmp_path: Path
) -> None:
    names = upstream.git("ls-files").splitlines()
    files = {f"rules-1.0/{name}": (upstream.folder / name).read_text(encoding="utf-8") for name in names}
    sources = (
        zipped(tmp_path / "a.zip", files),
        tarred(tmp_path / "b.tar.gz", files),
        tarred(tmp_path / "c.tgz", {name.removeprefix("rules-1.0/"): text for name, text in files.items()}),
        upstream.folder,
    )
    digests = []
    for number, source in enumerate(sources):
        kind = ("--kind", "folder") if source.is_dir() else ()
        done = packs("add", source, "--name", f"p{number}", *AWS, *kind, "--output", "json")
        assert done.status == 0, done.err
        digests.append(done.json[0]["content"])
    assert len(set(digests)) == 1
    assert done.json[0]["licence"]["name"] == "DRL-1.1"


def test_a_part_of_a_source_is_taken_with_the_licence_above_it(
    packs: Packs, root: Path, upstream: Repository
) -> None:
    assert packs("add", upstream.folder, "--folder", "rules/windows", "--name", "win").status == 0
    assert set(held(root)) == {"win/LICENSE", "win/whoami.yml"}


def test_rules_that_cannot_be_read_are_named_and_lose_nothing(
    packs: Packs, root: Path, upstream: Repository
) -> None:
    upstream.commit(
        {
            "rules/aws/broken.yml": "title: [\ndetection: {\n",
            "rules/aws/odd.yml": rule("Odd").replace("eventName", "eventName|nonsense"),
        }
    )
    done = packs("add", upstream.folder, *AWS)
    assert done.status == 1
    assert "rules/aws/broken.yml" in done.err
    assert "rules/aws/odd.yml" in done.err
    assert "2 refused" in done.out
    read = read_rules([root / "packs"])
    assert {"CreateUser", "DeleteTrail"} <= {one.title for one in read.rules}


def test_list_tells_clean_edited_and_missing(packs: Packs, root: Path, upstream: Repository) -> None:
    packs("add", upstream.folder, *AWS)
    assert packs("list").status == 0
    file = root / "packs/upstream/rules/aws/CreateUser.yml"
    file.write_text(rule("CreateUser", level="low"), encoding="utf-8")
    (root / "packs/upstream/rules/aws/more.yml").write_text(rule("More"), encoding="utf-8")
    done = packs("list", "--output", "json")
    assert done.status == 1
    assert done.json[0]["state"] == "edited"
    assert done.json[0]["differing"] == ["rules/aws/CreateUser.yml", "rules/aws/more.yml"]
    (root / "packs/upstream").rename(root / "elsewhere")
    assert packs("list", "--output", "json").json[0]["state"] == "missing"
    assert packs("update").status == 0
    assert packs("list", "--output", "json").json[0]["state"] == "clean"


def test_edits_are_not_written_over(packs: Packs, root: Path, upstream: Repository) -> None:
    packs("add", upstream.folder, *AWS)
    file = root / "packs/upstream/rules/aws/CreateUser.yml"
    file.write_text(rule("CreateUser", level="low"), encoding="utf-8")
    upstream.commit({"rules/aws/StopLogging.yml": rule("StopLogging")})
    for command in (("update",), ("remove", "upstream")):
        done = packs(*command)
        assert done.status == 4
        assert "were edited" in done.err
        assert "level: low" in file.read_text(encoding="utf-8")
    assert packs("update", "--discard-edits").status == 0
    assert "level: high" in file.read_text(encoding="utf-8")


def test_remove_takes_the_pack_and_leaves_the_overlays(
    packs: Packs, root: Path, upstream: Repository
) -> None:
    packs("add", upstream.folder, *AWS)
    overlay = root / "overlays/upstream/mine.yml"
    overlay.parent.mkdir(parents=True)
    overlay.write_text(rule("Mine"), encoding="utf-8")
    done = packs("remove", "upstream")
    assert done.status == 0
    assert "overlays stay" in done.out
    assert overlay.exists()
    assert not (root / "packs/upstream").exists()
    assert lock(root) == {}
    assert packs("remove", "upstream").status == 4


def test_one_pack_that_cannot_be_updated_does_not_stop_the_others(
    packs: Packs, root: Path, upstream: Repository, tmp_path: Path
) -> None:
    gone = Repository(tmp_path / "gone", {"a.yml": rule("Gone")})
    packs("add", gone.folder)
    packs("add", upstream.folder, *AWS)
    gone.folder.rename(tmp_path / "moved")
    upstream.commit({"rules/aws/StopLogging.yml": rule("StopLogging")})
    done = packs("update")
    assert done.status == 1
    assert "the pack gone stays as it was" in done.err
    assert titles(root) == ["CreateUser", "DeleteTrail", "GetUser", "Gone", "ListUsers", "StopLogging"]


def test_a_taken_name_and_a_bad_one_are_refused(packs: Packs, upstream: Repository) -> None:
    packs("add", upstream.folder, *AWS)
    assert packs("add", upstream.folder, *AWS).status == 2
    assert packs("add", upstream.folder, "--name", "../x").status == 2
    assert packs("update", "other").status == 4


def test_other_commands_read_the_folder_of_packs(
    packs: Packs, root: Path, upstream: Repository, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    packs("add", upstream.folder, *AWS)
    assert run(["check", str(root / "packs"), "--fail-on", "never"]) == 0
    assert run(["catalog", "build", str(root / "packs"), "-o", str(tmp_path / "site"), "--no-history"]) == 0
    page = (tmp_path / "site" / "rules" / f"{rule_id('CreateUser')}.json").read_text(encoding="utf-8")
    assert '"upstream"' in page
    capfd.readouterr()


def test_the_same_packs_give_the_same_lock_file(packs: Packs, root: Path, upstream: Repository) -> None:
    packs("add", upstream.folder, "--name", "b", *AWS)
    packs("add", upstream.folder, "--name", "a", "--product", "windows")
    first = (root / "osdetect.packs.lock").read_bytes()
    packs("remove", "b")
    packs("add", upstream.folder, "--name", "b", *AWS)
    assert (root / "osdetect.packs.lock").read_bytes() == first
