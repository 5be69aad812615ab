"""The client's bytes are those of a direct run, and each exchange is one row with the right outcome and one capture."""

import json
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Literal

import brotli  # type: ignore[import-untyped,unused-ignore]  # ships no types
import pytest
import zstandard

from harness import Mitm, Reply, capture, fetch, kept_body, rows, wait_rows
from provider import Provider

type Tokens = tuple[int | None, int | None]

HELLO = [{"role": "user", "content": "wie geht es dir, 東京?"}]
COUNTED = {"stream_options": {"include_usage": True}}
TOOLS = {"tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}]}
CHAT, RESPONSES, MESSAGES = "/v1/chat/completions", "/v1/responses", "/v1/messages"
BODIES: dict[str, dict[str, Any]] = {
    CHAT: {"model": "gpt-5", "messages": HELLO},
    RESPONSES: {"model": "gpt-5", "input": HELLO},
    MESSAGES: {"model": "claude-sonnet-4-5", "max_tokens": 100, "messages": HELLO},
}
ASKED = 6  # words in HELLO with its role, which is what the stand-in counts as tokens
SAID = 24


@dataclass(frozen=True)
class Case:
    """A request, and what its row says. `like` is the run that the client's reply is held against.

    `direct` is no proxy. Where mitmproxy changes an end by itself, `streaming` is mitmproxy without the addon and with
    `stream_large_bodies=1`, and `bare` is mitmproxy as it comes, for documents that are not streamed.
    """

    path: str
    headers: dict[str, str] = field(default_factory=dict)
    more: dict[str, Any] = field(default_factory=dict)
    method: str = "POST"
    outcome: str = "complete"
    status: int | None = 200
    tokens: Tokens = (ASKED, SAID)
    error: str | None = None
    like: Literal["direct", "streaming", "bare"] = "direct"
    cut_after: int | bytes | None = None
    reset: bool = False
    patience: float = 10.0
    anomalies: tuple[str, ...] = ()

    def ask(self, port: int, agent: str) -> Reply:
        """Sends it."""
        body = {**BODIES[self.path], **self.more} if self.method == "POST" else None
        headers = {"user-agent": agent, **self.headers}
        return fetch(
            port,
            self.path,
            body,
            headers,
            method=self.method,
            cut_after=self.cut_after,
            reset=self.reset,
            timeout=self.patience,
        )


def chat(shape: str = "", fault: str = "", **rest: Any) -> Case:
    """A counted stream of chat/completions."""
    return stream(CHAT, shape, fault, **{"more": {"stream": True, **COUNTED}, **rest})


def stream(path: str, shape: str = "", fault: str = "", more: dict[str, Any] | None = None, **rest: Any) -> Case:
    """A stream in some shape, with some fault."""
    pace = {"x-pace-gap": "15"} if isinstance(rest.get("cut_after"), int) else {}
    return Case(path, steer(shape, fault) | pace, more or {"stream": True}, **rest)


def document(path: str, shape: str = "", fault: str = "", **more: Any) -> Case:
    """A reply in one piece."""
    return Case(path, steer(shape, fault), **more)


def steer(shape: str, fault: str) -> dict[str, str]:
    """The headers that tell the stand-in."""
    return {name: value for name, value in (("x-shape", shape), ("x-fault", fault)) if value}


# A stream that stops: what mitmproxy makes of a reset is an orderly close, and of a document a 502 of its own.
CUT: dict[str, Any] = {"outcome": "upstream_aborted", "error": "peer closed connection"}
LEFT: dict[str, Any] = {"outcome": "client_aborted", "error": "Client disconnected"}
GONE: dict[str, Any] = {"outcome": "unreachable", "status": None, "tokens": (None, None), "like": "bare"}
TRUNCATED = ("coding_truncated",)

CASES = {
    "chat": chat(),
    "chat-without-usage": stream(CHAT, tokens=(None, None)),
    "chat-gzip": chat("coding=gzip"),
    "chat-deflate": chat("coding=deflate"),
    "chat-br": chat("coding=br"),
    "chat-zstd": chat("coding=zstd"),
    "chat-crlf": chat("eol=crlf"),
    "chat-cr": chat("eol=cr"),
    "chat-7-bytes": chat("split=7"),
    "chat-1-byte": chat("split=1"),
    "chat-7-bytes-crlf": chat("split=7,eol=crlf"),
    "chat-7-bytes-zstd": chat("split=7,coding=zstd"),
    "chat-5-bytes-gzip-cr": chat("split=5,coding=gzip,eol=cr"),
    "chat-no-done": chat("no-done"),
    "chat-length": chat("length"),
    "chat-length-br": chat("length,coding=br"),
    "chat-long": chat("words=3000", tokens=(ASKED, 3000)),
    "chat-tools": chat(more={**TOOLS, "stream": True, **COUNTED}, tokens=(8, 10)),
    "responses": stream(RESPONSES),
    "responses-zstd-7-bytes": stream(RESPONSES, "coding=zstd,split=7"),
    "responses-crlf-gzip": stream(RESPONSES, "eol=crlf,coding=gzip"),
    "messages": stream(MESSAGES),
    "messages-thinking": stream(MESSAGES, more={"stream": True, "thinking": {"type": "enabled"}}, tokens=(ASKED, 41)),
    "messages-br": stream(MESSAGES, "coding=br"),
    "messages-7-bytes-deflate": stream(MESSAGES, "split=7,coding=deflate"),
    "messages-cr": stream(MESSAGES, "eol=cr"),
    "messages-length": stream(MESSAGES, "length"),
    "json-chat": document(CHAT),
    "json-chat-gzip": document(CHAT, "coding=gzip"),
    "json-chat-7-bytes": document(CHAT, "split=7"),
    "json-responses-br": document(RESPONSES, "coding=br"),
    "json-messages-zstd": document(MESSAGES, "coding=zstd"),
    "json-messages-deflate": document(MESSAGES, "coding=deflate"),
    "204": document(MESSAGES, fault="204", status=204, tokens=(None, None)),
    "head": Case(CHAT, method="HEAD", tokens=(None, None)),
    "429": document(CHAT, fault="status:429", outcome="error", status=429, tokens=(None, None), error="待って"),
    "429-messages-stream": stream(
        MESSAGES,
        fault="status:429",
        outcome="error",
        status=429,
        tokens=(None, None),
        error="Told to answer 429: 待って",
    ),
    "429-gzip": document(
        RESPONSES, "coding=gzip", "status:429", outcome="error", status=429, tokens=(None, None), error="待って"
    ),
    "502-html": stream(CHAT, fault="html:502", outcome="error", status=502, tokens=(None, None), error="502"),
    "chat-error-event": chat(
        fault="error-event:5", outcome="error", tokens=(None, None), error="Told to fail: 容量超過"
    ),
    "chat-error-event-br": chat(
        "coding=br", "error-event:5", outcome="error", tokens=(None, None), error="Told to fail: 容量超過"
    ),
    "responses-error-event": stream(
        RESPONSES, fault="error-event:6", outcome="error", tokens=(None, None), error="Told to fail: 容量超過"
    ),
    "messages-error-event": stream(
        MESSAGES, fault="error-event:6", outcome="error", tokens=(ASKED, 1), error="Told to fail: 容量超過"
    ),
    "chat-upstream-cut": chat(fault="cut:6", tokens=(None, None), **CUT),
    "chat-upstream-cut-gzip": chat("coding=gzip", "cut:6", tokens=(None, None), anomalies=TRUNCATED, **CUT),
    "chat-upstream-reset": chat(fault="reset:6", tokens=(None, None), like="streaming", **CUT),
    "chat-upstream-cut-after-done": chat(fault="cut:99", outcome="complete"),
    "responses-upstream-cut-zstd": stream(
        RESPONSES, "coding=zstd", "cut:6", tokens=(None, None), anomalies=TRUNCATED, **CUT
    ),
    "messages-upstream-cut": stream(MESSAGES, fault="cut:6", tokens=(ASKED, 1), **CUT),
    "messages-upstream-reset-br": stream(
        MESSAGES, "coding=br", "reset:6", tokens=(ASKED, 1), like="streaming", anomalies=TRUNCATED, **CUT
    ),
    "messages-length-upstream-cut": stream(MESSAGES, "length", "cut:6", tokens=(ASKED, 1), **CUT),
    "json-upstream-cut": document(CHAT, fault="cut:2", tokens=(None, None), like="bare", **CUT),
    "no-headers": stream(CHAT, fault="no-headers", error="closed", **GONE),
    "no-headers-json": document(MESSAGES, fault="no-headers", error="closed", **GONE),
    "chat-client-cut": chat(cut_after=700, tokens=(None, None), **LEFT),
    "chat-client-reset": chat(cut_after=700, reset=True, tokens=(None, None), **LEFT),
    "messages-client-cut": stream(MESSAGES, cut_after=900, tokens=(ASKED, 1), **LEFT),
    "messages-client-cut-zstd": stream(
        MESSAGES, "coding=zstd", cut_after=700, tokens=(ASKED, 1), anomalies=TRUNCATED, **LEFT
    ),
    "responses-client-cut": stream(RESPONSES, cut_after=1500, tokens=(None, None), **LEFT),
    "chat-client-leaves-at-done": chat(fault="hang:99", cut_after=b"data: [DONE]\n\n"),
    "chat-client-resets-at-done": chat(fault="hang:99", cut_after=b"data: [DONE]\n\n", reset=True),
    "messages-client-leaves-at-stop": stream(MESSAGES, fault="hang:99", cut_after=b'{"type":"message_stop"}\n\n'),
    "json-client-leaves": document(CHAT, fault="hang:2", patience=0.3, tokens=(None, None), like="bare", **LEFT),
    "client-leaves-before-headers": chat(
        fault="silent", patience=0.3, outcome="client_aborted", status=None, tokens=(None, None), error="disconnected"
    ),
}


@dataclass(frozen=True)
class Run:
    """What came of a case: the reply through the proxy, the one it is held against, its rows."""

    through: Reply
    like: Reply
    rows: list[dict[str, Any]]
    capture: dict[str, Any]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Run]]:
    """All cases, run side by side through one proxy each."""
    directory = tmp_path_factory.mktemp("bytes")
    with (
        Provider() as upstream,
        Mitm(upstream.url, directory / "meter") as proxy,
        Mitm(upstream.url, directory / "bare", script=None) as bare,
        Mitm(upstream.url, directory / "streaming", script=None, options={"stream_large_bodies": "1"}) as streaming,
        ThreadPoolExecutor(8) as pool,
    ):
        ports = {"direct": upstream.port, "bare": bare.port, "streaming": streaming.port}
        through = {name: pool.submit(case.ask, proxy.port, name) for name, case in CASES.items()}
        like = {name: pool.submit(case.ask, ports[case.like], name) for name, case in CASES.items()}
        replies = {name: (through[name].result(), like[name].result()) for name in CASES}
        wait_rows(proxy.meter_dir, len(CASES))
        assert proxy.stop() == 0
        assert "Traceback" not in proxy.output
        by_agent: dict[str, list[dict[str, Any]]] = {name: [] for name in CASES}
        for row in rows(proxy.meter_dir):
            by_agent[row["client"]["agent"]].append(row)
        yield {
            name: Run(*replies[name], found, capture(proxy.meter_dir, found[0]) if found else {})
            for name, found in by_agent.items()
        }


