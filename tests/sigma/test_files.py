"""Rule files and folders: what is read, in which order, and that one bad file harms no other."""

import os
from pathlib import Path

import pytest

from osdetect.errors import InputError
from osdetect.expr import render
from osdetect.sigma import ReadOptions, Rule, RuleSet, read_rules
from osdetect.sigma.listing import list_files, list_tests
from osdetect.sigma.text_file import MAX_BYTES, read_text
from osdetect.vocabulary import Level

IDS = [f"00000000-0000-4000-8000-{number:012d}" for number in range(10)]


def _rule(number: int, *, name: str = "GetUser", more: str = "") -> str:
    return (
        f"title: Rule {number}\nid: {IDS[number]}\nlogsource: {{product: aws, service: cloudtrail}}\n"
        f"detection:\n  a: {{eventName: {name}}}\n  condition: a\n{more}"
    )


def _titles(read: RuleSet[Rule]) -> list[str]:
    return [rule.title for rule in read.rules]


def _whats(read: RuleSet[Rule]) -> list[str]:
    return [error.what for error in read.refused]


def test_broken_files_never_stop_the_good_ones(tmp_path: Path) -> None:
    (tmp_path / "a.yml").write_text(_rule(1))
    (tmp_path / "b.yml").write_text("detection: [")
    (tmp_path / "c.yml").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "d.yml").write_text("x" * (MAX_BYTES + 1))
    (tmp_path / "e.yaml").write_text(_rule(2))
    (tmp_path / "f.txt").write_text("not a rule")
    (tmp_path / "g.yml").mkdir()
    os.mkfifo(tmp_path / "h.yml")
    read = read_rules([tmp_path])
    assert _titles(read) == ["Rule 1", "Rule 2"]
    assert _whats(read) == [
        "this is not YAML",
        "this is not UTF-8 text",
        "this file is larger than 1 MiB",
        "this is not a plain file",
    ]
    assert read.files == 5


def test_documents_of_one_file_are_judged_one_by_one(tmp_path: Path) -> None:
    file = tmp_path / "many.yml"
    parts = [_rule(1), "title: no log source\n", "a: 1\na: 2\n", "", _rule(2), "- list\n", "x: [\n", _rule(3)]
    file.write_text("---\n".join(parts))
    read = read_rules([file])
    assert _titles(read) == ["Rule 1", "Rule 2"]
    assert _whats(read) == [
        "a rule needs a logsource",
        "the key 'a' stands here twice",
        "a rule must be a map of keys to values",
        "this is not YAML",  # the parser cannot go on behind it
    ]
    assert [error.where.line for error in read.refused if error.where] == [8, 11, 21, 24]


def test_hidden_folders_are_left_out_and_files_are_read_in_the_order_of_their_names(tmp_path: Path) -> None:
    for name, number in (("b/2.yml", 2), ("a/1.yml", 1), (".git/3.yml", 3), ("0.yml", 4)):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(_rule(number))
    assert _titles(read_rules([tmp_path])) == ["Rule 4", "Rule 1", "Rule 2"]


def test_a_link_out_of_the_folder_is_refused_and_one_inside_it_is_read(tmp_path: Path) -> None:
    inside, outside = tmp_path / "rules", tmp_path / "outside.yml"
    inside.mkdir()
    outside.write_text(_rule(1))
    (inside / "real.txt").write_text(_rule(2))
    (inside / "out.yml").symlink_to(outside)
    (inside / "in.yml").symlink_to("real.txt")
    (inside / "loop").symlink_to(".")
    read = read_rules([inside])
    assert _titles(read) == ["Rule 2"]
    assert _whats(read) == ["this link leads out of its folder"]


