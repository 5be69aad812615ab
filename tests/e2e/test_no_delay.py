"""A stream is not held back, and the row's clock is the client's own."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import pytest

from harness import End, Mitm, Reply, fetch, rows_of
from provider import Provider

FIRST_MS, GAP_MS = 100, 30
PACE = {"x-pace-first": str(FIRST_MS), "x-pace-gap": str(GAP_MS)}
TURNS = [{"role": "user", "content": "how long does it take"}]
PARAMETERS = {"type": "object", "properties": {"path": {"type": "string"}}}
CHAT = {"model": "gpt-5", "messages": TURNS, "stream": True, "stream_options": {"include_usage": True}}
MESSAGES = {"model": "claude-sonnet-4-5", "max_tokens": 100, "messages": TURNS, "stream": True}
RESPONSES = {"model": "gpt-5", "input": TURNS, "stream": True}
# Generous: the proxy is a Python process on a machine that tests share. What is held back is late by whole streams.
LATE_MS = 150.0
CLOCK_MS = 30.0
STAGGER_S = 0.03


@dataclass(frozen=True)
class Case:
    """A paced stream. `token` and `last` are in the event (by the bytes that mark it) of its first and last token."""

    path: str
    body: dict[str, Any]
    token: bytes
    last: bytes
    shape: str = "words=10"
    headers: dict[str, str] = field(default_factory=dict)


CASES = {
    "chat": Case("/v1/chat/completions", CHAT, b'"content":"You"', '"content":" café"'.encode()),
    "chat-thinking": Case(
        "/v1/chat/completions",
        {**CHAT, "reasoning_effort": "low"},
        b'"reasoning_content":"The"',
        '"content":" café"'.encode(),
    ),
    "chat-tool": Case(
        "/v1/chat/completions",
        {**CHAT, "tools": [{"type": "function", "function": {"name": "read", "parameters": PARAMETERS}}]},
        b'"content":"You"',
        "東京".encode(),
    ),
    "chat-only-a-tool": Case(
        "/v1/chat/completions",
        {
            **CHAT,
            "tools": [{"type": "function", "function": {"name": "read", "parameters": PARAMETERS}}],
            "max_completion_tokens": 0,
        },
        b'"arguments":"{',
        "東京".encode(),
    ),
    "messages-only-a-tool": Case(
        "/v1/messages",
        {**MESSAGES, "tools": [{"name": "read", "input_schema": PARAMETERS}], "max_tokens": 0},
        b'"partial_json"',
        "東京".encode(),
    ),
    "responses": Case("/v1/responses", RESPONSES, b'"delta":"You"', '"delta":" café"'.encode()),
    "responses-thinking": Case(
        "/v1/responses", {**RESPONSES, "reasoning": {"effort": "low"}}, b'"delta":"The"', '"delta":" café"'.encode()
    ),
    "messages": Case("/v1/messages", MESSAGES, b'"text":"You"', '"text":" café"'.encode()),
    "messages-thinking": Case(
        "/v1/messages", {**MESSAGES, "thinking": {"type": "enabled"}}, b'"thinking":"The"', '"text":" café"'.encode()
    ),
    "messages-tool": Case(
        "/v1/messages",
        {**MESSAGES, "tools": [{"name": "read", "input_schema": PARAMETERS}]},
        b'"text":"You"',
        "東京".encode(),
    ),
    "messages-crlf-7-bytes": Case(
        "/v1/messages", MESSAGES, b'"text":"You"', '"text":" café"'.encode(), shape="words=10,eol=crlf,split=7"
    ),
}


@dataclass(frozen=True)
class Run:
    """The same stream directly and through the proxy, and its row."""

    direct: Reply
    through: Reply
    row: dict[str, Any]

    def at_ms(self, mark: bytes) -> float:
        """When the client had received the event with these bytes."""
        body = b""
        for (_, chunk), at in zip(self.through.chunks, self.through.arrivals_ms, strict=True):
            body += chunk
            if (found := body.find(mark)) >= 0 and body.find(b"\n", found) >= 0:
                return at
        raise AssertionError(f"{mark!r} never came")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Run]]:
    """All cases at the same time, which is how streams come."""
    with (
        Provider() as upstream,
        Mitm(upstream.url, tmp_path_factory.mktemp("delay")) as proxy,
        ThreadPoolExecutor(2 * len(CASES)) as pool,
    ):

        def ask(port: int, name: str) -> Reply:
            case = CASES[name]
            headers = {"user-agent": name, "x-shape": case.shape, **PACE, **case.headers}
            return fetch(port, case.path, case.body, headers)

        ask(proxy.port, "chat")  # what is imported at first use is not the question here
        rows_of(proxy.meter_dir, "chat")
        direct = {name: pool.submit(ask, upstream.port, name) for name in CASES}
        through = {}
        for name in CASES:  # connections that all come at once wait for each other, which is no business of ours
            time.sleep(STAGGER_S)
            through[name] = pool.submit(ask, proxy.port, name)
        yield {
            name: Run(
                direct[name].result(),
                through[name].result(),
                rows_of(proxy.meter_dir, name, 1 + (name == "chat"))[-1],
            )
            for name in CASES
        }


named = pytest.mark.parametrize("name", CASES)


@named
def test_each_event_comes_when_it_is_sent(runs: dict[str, Run], name: str) -> None:
    run = runs[name]
    assert run.through.end is End.COMPLETE
    assert run.through.body == run.direct.body
    assert len(run.through.chunks) >= 0.8 * len(run.direct.chunks) > 5
    assert run.direct.first_byte_ms is not None
    assert run.through.first_byte_ms is not None
    assert run.through.first_byte_ms < run.direct.first_byte_ms + LATE_MS
    late = sorted(ours - theirs for (ours, theirs) in zip(reached(run.through), reached(run.direct), strict=True))
    assert late[len(late) // 2] < LATE_MS
    assert run.through.arrivals_ms[-1] - run.through.arrivals_ms[0] > 0.8 * (
        run.direct.arrivals_ms[-1] - run.direct.arrivals_ms[0]
    )


def reached(reply: Reply) -> list[float]:
    """When every hundredth byte had come."""
    times: list[float] = []
    size = 0
    for (_, chunk), at in zip(reply.chunks, reply.arrivals_ms, strict=True):
        size += len(chunk)
        times += [at] * (size // 100 - len(times))
    return times


@named
def test_the_clock_is_the_clients(runs: dict[str, Run], name: str) -> None:
    case, run = CASES[name], runs[name]
    timing, reply = run.row["timing"], run.through
    assert reply.headers_at is not None
    assert reply.ended_at is not None
    seen = {
        "headers_ms": (reply.headers_at - reply.sent_at) * 1000,
        "first_byte_ms": reply.first_byte_ms,
        "first_token_ms": run.at_ms(case.token),
        "duration_ms": (reply.ended_at - reply.sent_at) * 1000,
    }
    assert {key: timing[key] for key in seen} == pytest.approx(seen, abs=CLOCK_MS)


@named
def test_the_first_token_is_the_first_that_was_generated(runs: dict[str, Run], name: str) -> None:
    """The opening events (role, message_start, ping) carry no token: the first one comes at least a gap later."""
    timing = runs[name].row["timing"]
    assert timing["first_byte_ms"] > 0.9 * FIRST_MS
    assert timing["first_token_ms"] - timing["first_byte_ms"] > 0.8 * GAP_MS


@named
def test_the_rate_is_measured_from_first_to_last_token(runs: dict[str, Run], name: str) -> None:
    case, run = CASES[name], runs[name]
    output = run.row["usage"]["output_tokens"]
    seconds = (run.at_ms(case.last) - run.at_ms(case.token)) / 1000
    assert run.row["timing"]["tokens_per_second"] == pytest.approx((output - 1) / seconds, rel=0.1)
    assert run.row["timing"]["prompt_per_second"] is None
