"""Sources that are odd, and lock files that were edited: nothing hangs, nothing is lost, nothing outside is read."""

import json
import os
import zipfile
from pathlib import Path

import pytest

from tests.packs.conftest import Packs
from tests.packs.material import DRL, Repository, held, rule, rule_id, tarred, zipped


def test_an_unchanged_commit_is_not_fetched_and_overlays_are_applied_all_the_same(
    packs: Packs, root: Path, upstream: Repository
) -> None:
    commit = upstream.commit()
    assert packs("add", upstream.folder).status == 0
    # All that a fetch would need goes; what the branch names can still be told.
    upstream.folder.joinpath(".git/objects").rename(upstream.folder / ".git/gone")
    (upstream.folder / ".git/objects/pack").mkdir(parents=True)
    kept = Path(".git/objects", commit[:2], commit[2:])
    (upstream.folder / kept).parent.mkdir()
    (upstream.folder / kept).write_bytes(
        (upstream.folder / ".git/gone" / commit[:2] / commit[2:]).read_bytes()
    )
    assert "nothing new" in packs("update").out
    folder = root / "overlays/upstream"
    folder.mkdir(parents=True)
    (folder / "off.yml").write_text(f"overlay: disable\nid: {rule_id('CreateUser')}\n")
    done = packs("update")
    assert (done.status, "1 removed" in done.out) == (0, True), done.err
    assert packs("update", "upstream", "--everything").status == 4, "another selection needs all of it"


@pytest.mark.parametrize("ref", ["side", "v1", "refs/heads/side", "commit"])
def test_what_a_ref_names_is_asked_before_it_is_fetched(packs: Packs, upstream: Repository, ref: str) -> None:
    upstream.git("branch", "side")
    upstream.git("tag", "--annotate", "v1", "--message", "one")
    ref = upstream.git("rev-parse", "HEAD") if ref == "commit" else ref
    upstream.commit({"rules/aws/Later.yml": rule("Later")})
    assert packs("add", upstream.folder, "--ref", ref).status == 0
    assert "nothing new" in packs("update").out
    if ref == "side":
        upstream.git("branch", "--force", "side", "main")
        assert "1 added" in packs("update").out


def test_a_refusal_sets_the_exit_code_once_and_a_new_one_again(
    packs: Packs, root: Path, upstream: Repository
) -> None:
    upstream.commit({"rules/aws/broken.yml": "title: [\ndetection: {\n"})
    assert packs("add", upstream.folder).status == 1
    again = packs("update")
    assert (again.status, "as before" in again.out) == (0, True)
    upstream.commit({"rules/aws/worse.yml": "detection: [\n"})
    news = packs("update")
    assert news.status == 1
    assert "worse.yml" in news.err
    assert "broken.yml" not in news.err
    assert "2 refused (1 of them new)" in news.out
    lock = json.loads((root / "osdetect.packs.lock").read_bytes())
    assert [one.partition(":")[0] for one in lock["packs"]["upstream"]["refused"]] == [
        "rules/aws/broken.yml",
        "rules/aws/worse.yml",
    ]
    upstream.commit(remove=("rules/aws/broken.yml", "rules/aws/worse.yml"))
    assert packs("update", "--output", "json").json[0]["refused"] == []


def test_a_licence_beside_the_folder_of_an_archives_rules_is_kept(
    packs: Packs, root: Path, tmp_path: Path
) -> None:
    packs("add", tarred(tmp_path / "a.tar.gz", {"LICENSE": DRL, "rules/one.yml": rule("One")}))
    assert set(held(root)) == {"a/LICENSE", "a/rules/one.yml"}


def test_names_that_not_every_file_system_tells_apart_are_refused(
    packs: Packs, root: Path, tmp_path: Path
) -> None:
    file = zipped(
        tmp_path / "odd.zip",
        {
            "rules/One.yml": rule("One"),
            "rules/ONE.yml": rule("Two"),
            "RULES/three.yml": rule("Three"),
            "rules/One.yml/four.yml": rule("Four"),
            "rules/five.yml/six.yml": rule("Six"),
            "rules/five.yml": rule("Five"),
            "_overlay/seven.yml": rule("Seven"),
        },
    )
    done = packs("add", file, "--verbose")
    assert done.status == 1
    assert set(held(root)) == {"odd/rules/One.yml", "odd/rules/five.yml/six.yml"}
    assert "5 refused" in done.out
    assert done.err.count("cannot stand beside another") == 4


def test_what_never_ends_is_not_read(packs: Packs, tmp_path: Path) -> None:
    pipe = tmp_path / "rules.zip"
    os.mkfifo(pipe)
    assert "no plain file" in packs("add", pipe).err
    assert packs("add", "/dev/zero", "--kind", "archive", "--name", "zero").status == 4


def test_a_zip_that_asks_for_memory_is_refused_file_by_file(packs: Packs, root: Path, tmp_path: Path) -> None:
    file = tmp_path / "z.zip"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("one.yml", rule("One"), zipfile.ZIP_DEFLATED)
        archive.writestr("two.yml", rule("Two"), zipfile.ZIP_LZMA)
        archive.writestr("three.yml", rule("Three"), zipfile.ZIP_BZIP2)
    done = packs("add", file)
    assert done.status == 1
    assert set(held(root)) == {"z/one.yml"}
    assert "2 refused" in done.out


def test_a_source_that_holds_the_packs_is_refused(packs: Packs, root: Path) -> None:
    (root / "rules").mkdir()
    (root / "rules/one.yml").write_text(rule("One"))
    assert packs("add", root, "--name", "me").status == 2
    assert packs("add", root, "--name", "me", "--folder", "rules").status == 0


def test_asking_makes_nothing(packs: Packs, root: Path) -> None:
    assert packs("list", "--output", "json").json == []
    assert packs("update").status == 4
    assert packs("remove", "x").status == 4
    assert list(root.iterdir()) == []


def test_a_lock_file_leads_to_no_file_outside_the_pack(
    packs: Packs, root: Path, upstream: Repository, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_text("secret words")
    packs("add", upstream.folder)
    lock = root / "osdetect.packs.lock"
    said = json.loads(lock.read_bytes())
    said["packs"]["upstream"]["licence"]["files"] = [str(tmp_path / "secret")]
    lock.write_text(json.dumps(said))
    done = packs("update", "--offline")
    assert done.status == 4
    assert "has not" in done.err
    lock.unlink()
    lock.mkdir()
    assert packs("list").status == 4


def test_a_pack_of_another_osdetect_whose_lock_file_counts_refusals_is_updated(
    packs: Packs, root: Path, upstream: Repository
) -> None:
    upstream.commit({"rules/aws/broken.yml": "title: [\ndetection: {\n"})
    packs("add", upstream.folder)
    lock = root / "osdetect.packs.lock"
    said = json.loads(lock.read_bytes())
    said["packs"]["upstream"]["refused"] = 1
    lock.write_text(json.dumps(said))
    assert packs("list").status == 0
    assert packs("update").status == 1
    assert packs("update").status == 0


def test_two_rules_of_one_id_are_no_change_when_nothing_changed(packs: Packs, tmp_path: Path) -> None:
    folder = tmp_path / "twice"
    folder.mkdir()
    (folder / "a.yml").write_text(rule("Zebra"))
    (folder / "b.yml").write_text(rule("Zebra").replace("title: Zebra", "title: Ant"))
    assert packs("add", folder).status == 1, "no command takes the second"
    again = packs("update")
    assert (again.status, again.out.splitlines()[0]) == (0, "twice: nothing new")
    assert "0 changed, 0 removed, 1 refused (as before; the lock file names them)" in again.out