def test_folders_come_after_the_files_beside_them_and_links_to_folders_are_left_out(tmp_path: Path) -> None:
    for name in ("z.yml", "a/z.yml", "a/b/1.yml", "a/a.yml", "b.yml/1.yml", "c/1.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(_rule(1))
    (tmp_path / "link.yml").symlink_to("a")
    files, refused = list_files([tmp_path, tmp_path / "c" / "1.txt"])
    told = [str(file.relative_to(tmp_path)) for file in files]
    assert told == ["z.yml", "a/a.yml", "a/z.yml", "a/b/1.yml", "b.yml/1.yml", "c/1.txt"]
    assert refused == ()


def test_links_that_lead_nowhere_are_told(tmp_path: Path) -> None:
    (tmp_path / "circle.yml").symlink_to("circle.yml")
    (tmp_path / "broken.yml").symlink_to("absent")
    (tmp_path / "good.yml").write_text(_rule(1))
    files, refused = list_files([tmp_path])
    assert [file.name for file in files] == ["good.yml"]
    assert [error.what for error in refused] == ["this is not a plain file", "this is not a plain file"]
    assert [error.where.file for error in refused if error.where] == [
        str(tmp_path / "broken.yml"),
        str(tmp_path / "circle.yml"),
    ]


def test_the_tests_of_rules_are_no_rules(tmp_path: Path) -> None:
    for name in ("a/key.yml", "a/key.tests.yml", "b.yaml", "b.tests.yaml", "lonely.tests.yml", "tests.yml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(_rule(1) if ".tests." not in name else "must_match: []")
    read = read_rules([tmp_path, tmp_path / "b.tests.yaml"])
    assert read.files == 3
    assert not any(".tests." in refusal.where.file for refusal in read.refused if refusal.where)
    tests, refused = list_tests([tmp_path])
    assert [str(file.relative_to(tmp_path)) for file in tests] == [
        "b.tests.yaml",
        "lonely.tests.yml",
        "a/key.tests.yml",
    ]
    assert refused == ()
    assert list_tests([tmp_path / "a/key.yml"])[0] == (tmp_path / "a/key.tests.yml",)
    with pytest.raises(InputError, match="no rule files found"):
        list_files([tmp_path / "b.tests.yaml"])


def test_folders_may_stand_deeper_than_python_calls_in_one_another(tmp_path: Path) -> None:
    made = [tmp_path / "d"]
    while len(made) < 1_100:
        made.append(made[-1] / "d")
    for folder in made:
        folder.mkdir()
    file = made[-1] / "rule.yml"
    file.write_text(_rule(1))
    try:
        assert list_files([tmp_path]) == ((file,), ())
    finally:  # what deletes temporary folders calls itself for each
        file.unlink()
        for folder in reversed(made):
            folder.rmdir()


def test_a_file_that_tells_no_size_is_read_whole() -> None:
    file = Path("/proc/self/status")
    if not file.exists():
        pytest.skip("this system has no files without a size")
    assert file.stat().st_size == 0
    assert read_text(file).text.startswith("Name:")
    assert "\nThreads:" in read_text(file).text


def test_correlations_of_rules_for_another_log_source_count_with_these(tmp_path: Path) -> None:
    other = _rule(1).replace("{product: aws, service: cloudtrail}", "{product: windows}") + "name: logon\n"
    correlation = (
        "title: Many {n}\nid: 00000000-0000-4000-8000-00000000010{n}\n"
        "correlation: {{type: event_count, rules: [{called}], group-by: [user], timespan: 5m, condition: {{gte: 5}}}}\n"
    )
    called = ("logon", "Rule 1", IDS[1].upper(), "nobody")
    (tmp_path / "other.yml").write_text(other)
    for n, name in enumerate(called):
        (tmp_path / f"{n}.yml").write_text(correlation.format(n=n, called=name))
    (tmp_path / "chain.yml").write_text(correlation.format(n=9, called="Many 0"))
    read = read_rules([tmp_path])
    assert _whats(read) == ["no rule is called 'nobody'"]
    assert (read.rules, read.correlations, read.other_sources) == ((), (), 5)
    read = read_rules([tmp_path], ReadOptions(every_log_source=True))
    assert _whats(read) == ["no rule is called 'nobody'"]
    assert (len(read.rules), len(read.correlations), read.other_sources) == (1, 4, 0)


def test_of_two_rules_with_one_id_the_first_stays(tmp_path: Path) -> None:
    (tmp_path / "a.yml").write_text(_rule(1))
    (tmp_path / "b.yml").write_text(_rule(1, name="PutUser"))
    (tmp_path / "c.yml").write_text(_rule(1))
    read = read_rules([tmp_path])
    assert [render(rule.tree) for rule in read.rules] == ['eventName is "GetUser"']
    another, same = read.refused
    assert another.cause.startswith("another rule has it: ")
    assert same.cause.startswith("the same rule has it: ")
    assert same.where is not None
    assert (same.where.line, same.where.column) == (1, 1)


def test_a_path_that_is_not_there_and_a_folder_without_rules_are_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        read_rules([tmp_path / "nowhere"])
    with pytest.raises(InputError, match="no rule files found"):
        read_rules([tmp_path])


@pytest.mark.parametrize(
    ("logsource", "ours"),
    [
        ("{product: aws, service: cloudtrail}", True),
        ("{product: AWS, service: CloudTrail}", True),
        ("{product: aws}", True),
        ("{product: aws, service: guardduty}", False),
        ("{product: aws, category: network}", False),
        ("{service: cloudtrail}", False),
        ("{product: windows}", False),
    ],
)
def test_only_rules_for_cloudtrail_are_taken(tmp_path: Path, logsource: str, ours: bool) -> None:
    file = tmp_path / "rule.yml"
    file.write_text(_rule(1).replace("{product: aws, service: cloudtrail}", logsource))
    read = read_rules([file])
    assert (len(read.rules), read.other_sources) == ((1, 0) if ours else (0, 1))
    assert not read.refused


def test_the_words_of_a_rule_are_kept_as_its_author_wrote_them(tmp_path: Path) -> None:
    file = tmp_path / "rule.yml"
    more = (
        "status: experimental\nlevel: HIGH\nauthor: A. One, B. Two\ndate: 2024-01-02\nmodified: '2024/03/04'\n"
        "references: [https://example.org/]\ntags: [attack.persistence]\nfalsepositives:\n  - none\n  -\n"
        "license: DRL 1.1\ndescription: |\n  Two\n  lines.\n"
    )
    file.write_text("\ufeff" + _rule(1, more=more).replace("\n", "\r\n"), encoding="utf-8", newline="")
    read = read_rules([file])
    assert [str(error) for error in read.refused] == []
    (rule,) = read.rules
    assert (rule.status, rule.level, rule.author) == ("experimental", Level.HIGH, "A. One, B. Two")
    assert (rule.date, rule.modified) == ("2024-01-02", "2024/03/04")
    assert (rule.references, rule.falsepositives) == (("https://example.org/",), ("none",))
    assert (rule.tags, rule.license) == (("attack.persistence",), "DRL 1.1")
    assert rule.description == "Two\nlines.\n"
    assert (rule.where.file, rule.where.line, rule.where.column) == (str(file), 1, 1)


def test_a_missing_level_is_medium_and_the_hash_tells_rules_apart(tmp_path: Path) -> None:
    texts = [
        _rule(1),
        _rule(1, name="PutUser"),
        _rule(1, more="level: low\n"),
        _rule(1, more="author: x\n"),
        _rule(2),
    ]
    hashes = set()
    for number, text in enumerate([*texts, "# a comment changes nothing\n" + texts[0]]):
        (tmp_path / f"{number}.yml").write_text(text)
        (rule,) = read_rules([tmp_path / f"{number}.yml"]).rules
        hashes.add(rule.hash())
    assert len(hashes) == len(texts)
    assert read_rules([tmp_path / "0.yml"]).rules[0].level is Level.MEDIUM


def test_a_refusal_never_shows_control_characters(tmp_path: Path) -> None:
    file = tmp_path / "rule.yml"
    file.write_text('title: "x"\nid: "\\e[31mred\\u202e"\nlogsource: {product: aws}\n')
    (error,) = read_rules([file]).refused
    assert error.where is not None
    assert (str(error) + error.where.excerpt).isprintable()
