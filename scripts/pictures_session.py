"""The driving part of `scripts/pictures`: a stand-in provider, mitmweb with the addon, agents, and a browser."""

import argparse
import importlib
import json
import shutil
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

from pictures_traffic import ROOT, Agents

from harness import Mitm, wait_rows
from provider import Provider

DOCS = ROOT / "docs"
SIZE = {"width": 1440, "height": 900}
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--force-color-profile=srgb"]
COLUMNS = ("path", "status", "time", "comment")
SHOWN, PLAIN = "claude-cli/2.0.15", "claude-cli/2.0.16"
OPTIONS = {"web_columns": COLUMNS, "keep_host_header": "true"}


def say(line: str) -> None:
    """One line for the person at the terminal."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def newest(base: str, token: str, query: str) -> dict[str, Any]:
    """The newest entry that the API finds."""
    url = f"{base}/api/metrics/activity?limit=1&{query}"
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(request, timeout=10) as reply:
        found: dict[str, Any] = json.load(reply)["data"][0]
    return found


def shoot(page: Any, name: str, folder: Path) -> None:
    """One picture."""
    page.wait_for_timeout(700)
    page.screenshot(path=str(folder / f"{name}.png"))
    say(f"pictures: {folder / name}.png")


def take(browser: Any, proxy: Mitm, folder: Path, agents: Agents) -> None:
    """All pictures."""
    base, _, token = proxy.url.partition("/?token=")
    asked = newest(base, token, f"agent={SHOWN}")
    plain = newest(base, token, f"agent={PLAIN}")
    streams = agents.under_way()
    time.sleep(5.5)
    for scheme in ("light", "dark"):
        context = browser.new_context(viewport=SIZE, color_scheme=scheme, locale="en-US")
        page = context.new_page()
        page.goto(proxy.url)
        page.goto(f"{base}/meter")
        page.wait_for_selector("#live .generating")
        page.wait_for_selector("#over-time svg")
        shoot(page, f"meter-{scheme}", folder)
        page.goto(f"{base}/meter?capture={asked['id']}")
        page.wait_for_selector("#capture-body .message")
        shoot(page, f"capture-{scheme}", folder)
        if scheme == "light":
            page.goto(f"{base}/#/flows/{plain['flow_id']}/request")
            page.get_by_text("resent:").first.wait_for()
            shoot(page, "mitmweb", folder)
        context.close()
    for stream in streams:
        stream.join()


def main() -> int:
    """Takes them."""
    parser = argparse.ArgumentParser(prog="pictures", description=__doc__)
    parser.add_argument("--out", type=Path, default=DOCS, help="the folder (docs)")
    parser.add_argument("--rounds", type=int, default=8, help="how long the agents work")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    playwright: Any = importlib.import_module("playwright.sync_api")
    directory = Path(tempfile.mkdtemp(prefix="mitmeter-pictures-"))
    meter_dir = directory / "meter"
    with (
        Provider() as upstream,
        Mitm(upstream.url, directory, tool="mitmweb", options=OPTIONS, meter_dir=meter_dir) as proxy,
        playwright.sync_playwright() as driver,
    ):
        agents = Agents(proxy.port)
        agents.work(given.rounds)
        agents.messages(3, PLAIN, told=False)
        agents.messages(3, SHOWN)
        wait_rows(meter_dir, agents.sent)
        say(f"pictures: {agents.sent} requests metered")
        browser = driver.chromium.launch(executable_path=chromium, args=FLAGS)
        take(browser, proxy, given.out, agents)
        browser.close()
    shutil.rmtree(directory)
    return 0


if __name__ == "__main__":
    sys.exit(main())
