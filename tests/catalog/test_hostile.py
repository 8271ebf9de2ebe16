"""Rules come from the internet: nothing in them is executed, hidden, or able to break a page."""

import csv
import io
import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from osdetect.catalog.limits import MAX_PAGE
from osdetect.catalog.lists import short
from osdetect.catalog.shown import visible
from osdetect.cli.main import run
from osdetect.cli.output import csv_rows
from tests.catalog.hostile import CALLS, MARKUP, TEXTS, identity, write_hostile
from tests.catalog.test_browser import Complaints

HIDDEN = re.compile(
    "[\u200b\u2028-\u202e\u2066-\u2069\x00-\x08\x0b-\x1f\x7f-\x9f]|[\u0300-\u036f\u0483-\u0489]{4}"
)
DEVICES = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?")
CHECK = """() => ({
  title: document.title.startsWith('owned'),
  scripts: [...document.querySelectorAll('script')].filter(one => one.textContent || !/assets\\/(catalog|search|rules)\\.js$/.test(one.src)).length,
  handlers: [...document.querySelectorAll('*')].filter(one => [...one.attributes].some(a => a.name.startsWith('on') || a.name === 'style')).length,
  links: [...document.links].map(one => one.protocol).filter(one => !/^(https?|file):$/.test(one)),
  images: document.images.length,
  wide: document.documentElement.scrollWidth - document.documentElement.clientWidth,
})"""


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_hostile(tmp_path_factory.mktemp("hostile"))


@pytest.fixture(scope="module")
def hostile_site(rules: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    assert run(["catalog", "build", str(rules), "-o", str(folder), "--no-history"]) == 0
    return folder


def test_nothing_is_executed_and_no_layout_breaks(browser: Browser, hostile_site: Path) -> None:
    context = browser.new_context(viewport={"width": 900, "height": 700})
    complaints = Complaints(context)
    page = context.new_page()
    page.on("dialog", lambda dialog: complaints.found.append(dialog.message))
    for file in sorted(hostile_site.rglob("*.html")):
        page.goto(file.as_uri())
        nothing = {"title": False, "scripts": 0, "handlers": 0, "links": [], "images": 0}
        found = page.evaluate(CHECK)
        assert found.pop("wide") <= 0, file.name
        assert found == nothing, file.name
    page.goto((hostile_site / "index.html").as_uri())
    page.get_by_label("Search").fill("onerror")
    page.locator("#results a").first.click()
    assert page.locator("h1").inner_text() == MARKUP
    context.close()
    assert complaints.found == []


def test_scripts_are_forbidden_by_every_page_itself(hostile_site: Path) -> None:
    for file in hostile_site.rglob("*.html"):
        text = file.read_text(encoding="utf-8")
        policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)
        assert policy
        assert "default-src 'none'" in policy[1]
        assert "script-src 'self'" in policy[1]
        assert "unsafe" not in policy[1]
        assert text.index("Content-Security-Policy") < text.index("<title>") < text.index("<script")


def test_what_hides_is_shown_and_nothing_is_larger_than_allowed(hostile_site: Path) -> None:
    for file in hostile_site.rglob("*"):
        if file.is_file() and file.suffix in {".html", ".md", ".js"}:
            assert not HIDDEN.search(file.read_text(encoding="utf-8")), file.name
        if file.is_file() and file.name not in {"rules.js", "index.json"}:
            assert file.stat().st_size <= MAX_PAGE, file.name


def test_names_of_calls_become_names_that_every_file_system_has(hostile_site: Path) -> None:
    files = sorted((hostile_site / "calls").rglob("*.json"))
    told = {json.loads(file.read_text(encoding="utf-8")).get("call") for file in files}
    assert {short(visible(one)) for one in CALLS} <= {visible(one) for one in told if one is not None}
    assert not [file.name for file in files if DEVICES.fullmatch(file.name)]
    assert all(re.fullmatch(r"[a-z0-9_~-]{1,100}\.json", file.name) for file in files)


def test_what_is_left_out_is_said(hostile_site: Path) -> None:
    number = list(TEXTS).index("long") + 1
    page = (hostile_site / "rules" / f"{identity(number)}.html").read_text(encoding="utf-8")
    assert "more characters" in page
    wide = json.loads((hostile_site / "rules" / f"{identity(98)}.json").read_text(encoding="utf-8"))
    left = wide["indicators_left_out"]
    assert left + len(wide["indicators"]) == 2_000
    (selection,) = [one for one in wide["stages"] if one["number"] == 1]
    shown = sum(len(one["tests"]) for alternative in selection["alternatives"] for one in alternative)
    assert selection["values_left_out"] + shown == 2_000


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("form", ["table", "markdown"])
def test_the_terminal_shows_no_text_that_commands_it(
    name: str, form: str, rules: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert (
        run(["catalog", "show", str(rules / f"{name}.yml"), str(rules), "--output", form, "--no-history"])
        == 0
    )
    shown = capfd.readouterr().out
    assert not HIDDEN.search(shown)
    if form == "markdown":
        prose = re.sub(r"(?ms)^(`{3,})\w*\n.*?^\1$", "", shown)  # what is in a fence is text already
        assert "<script" not in prose.replace(r"\<script", "")
        assert "\n# head" not in prose
        assert not re.search(r"(?<!\\)\]\((?!\.\./|https://a\.example|index)", prose)
        bare = re.sub(r"(?<!\\)`[^`\n]+`", "", prose)
        assert not re.search(r"(?<!\]\()https?://|www\.", bare)


def test_formulas_stay_texts_in_csv(rules: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The lines of `coverage` name no rule; what they are written by makes every text harmless."""
    formulas = (*TEXTS.values(), "+1", "-1", "@SUM(1)", "\t=1", "\r=1", "\u202e=1")
    file = io.StringIO()
    csv_rows(file, ("text",), [(text,) for text in formulas])
    cells = [row[0] for row in csv.reader(io.StringIO(file.getvalue()))][1:]
    assert len(cells) == len(formulas)
    assert not [cell for cell in cells if cell[:1] in {"=", "+", "-", "@", "\t", "\r"} or "\u202e" in cell]
    assert run(["coverage", str(rules), "--output", "csv"]) == 0
    told = capfd.readouterr().out
    assert len(told.splitlines()) > 250
    assert not [name for name, text in TEXTS.items() if text[:20] in told]
