"""The site in a real Chromium: what is shown, what can be done with it, and that everybody can use it."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, expect

from osdetect.catalog.lists import ROWS
from tests.catalog.conftest import SEED
from tests.catalog.test_seed_rule import ORDER, TITLE

RULE = f"rules/{SEED}.html"


class Complaints:
    """What a page writes to the console as an error, and what it throws."""

    def __init__(self, context: BrowserContext) -> None:
        self.found: list[str] = []
        context.on("console", self._message)
        context.on("weberror", lambda error: self.found.append(str(error.error)))
        context.on("requestfailed", self._failed)

    def _failed(self, request: Request) -> None:
        if request.failure != "net::ERR_ABORTED":  # the next page was asked for before this one was complete
            self.found.append(f"{request.failure}: {request.url}")

    def _message(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.found.append(message.text)


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A new tab; at the end nothing may have complained."""
    context = browser.new_context(permissions=["clipboard-read", "clipboard-write"], color_scheme="light")
    context.set_default_timeout(20_000)
    complaints = Complaints(context)
    yield context.new_page()
    context.close()
    assert complaints.found == []


def _texts(page: Page, selector: str) -> list[str]:
    return page.locator(selector).all_inner_texts()


def test_the_seed_rule_has_its_page(page: Page, site_url: str) -> None:
    page.goto(f"{site_url}/{RULE}")
    assert _texts(page, "nav.crumbs li") == ["Detection rules", "Sigma", TITLE]
    assert _texts(page, "h1") == [TITLE]
    assert _texts(page, "h2") == list(ORDER)
    coverage = page.locator("section[aria-labelledby=coverage]")
    assert coverage.locator("tbody tr").all_inner_texts() == [
        "Persistence\tT1098.001 Account Manipulation: Additional Cloud Credentials"
    ]
    same = page.locator("section[aria-labelledby=same-action] li")
    assert same.all_inner_texts() == ["API Key Created (Sigma)"]
    stages = page.locator("section[aria-labelledby=stages]")
    assert stages.locator("h3").all_inner_texts() == ["Stage 0: selection", "Stage 1: selection"]
    assert stages.locator("tbody tr").all_inner_texts() == [
        "eventName\tequals\tCreateApiKey",
        "errorCode\tequals\tAccessDenied",
    ]
    indicators = page.locator("section[aria-labelledby=indicators] tbody tr").all_inner_texts()
    assert [row.rpartition("\t")[0] for row in indicators] == [
        "eventName\tequals\tCreateApiKey",
        "errorCode\tequals\tAccessDenied",
    ]
    assert all(re.fullmatch(r"[1-9]\d*", row.rpartition("\t")[2]) for row in indicators)


def test_the_same_action_leads_to_the_other_rule_and_back(page: Page, site_url: str) -> None:
    page.goto(f"{site_url}/{RULE}")
    page.get_by_role("link", name="API Key Created").click()
    expect(page.locator("h1")).to_have_text("API Key Created")
    page.get_by_role("link", name="CreateApiKey", exact=True).click()
    expect(page.locator("h1")).to_have_text("CreateApiKey")
    page.get_by_role("link", name=TITLE).click()
    expect(page.locator("h1")).to_have_text(TITLE)


def test_copy_gives_the_file_as_it_is(page: Page, site_url: str, shared: Path) -> None:
    page.goto(f"{site_url}/{RULE}")
    button = page.locator("section[aria-labelledby=body] button.copy")
    button.click()
    expect(button).to_have_text("Copied")
    file = next((shared / "data" / "rules").rglob("aws_cloudtrail_attempt_to_create_api_key.yml"))
    assert page.evaluate("navigator.clipboard.readText()") == file.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "words",
    [
        "attempt to create api key",
        SEED,
        "createapikey t1098.001 attempt",
        "Additional Cloud Credentials AppSync-none",
    ],
)
def test_search_finds_a_rule_by_each_of_its_names(words: str, page: Page, site_url: str) -> None:
    page.goto(f"{site_url}/index.html")
    page.get_by_label("Search").fill(words)
    found = page.locator("#results a")
    if words.endswith("none"):
        expect(page.locator("#count")).to_have_text("0 rules")
    else:
        expect(found.first).to_have_text(TITLE)
        found.first.click()
        expect(page.locator("h1")).to_have_text(TITLE)


def test_filters_and_search_work_together_and_stand_in_the_address(
    page: Page, site: Path, site_url: str
) -> None:
    rules = json.loads((site / "index.json").read_text(encoding="utf-8"))["rules"]
    wanted = [one for one in rules if one["level"] == "high" and "Persistence" in one["tactic"]]
    page.goto(f"{site_url}/index.html")
    page.get_by_label("Level").select_option("high")
    page.get_by_label("Tactic").select_option("Persistence")
    expect(page.locator("#count")).to_have_text(f"{len(wanted)} rules")
    assert 1 < len(wanted) < len(rules)
    address = page.url
    page.goto("about:blank")
    page.goto(address)
    expect(page.locator("#count")).to_have_text(f"{len(wanted)} rules")
    page.get_by_role("button", name="Reset filters").click()
    expect(page.locator("#count")).to_have_text(f"{len(rules)} rules")
    listed = page.locator("#results li")
    expect(listed).to_have_count(100)
    page.get_by_role("button", name="Show more").click()
    expect(listed).to_have_count(200)


