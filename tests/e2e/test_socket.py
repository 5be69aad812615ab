"""WebSocket sessions through a real proxy: a row and a capture for each response, the client's messages untouched."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from harness import Mitm, capture, fetch, kept_body, rows_of
from harness.rows import Row
from harness.websocket import WebSocket
from provider import Provider

PATH = "/v1/realtime?model=gpt-realtime"
KEY = "sk-planted-0123456789abcdefghijklmnop"
CREATE: dict[str, Any] = {"type": "response.create"}
WORDS = 24


@pytest.fixture(scope="module")
def upstream() -> Iterator[Provider]:
    with Provider() as provider:
        yield provider


@pytest.fixture(scope="module")
def proxy(upstream: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mitm]:
    with Mitm(upstream.url, tmp_path_factory.mktemp("socket")) as running:
        yield running


def item(text: str) -> dict[str, Any]:
    content = [{"type": "input_text", "text": text}]
    return {"type": "conversation.item.create", "item": {"type": "message", "role": "user", "content": content}}


def connect(port: int, agent: str, *, deflate: bool = False, path: str = PATH, **headers: str) -> WebSocket:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return WebSocket(port, path, {"user-agent": agent, "authorization": f"Bearer {KEY}", **named}, deflate=deflate)


def converse(one: WebSocket, turns: int) -> list[dict[str, Any]]:
    """A session of so many responses; returns every message that came."""
    heard = one.until("session.created")
    for number in range(1, turns + 1):
        one.send(item(f"question {number}"))
        one.send(CREATE)
        heard += one.until("rate_limits.updated")
    return heard


def counts(row: Row) -> tuple[int | None, int | None, int | None]:
    usage = row["usage"]
    return usage["input_tokens"], usage["cache_read_tokens"], usage["output_tokens"]


def of(proxy: Mitm, agent: str, number: int, seconds: float = 10.0) -> list[Row]:
    """The rows of a client, none more than are wanted."""
    found = rows_of(proxy.meter_dir, agent, number, seconds)
    assert len(found) == number, proxy.output[-2000:]
    return found


@pytest.mark.parametrize("deflate", [False, True], ids=["plain", "deflate"])
def test_three_responses_are_three_rows(proxy: Mitm, deflate: bool) -> None:
    agent = f"three-{deflate}"
    protocol = f"realtime, openai-insecure-api-key.{KEY}"
    one = connect(
        proxy.port, agent, deflate=deflate, sec_websocket_protocol=protocol, x_pace_gap="5", x_pace_first="60"
    )
    assert one.status == 101
    assert ("sec-websocket-extensions" in one.headers) is deflate
    converse(one, 3)
    early = rows_of(proxy.meter_dir, agent, 3)
    assert len(early) == 3, "each is there once it has ended, not when the connection has"
    one.close()
    found = of(proxy, agent, 3, 1.0)
    assert [counts(row) for row in found] == [(100, 0, WORDS), (200, 100, WORDS), (300, 200, WORDS)]
    assert [row["response_id"] for row in found] == ["resp_1", "resp_2", "resp_3"]
    for number, row in enumerate(found, 1):
        assert (row["provider"], row["api"], row["model"]) == ("openai", "realtime", "gpt-realtime")
        assert (row["outcome"], row["finish"], row["status"]) == ("complete", "completed", 101)
        assert row["credential"].startswith("k_")
        timing = row["timing"]
        assert 55 <= timing["first_byte_ms"] <= timing["first_token_ms"] <= timing["duration_ms"] <= 5000
        assert timing["duration_ms"] >= 60 + 5 * WORDS
        kept = capture(proxy.meter_dir, row)
        asked = [json.loads(line) for line in (kept_body(kept, "request") or b"").splitlines()]
        heard = [json.loads(line) for line in (kept_body(kept, "response") or b"").splitlines()]
        assert asked == [item(f"question {number}"), CREATE]
        assert (heard[0]["type"], heard[-1]["type"], len(heard)) == ("response.created", "response.done", WORDS + 3)
        assert KEY not in json.dumps(kept)
        assert row["credential"]
    archive = b"".join(path.read_bytes() for path in proxy.meter_dir.rglob("*") if path.is_file())
    assert KEY.encode() not in archive
    assert KEY not in proxy.output


def test_messages_are_neither_changed_nor_held_back(upstream: Provider, proxy: Mitm) -> None:
    pace = {"x_pace_gap": "10", "x_pace_first": "30"}
    late: dict[str, list[float]] = {}
    texts = {}
    for name, port in (("direct", upstream.port), ("proxied", proxy.port)):
        with connect(port, f"bytes-{name}", **pace) as one:
            converse(one, 2)
            texts[name] = [text for _, text in one.messages]
            late[name] = [at - one.messages[1][0] for at, _ in one.messages[1 : WORDS + 3]]
    assert texts["proxied"] == texts["direct"]
    behind = [there - here for here, there in zip(late["direct"], late["proxied"], strict=True)]
    assert abs(median(behind)) < 0.05
    assert late["proxied"][WORDS // 2] < late["proxied"][-1] - 0.08, "they come one by one"


def test_a_client_that_hangs_up_inside_a_response(proxy: Mitm) -> None:
    one = connect(proxy.port, "hangs-up", x_pace_gap="20")
    converse(one, 1)
    one.send(CREATE)
    one.until("response.output_text.delta", 5)
    one.drop()
    first, second = of(proxy, "hangs-up", 2)
    assert (first["outcome"], counts(first)) == ("complete", (100, 0, WORDS))
    assert (second["outcome"], counts(second)) == ("client_aborted", (None, None, None))
    assert second["timing"]["first_token_ms"] is not None
    assert second["has_capture"]


@pytest.mark.parametrize("fault", ["cut:8", "reset:8"])
def test_an_upstream_that_ends_inside_a_response(proxy: Mitm, fault: str) -> None:
    with connect(proxy.port, fault, x_fault=fault) as one:
        one.until("session.created")
        one.send(CREATE)
        heard = one.until("response.done")
        assert len(heard) == 8
    (row,) = of(proxy, fault, 1)
    assert (row["outcome"], row["usage"]["source"]) == ("upstream_aborted", None)
    assert row["timing"]["first_token_ms"] is not None


@pytest.mark.parametrize("status", [401, 426])
def test_an_upgrade_that_is_refused(proxy: Mitm, status: int) -> None:
    with connect(proxy.port, f"refused-{status}", x_fault=f"status:{status}") as one:
        assert one.status == status
    (row,) = of(proxy, f"refused-{status}", 1)
    assert (row["outcome"], row["status"], row["api"]) == ("error", status, "realtime")
    assert f"{status}" in row["error"]


def test_a_connection_without_a_response_is_one_row(proxy: Mitm) -> None:
    one = connect(proxy.port, "mute")
    one.until("session.created")
    one.send(item("nobody asks for an answer"))
    one.close()
    (row,) = of(proxy, "mute", 1)
    assert (row["outcome"], row["model"], row["usage"]["source"]) == ("complete", "gpt-realtime", None)


def test_what_is_no_websocket_at_that_path_is_not_metered(proxy: Mitm) -> None:
    assert fetch(proxy.port, PATH, headers={"user-agent": "plain"}, method="GET").status == 404
    time.sleep(0.5)
    assert rows_of(proxy.meter_dir, "plain", 0) == []


def resident(proxy: Mitm) -> int:
    """The proxy's memory, in bytes."""
    assert proxy.process is not None
    fields = Path(f"/proc/{proxy.process.pid}/statm").read_text(encoding="ascii").split()
    return int(fields[1]) * 4096


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read from /proc")
def test_a_long_connection_is_bounded(upstream: Provider, tmp_path: Path) -> None:
    """20,000 messages: mitmproxy would keep them all, and nothing that has ended is kept by the addon."""
    with Mitm(upstream.url, tmp_path) as proxy, connect(proxy.port, "long", x_shape="words=996") as one:
        one.until("session.created")
        sizes = []
        for turn in range(1, 21):
            one.send(CREATE)
            one.until("rate_limits.updated")
            one.forget()
            if turn in (10, 15, 20):
                sizes.append(resident(proxy))
        found = of(proxy, "long", 20, 20.0)
        assert [counts(row)[0] for row in found] == [100 * turn for turn in range(1, 21)]
        assert sizes[2] - sizes[0] < 20 << 20, [size >> 20 for size in sizes]


def test_mitmwebs_comment_is_of_the_latest_response(upstream: Provider, tmp_path: Path) -> None:
    with Mitm(upstream.url, tmp_path, tool="mitmweb") as proxy, connect(proxy.port, "web") as one:
        address = urlsplit(proxy.url)
        token = {"authorization": f"Bearer {parse_qs(address.query)['token'][0]}"}

        def comment() -> str:
            (flow,) = fetch(address.port or 0, "/flows", headers=token, method="GET").json()
            return str(flow["comment"])

        for turn in (1, 2):
            one.send(CREATE)
            one.until("rate_limits.updated")
            of(proxy, "web", turn)
            deadline = time.monotonic() + 5
            while not comment().startswith(f"{100 * turn}→{WORDS} tok") and time.monotonic() < deadline:
                time.sleep(0.05)
            assert comment().startswith(f"{100 * turn}→{WORDS} tok"), comment()