def undone(coding: str | None, body: bytes) -> bytes:
    """The body without its content coding, as far as it came."""
    match coding:
        case "gzip" | "deflate":
            return zlib.decompressobj(zlib.MAX_WBITS | 32).decompress(body)
        case "br":
            return bytes(brotli.Decompressor().process(body))
        case "zstd":
            return zstandard.ZstdDecompressor().decompressobj().decompress(body)
    return body


named = pytest.mark.parametrize("name", CASES)


@named
def test_the_client_gets_the_same(runs: dict[str, Run], name: str) -> None:
    through, like = runs[name].through, runs[name].like
    assert (through.status, through.end, through.headers) == (like.status, like.end, like.headers)
    if isinstance(CASES[name].cut_after, int):  # how much is in flight at the cut is chance
        short, long = sorted((through.body, like.body), key=len)
        assert long.startswith(short)
    else:
        assert sha256(through.body).digest() == sha256(like.body).digest()


@named
def test_one_row(runs: dict[str, Run], name: str) -> None:
    case, found = CASES[name], runs[name].rows
    assert len(found) == 1
    row = found[0]
    assert (row["outcome"], row["status"], row["path"]) == (case.outcome, case.status, case.path)
    assert (row["usage"]["input_tokens"], row["usage"]["output_tokens"]) == case.tokens
    assert tuple(row["anomalies"]) == case.anomalies
    if case.error is None:
        assert row["error"] is None
    else:
        assert case.error in row["error"]


@named
def test_the_capture_is_what_came(runs: dict[str, Run], name: str) -> None:
    case, run = CASES[name], runs[name]
    found, row = run.capture, run.rows[0]
    asked = {**BODIES[case.path], **case.more} if case.method == "POST" else None
    assert json.loads(kept_body(found, "request") or b"null") == asked
    assert (found["status"], found["response_cut"], found["coding"]) == (case.status, 0, None)
    body = kept_body(found, "response")
    if case.status is None:
        assert body is None
        return
    assert body is not None
    assert len(body) == row["sizes"]["decoded_bytes"]
    came = undone(run.through.header("content-encoding"), run.through.body)
    if case.like == "bare":  # mitmproxy has thrown away what it had
        assert body == b""
    elif isinstance(case.cut_after, int):
        assert body.startswith(came)
    else:
        assert body == came
        assert row["sizes"]["response_bytes"] == len(run.through.body)