def test_each_filter_leaves_the_rules_that_have_the_value(page: Page, site: Path, site_url: str) -> None:
    rules = json.loads((site / "index.json").read_text(encoding="utf-8"))["rules"]
    page.goto(f"{site_url}/index.html")
    for name in ("level", "status", "tactic", "service", "author", "pack"):
        counts = Counter(
            value for one in rules for value in ([one[name]] if isinstance(one[name], str) else one[name])
        )
        value = min(counts, key=lambda one: (abs(counts[one] - 20), one))
        page.get_by_label(name.capitalize(), exact=True).select_option(value)
        expect(page.locator("#count")).to_have_text(
            "1 rule" if counts[value] == 1 else f"{counts[value]} rules"
        )
        assert 0 < counts[value] < len(rules), name
        page.get_by_role("button", name="Reset filters").click()
    assert not page.get_by_label("Source").is_visible()  # all are Sigma's: there is nothing to choose


def test_the_theme_follows_the_system_and_the_button_which_is_remembered(
    browser: Browser, site_url: str
) -> None:
    context = browser.new_context(color_scheme="dark")
    complaints = Complaints(context)
    page = context.new_page()
    page.goto(f"{site_url}/{RULE}")
    dark = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    page.get_by_role("button", name="Light mode").click()
    light = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    assert (dark, light) == ("rgb(20, 24, 29)", "rgb(255, 255, 255)")
    page.goto(f"{site_url}/index.html")
    assert page.evaluate("getComputedStyle(document.documentElement).backgroundColor") == light
    context.close()
    assert complaints.found == []


def test_everything_can_be_reached_by_the_keyboard(page: Page, site_url: str) -> None:
    page.goto(f"{site_url}/index.html")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "q"
    page.keyboard.type(TITLE)
    expect(page.locator("#results li")).to_have_count(1)
    page.get_by_role("link", name=TITLE).focus()
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text(TITLE)


def test_the_site_works_from_a_folder_without_a_server(page: Page, site: Path) -> None:
    page.goto((site / "index.html").as_uri())
    page.get_by_label("Search").fill(TITLE)
    page.locator("#results a").first.click()
    expect(page.locator("h1")).to_have_text(TITLE)


def test_without_scripts_every_rule_can_be_found(browser: Browser, site: Path, site_url: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{site_url}/index.html")
    assert not page.locator("#filters").is_visible()
    assert page.locator("#first tbody tr").count() == 50
    page.get_by_role("link", name="All rules as a list").click()
    rules = json.loads((site / "index.json").read_text(encoding="utf-8"))["rules"]
    page.wait_for_url("**/rules/all.html")
    found = page.locator("tbody tr a").count()
    for number in range(2, len(rules) // ROWS + 2):
        page.get_by_role("link", name="Next page").click()
        page.wait_for_url(f"**/rules/all~{number}.html")
        found += page.locator("tbody tr a").count()
    assert page.get_by_role("link", name="Next page").count() == 0
    context.close()
    assert found == len(rules)


PAGES = (
    "index.html",
    RULE,
    "matrix.html",
    "techniques/T1098.001.html",
    "calls/aws/createapikey.html",
    "coverage.html",
    "about.html",
)
PARTS = {"coverage.html": "section[aria-labelledby=tactics]", "matrix.html": ".matrix section:nth-child(5)"}
"""What is judged of pages with very many elements that are all alike."""


def _violations(page: Page, asked: dict[str, Any], within: str | None = None) -> list[str]:
    """What axe finds: WCAG 2.2 at levels A and AA, and its best practices."""
    found = Axe().run(page, context=within, options=asked).response["violations"]
    return [f"{one['id']}: {one['nodes'][0]['html'][:200]}" for one in found]


@pytest.mark.parametrize("path", PAGES)
def test_everybody_can_use_the_pages(path: str, page: Page, site_url: str) -> None:
    page.goto(f"{site_url}/{path}")
    assert _violations(page, {"rules": {"color-contrast": {"enabled": False}}}, PARTS.get(path)) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everybody_can_read_the_pages(
    scheme: Literal["light", "dark"], browser: Browser, site_url: str
) -> None:
    """Contrast takes time for each element: of the matrix one column is judged, of the index what a search leaves."""
    context = browser.new_context(color_scheme=scheme)
    page = context.new_page()
    contrast = {"runOnly": ["color-contrast"]}
    page.goto(f"{site_url}/{RULE}")
    assert _violations(page, contrast) == []
    page.goto(f"{site_url}/index.html#q=api+key")
    expect(page.locator("#results")).to_contain_text(TITLE)
    assert _violations(page, contrast) == []
    page.goto(f"{site_url}/matrix.html")
    assert page.locator(".heat-3").count() > 0
    assert _violations(page, contrast, ".matrix section:nth-child(5)") == []
    context.close()
