"""mitmweb as a person sees it: a headless Chromium opens a streamed flow."""

import json
import shutil
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness import Mitm, fetch, wait_rows
from provider import Provider

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--window-size=1500,900"),
    *("--virtual-time-budget=9000", "--dump-dom"),
)
COLUMNS = ("method", "path", "status", "comment")

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here: install Debian's `chromium` to run this test"),
]


@pytest.fixture(scope="module")
def upstream() -> Iterator[Provider]:
    with Provider() as provider:
        yield provider


def flows(url: str) -> list[dict[str, Any]]:
    base, _, token = url.partition("/?token=")
    request = urllib.request.Request(f"{base}/flows", headers={"Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(request, timeout=10) as reply:
        found: list[dict[str, Any]] = json.load(reply)
    return found


def dom(url: str, profile: Path) -> str:
    assert CHROMIUM is not None
    command = [CHROMIUM, *FLAGS, f"--user-data-dir={profile}", url]
    return subprocess.run(command, capture_output=True, encoding="utf-8", timeout=120, check=True).stdout


def test_a_streamed_flow_shows_its_comment_and_the_reply(upstream: Provider, tmp_path: Path) -> None:
    meter_dir = tmp_path / "meter"
    with Mitm(
        upstream.url, tmp_path / "mitm", tool="mitmweb", meter_dir=meter_dir, options={"web_columns": COLUMNS}
    ) as web:
        asked = {
            "model": "claude-sonnet-4-5",
            "max_tokens": 100,
            "stream": True,
            "thinking": {"type": "enabled", "budget_tokens": 1024},
            "messages": [{"role": "user", "content": "hello there"}],
        }
        assert fetch(web.port, "/v1/messages", asked, {"x-api-key": "sk-no-key"}).status == 200
        (row,) = wait_rows(meter_dir, 1)
        (flow,) = flows(web.url)
        page = dom(f"{web.url}#/flows/{flow['id']}/response", tmp_path / "profile")
    usage = row["usage"]
    assert flow["comment"].startswith(f"{usage['input_tokens']}→{usage['output_tokens']} tok · ")
    assert f"{usage['input_tokens']}→{usage['output_tokens']} tok" in page, "the comment column"
    assert f"{usage['input_tokens']} in" in page, "the content view's numbers"
    assert "thinking" in page
    assert "You said:" in page, "the reassembled reply"


def test_html_in_what_is_said_is_text(upstream: Provider, tmp_path: Path) -> None:
    evil = "<img src=x onerror=document.title='owned'><script>document.title='owned'</script>"
    with Mitm(upstream.url, tmp_path / "mitm", tool="mitmweb", meter_dir=tmp_path / "meter") as web:
        asked = {"model": evil, "max_tokens": 100, "stream": True, "messages": [{"role": "user", "content": evil}]}
        assert fetch(web.port, "/v1/messages", asked, {"x-api-key": "sk-no-key"}).status == 200
        wait_rows(tmp_path / "meter", 1)
        (flow,) = flows(web.url)
        for side in ("request", "response"):
            page = dom(f"{web.url}#/flows/{flow['id']}/{side}", tmp_path / f"profile-{side}")
            assert "&lt;img src=x" in page, "it is shown"
            assert "<img src=" not in page and "<title>owned" not in page, "it is text"
