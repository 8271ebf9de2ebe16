"""The browser that tests use: Debian's Chromium, Google's Chrome, or the one that playwright installed.

    python -m tests.catalog.browser

prints where it is, and fails when there is none; `make test` then lets playwright fetch one into the user's cache.
"""

import os
import shutil
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def chromium() -> str:
    """The program, or nothing."""
    named = os.environ.get("OSDETECT_TEST_CHROMIUM")
    found = named or next((place for name in _NAMES if (place := shutil.which(name))), "")
    if found:
        return found
    with sync_playwright() as playwright:
        own = playwright.chromium.executable_path
    return own if Path(own).exists() else ""


if __name__ == "__main__":
    program = chromium()
    sys.stdout.write(f"{program or 'no Chromium was found'}\n")
    sys.exit(not program)
