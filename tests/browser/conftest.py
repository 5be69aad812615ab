"""A headless Chromium for the tests, driven by Playwright; without either they skip and say what installs it."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
)
STATIC = Path(__file__).resolve().parents[2] / "addon" / "mitmeter" / "dashboard" / "static"
WAIT_MS = 15_000


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """A browser. While there is one its event loop counts as running, so it is closed before other modules' tests."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        pytest.skip("NO BROWSER: Playwright is not installed; run scripts/browser")
    if CHROMIUM is None:
        pytest.skip("NO BROWSER: Chromium is not installed; run scripts/browser")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield browser
        browser.close()


@pytest.fixture
def context(chromium: Any) -> Iterator[Any]:
    """A fresh profile: no cookies, nothing kept."""
    context = chromium.new_context(viewport={"width": 1440, "height": 900}, locale="en-US", timezone_id="UTC")
    context.set_default_timeout(WAIT_MS)
    yield context
    context.close()
