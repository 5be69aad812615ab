"""Clients that speak HTTP/2 over TLS: the same bytes, the same rows."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from harness import End, Mitm, Reply, capture, fetch, kept_body, rows_of
from harness.http2 import fetch2, saying2
from provider import Provider

CHAT, MESSAGES = "/v1/chat/completions", "/v1/messages"
BODY: dict[str, Any] = {
    "model": "m",
    "messages": [{"role": "user", "content": "two at a time"}],
    "stream": True,
    "stream_options": {"include_usage": True},
}
TOKENS = (5, 24)


@dataclass(frozen=True)
class Case:
    """An exchange, and what its row says; what an upstream cut looks like in HTTP/2 is a reset of the stream."""

    path: str = MESSAGES
    steer: tuple[tuple[str, str], ...] = ()
    end: End = End.COMPLETE
    outcome: str = "complete"
    status: int = 200
    tokens: tuple[int | None, int | None] = TOKENS
    reset_after: int | None = None


CASES = {
    "stream": Case(),
    "stream-chat-gzip": Case(CHAT, (("x-shape", "coding=gzip"),)),
    "stream-zstd-7-bytes": Case(steer=(("x-shape", "coding=zstd,split=7"),)),
    "refused": Case(steer=(("x-fault", "status:429"),), outcome="error", status=429, tokens=(None, None)),
    "no-content": Case(steer=(("x-fault", "204"),), status=204, tokens=(None, None)),
    "upstream-cut": Case(
        steer=(("x-fault", "cut:6"),), end=End.RESET, outcome="upstream_aborted", tokens=(TOKENS[0], 1)
    ),
    "client-resets": Case(
        steer=(("x-pace-gap", "15"),),
        end=End.CUT,
        outcome="client_aborted",
        tokens=(TOKENS[0], 1),
        reset_after=900,
    ),
}
named = pytest.mark.parametrize("name", CASES)


@dataclass(frozen=True)
class Bench:
    """Each reply over HTTP/2, and directly."""

    meter_dir: Path
    replies: dict[str, Reply]
    direct: dict[str, Reply]


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with Provider() as upstream, Mitm(upstream.url, tmp_path_factory.mktemp("http2")) as proxy:
        replies, direct = {}, {}
        for name, case in CASES.items():
            headers = {"user-agent": name, **dict(case.steer)}
            replies[name] = fetch2(proxy.port, case.path, BODY, headers, reset_after=case.reset_after)
            direct[name] = fetch(upstream.port, case.path, BODY, headers)
        yield Bench(proxy.meter_dir, replies, direct)


@named
def test_the_client_gets_the_same(bench: Bench, name: str) -> None:
    reply, direct, case = bench.replies[name], bench.direct[name], CASES[name]
    assert (reply.status, reply.end) == (case.status, case.end)
    if case.reset_after:
        assert direct.body.startswith(reply.body)
    else:
        assert reply.body == direct.body


@named
def test_one_row(bench: Bench, name: str) -> None:
    case = CASES[name]
    found = rows_of(bench.meter_dir, name)
    assert len(found) == 1
    row = found[0]
    assert (row["outcome"], row["status"]) == (case.outcome, case.status)
    assert (row["usage"]["input_tokens"], row["usage"]["output_tokens"]) == case.tokens
    kept = capture(bench.meter_dir, row)
    body = kept_body(kept, "response")
    assert body is not None
    assert len(body) == row["sizes"]["decoded_bytes"]
    if not case.steer:
        assert body == bench.replies[name].body


EVENT = b'data: {"object":"chat.completion.chunk","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":4}}\n\n'
PARTS = [EVENT, b"data: [DONE]\n\n"]
TRAILERS = [("server-timing", "total;dur=12.5"), ("x-secret-trailer", "sesame-5e9f")]


def test_trailers(tmp_path: Path) -> None:
    """They reach the client, and the capture, in which they are redacted as headers are."""
    options = {"ssl_insecure": "true"}
    with saying2(tmp_path / "tls", PARTS, TRAILERS) as url, Mitm(url, tmp_path, options=options) as proxy:
        reply = fetch2(proxy.port, CHAT, BODY, {"user-agent": "trailers"})
        assert (reply.status, reply.end, reply.body) == (200, End.COMPLETE, b"".join(PARTS))
        assert reply.trailers == TRAILERS
        (row,) = rows_of(proxy.meter_dir, "trailers")
        assert (row["outcome"], row["usage"]["input_tokens"], row["usage"]["output_tokens"]) == ("complete", 3, 4)
        kept = capture(proxy.meter_dir, row)
        assert kept_body(kept, "response") == b"".join(PARTS)
        assert [name for name, _ in kept["response_trailers"]] == [name for name, _ in TRAILERS]
        assert "sesame" not in str(kept)
