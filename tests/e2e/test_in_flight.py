"""What is under way can be seen: state, tokens, bytes and time, and a comment that follows the stream."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from harness import Mitm, wait_rows
from harness.asking import MESSAGES, ask
from provider import Provider

SPY = """
import asyncio
import json
import msgspec
from mitmproxy import ctx

async def watch():
    while True:
        await asyncio.sleep(0.2)
        seen = msgspec.to_builtins(ctx.master.addons.get("meter").open_now())
        comments = [flow.comment for flow in ctx.master.view]
        print("SPY", json.dumps([seen, comments]), flush=True)

def running():
    ctx.spy = asyncio.get_running_loop().create_task(watch())
"""
ASKED: dict[str, Any] = {
    "model": "m",
    "max_tokens": 100,
    "stream": True,
    "thinking": {"type": "enabled"},
    "messages": [{"role": "user", "content": "stay with me"}],
}


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Any]]:
    """What was to be seen, five times a second, while a stream came."""
    folder = tmp_path_factory.mktemp("inflight")
    (folder / "spy.py").write_text(SPY)
    arguments = ["-s", str(folder / "spy.py")]
    with Provider() as upstream, Mitm(upstream.url, folder, tool="mitmweb", arguments=arguments) as proxy:
        ask(proxy.port, "watched", MESSAGES, ASKED, x_pace_first="700", x_pace_gap="60")
        wait_rows(proxy.meter_dir, 1)
        proxy.stop()
        told = [line.partition("SPY ")[2] for line in proxy.output.splitlines() if "SPY " in line]
        assert "Traceback" not in proxy.output
        yield [json.loads(line) for line in told]


def test_it_waits_thinks_and_generates(seen: list[Any]) -> None:
    states = [one["state"] for flights, _ in seen for one in flights]
    assert list(dict.fromkeys(states)) == ["waiting", "thinking", "generating"]


def test_time_bytes_and_tokens_grow(seen: list[Any]) -> None:
    flights = [one for flights, _ in seen for one in flights]
    for name in ("elapsed_ms", "response_bytes"):
        assert [one[name] for one in flights] == sorted(one[name] for one in flights)
    last = flights[-1]
    assert (last["path"], last["usage"]["input_tokens"]) == (MESSAGES, 4)
    assert last["response_bytes"] > 1000
    assert 2000 < last["elapsed_ms"] < 20_000


def test_the_comment_follows(seen: list[Any]) -> None:
    comments = [comment for _, shown in seen for comment in shown]
    assert any(comment.startswith("thinking ") for comment in comments)
    assert any(comment.startswith("generating ") and "kB" in comment for comment in comments)
    assert "tok · " in comments[-1]
