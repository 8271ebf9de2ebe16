"""A site of real rules, built once, and a real browser to look at it."""

import functools
import http.server
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from osdetect.cli.main import run
from tests.catalog.browser import chromium

SEED = "1497f3a3-7898-484e-b1e8-22fe99efd8a4"
"""Attempt To Create API Key."""


@pytest.fixture(scope="session")
def cloud_rules(shared: Path) -> list[str]:
    """The folders of public rules for AWS."""
    rules = shared / "data" / "rules"
    folders = ("rules/cloud/aws", "rules-placeholder/cloud/aws", "unsupported/cloud")
    return [str(rules / "suzaku"), *(str(rules / "sigmahq" / one) for one in folders)]


@pytest.fixture(scope="session")
def site(cloud_rules: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The catalog of the public rules for AWS."""
    folder = tmp_path_factory.mktemp("catalog") / "site"
    assert run(["catalog", "build", *cloud_rules, "-o", str(folder)]) in {0, 1}
    return folder


@pytest.fixture(scope="session")
def site_url(site: Path) -> Iterator[str]:
    """The site as a web server gives it."""
    with served(site) as url:
        yield url


class served:  # noqa: N801  # reads as a word in a with statement
    """A web server on 127.0.0.1 for a folder."""

    def __init__(self, folder: Path) -> None:
        handler = functools.partial(_Quiet, directory=str(folder))
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> str:
        self._thread.start()
        return f"http://127.0.0.1:{self._server.server_port}"

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the standard library's name
        pass


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A real Chromium without a window."""
    program = chromium()
    if not program:
        reason = "there is no Chromium: install one, or run playwright install --only-shell chromium"
        if os.environ.get("CI") == "true" and os.environ.get("OSDETECT_REQUIRE_BROWSER") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    with sync_playwright() as playwright:
        # Chromium's own sandbox needs rights that containers do not give; the pages are ours.
        opened = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield opened
        opened.close()
