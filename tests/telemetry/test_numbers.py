"""`/metrics` on the servers of the page: behind their doors, with the same numbers."""

import re
import urllib.error
import urllib.request
from pathlib import Path
from typing import Literal

import pytest
from receiving import until

from harness import Mitm, wait_rows
from harness.asking import ask
from harness.ports import free_port
from provider import Provider

PAGE = re.compile(r"(http://127\.0\.0\.1:\d+)/meter\S*\?token=(\w+)")
TOKENS = re.compile(r"^gen_ai_client_inference_usage_output_tokens_total\{.*\} 24\.0$", re.MULTILINE)
WEB = re.compile(r"(http://127\.0\.0\.1:\d+)/\?token=(\w+)")


def fetched(url: str, token: str | None) -> tuple[int, str]:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        with urllib.request.urlopen(urllib.request.Request(f"{url}/metrics", headers=headers)) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refused:
        return refused.code, ""


@pytest.mark.parametrize("tool", ["mitmdump", "mitmweb"])
def test_the_pages_server_has_them_too(tmp_path: Path, tool: Literal["mitmdump", "mitmweb"]) -> None:
    options = {"meter_port": str(free_port())} if tool == "mitmdump" else {}
    with Provider() as upstream, Mitm(upstream.url, tmp_path, tool=tool, options=options) as proxy:
        ask(proxy.port, "a")
        assert len(wait_rows(proxy.meter_dir, 1)) == 1
        found = (PAGE if tool == "mitmdump" else WEB).search(proxy.output)
        assert found is not None, proxy.output
        assert fetched(found[1], found[2])[0] == 200
        assert until(lambda: TOKENS.search(fetched(found[1], found[2])[1]))
        assert fetched(found[1], None)[0] in (401, 403)
