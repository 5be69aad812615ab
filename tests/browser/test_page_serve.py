"""The same page from a meter_dir alone, with `mitmeter serve`: what only a server that comes and goes shows."""

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import pytest

from browser.test_page import ROWS
from browser.traffic import STREAMS, ask
from harness import Mitm, wait_rows
from harness.ports import free_port
from provider import Provider

pytestmark = pytest.mark.browser

URL = re.compile(r"http://127\.0\.0\.1:\d+/meter\?token=\S+")


class Serve:
    """`mitmeter serve` as a process; `url` has the token."""

    def __init__(self, meter_dir: Path, port: int, log: Path) -> None:
        self._command = [str(Path(sys.executable).parent / "mitmeter"), "--dir", str(meter_dir), "serve"]
        self._command += ["--port", str(port)]
        self._log = log
        self.url = ""

    def __enter__(self) -> Self:
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        for _ in range(200):
            if found := URL.search(self._log.read_text(encoding="utf-8")):
                self.url = found[0]
                return self
            time.sleep(0.05)
        self.__exit__()
        raise RuntimeError(self._log.read_text(encoding="utf-8"))

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(10)


@pytest.fixture(scope="module")
def meter_dir(tmp_path_factory: pytest.TempPathFactory, chromium: Any) -> Path:
    """What a proxy has left behind."""
    directory = tmp_path_factory.mktemp("serve")
    with Provider() as upstream, Mitm(upstream.url, directory, meter_dir=directory / "meter") as proxy:
        for name in STREAMS:
            ask(proxy.port, name)
        wait_rows(proxy.meter_dir, len(STREAMS))
    return directory / "meter"


@pytest.fixture
def served(meter_dir: Path, tmp_path: Path) -> Iterator[Serve]:
    with Serve(meter_dir, free_port(), tmp_path / "log") as server:
        yield server


def test_the_token_in_the_address_is_used_once(context: Any, served: Serve) -> None:
    page = context.new_page()
    page.goto(served.url)
    page.wait_for_selector(ROWS)
    assert "token" not in page.url
    assert page.locator(ROWS).count() == len(STREAMS)
    page.reload()
    page.wait_for_selector(ROWS)


def test_a_shared_address_is_there_after_the_login(context: Any, served: Serve) -> None:
    """A browser sends the form with an Origin of its own; in a narrow window nothing is beside it."""
    address, _, token = served.url.partition("?token=")
    page = context.new_page()
    page.goto(f"{address}?capture=1")
    for typed in ("wrong", token):
        page.fill("input[name=token]", typed)
        page.click("button")
    page.wait_for_selector("#capture-name")
    assert page.url == f"{address}?capture=1"
    for width in (390, 800):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") == width


def test_a_wrong_token_is_refused(context: Any, served: Serve) -> None:
    page = context.new_page()
    said = page.goto(served.url + "x")
    assert said.status == 401
    assert page.locator("#rows").count() == 0


def test_a_capture_is_deleted_after_it_was_asked_for_twice(context: Any, served: Serve) -> None:
    page = context.new_page()
    page.goto(served.url)
    page.locator(ROWS).last.click()
    page.wait_for_selector("#capture-body .message")
    page.get_by_role("button", name="Delete…").click()
    page.get_by_role("button", name="Keep it").click()
    assert "kept" in page.locator(ROWS).last.inner_text()
    page.get_by_role("button", name="Delete…").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    page.wait_for_function("() => [...document.querySelectorAll('#done .of-capture')].at(-1).textContent === '-'")
    page.keyboard.press("2")
    page.get_by_text("Not kept").wait_for()
    assert page.locator(ROWS).count() == len(STREAMS), "its row stays"


def test_a_lost_connection_is_seen_and_comes_back(context: Any, meter_dir: Path, tmp_path: Path) -> None:
    port = free_port()
    page = context.new_page()
    with Serve(meter_dir, port, tmp_path / "first") as first:
        page.goto(first.url)
        page.wait_for_selector("#connection[data-state=live]")
    page.wait_for_selector("#connection[data-state=lost]")
    assert "trying again" in page.locator("#connection").inner_text()
    page.keyboard.press("r")
    page.wait_for_selector("#trouble:not([hidden])")
    assert "cannot be reached" in page.locator("#trouble").inner_text()
    with Serve(meter_dir, port, tmp_path / "second") as second:
        page.goto(second.url)
        page.wait_for_selector("#connection[data-state=live]")
        page.wait_for_selector(ROWS)


def test_a_meter_that_has_seen_nothing(context: Any, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir(mode=0o700)
    with Serve(empty, free_port(), tmp_path / "log") as server:
        page = context.new_page()
        page.goto(server.url)
        page.get_by_text("Nothing metered yet.").wait_for()
        assert page.locator("#trouble").is_hidden()
