"""The stand-in keeps its word: shapes, faults and pace, seen by a raw client."""

import gzip
import io
import zlib
from collections.abc import Callable, Iterator

import brotli  # type: ignore[import-untyped,unused-ignore]  # ships no types
import pytest
import zstandard

from harness import Connection, End, fetch
from provider import Provider

CHAT = "/v1/chat/completions"
ASK = {"model": "m", "messages": [{"role": "user", "content": "hello there 漢字"}], "stream": True}
TOOL = {"name": "search", "input_schema": {"type": "object", "properties": {"query": {"type": "string"}}}}


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with Provider() as upstream:
        yield upstream.port


def _unzstd(data: bytes) -> bytes:
    return zstandard.ZstdDecompressor().stream_reader(io.BytesIO(data)).read()


@pytest.mark.parametrize(
    ("coding", "undo"),
    [("gzip", gzip.decompress), ("deflate", zlib.decompress), ("br", brotli.decompress), ("zstd", _unzstd)],
)
def test_codings_carry_the_same_events(port: int, coding: str, undo: Callable[[bytes], bytes]) -> None:
    plain = fetch(port, CHAT, ASK)
    coded = fetch(port, CHAT, ASK, {"x-shape": f"coding={coding}, split=7"})
    assert coded.end is plain.end is End.COMPLETE
    assert coded.header("content-encoding") == coding
    assert undo(coded.body) == plain.body
    assert max(len(data) for _, data in coded.chunks) <= 7


def test_usage_comes_only_when_asked_for(port: int) -> None:
    without = fetch(port, CHAT, ASK)
    counted = fetch(port, CHAT, ASK | {"stream_options": {"include_usage": True}})
    assert not any("usage" in event for event in without.events())
    usage = counted.events()[-1]["usage"]
    assert (usage["prompt_tokens"], usage["completion_tokens"]) == (4, 24)
    assert counted.body.endswith(b"data: [DONE]\n\n")


def test_line_ends_and_lengths(port: int) -> None:
    plain = fetch(port, CHAT, ASK).body
    assert fetch(port, CHAT, ASK, {"x-shape": "eol=crlf"}).body == plain.replace(b"\n", b"\r\n")
    assert fetch(port, CHAT, ASK, {"x-shape": "eol=cr;length"}).body == plain.replace(b"\n", b"\r")
    assert b"[DONE]" not in fetch(port, CHAT, ASK, {"x-shape": "no-done"}).body


def test_faults(port: int) -> None:
    for fault, end in (("cut:3", End.CLOSED), ("reset:3", End.RESET), ("no-headers", End.NO_HEADERS)):
        reply = fetch(port, CHAT, ASK, {"x-fault": fault})
        assert (reply.end, len(reply.chunks)) == (end, 0 if fault == "no-headers" else 3)
    assert fetch(port, CHAT, ASK, {"x-fault": "hang:2"}, timeout=0.3).end is End.TIMEOUT
    refused = fetch(port, "/v1/messages", ASK, {"x-fault": "status:429"})
    assert (refused.status, refused.header("retry-after")) == (429, "2")
    assert refused.json()["error"]["type"] == "rate_limit_error"
    assert fetch(port, CHAT, ASK, {"x-fault": "html:502"}).body.startswith(b"<html>")
    assert fetch(port, CHAT, ASK, {"x-fault": "204"}).status == 204
    failed = fetch(port, "/v1/messages", ASK, {"x-fault": "error-event:4"})
    assert (failed.status, failed.end, failed.events()[-1]["type"]) == (200, End.COMPLETE, "error")
    assert fetch(port, CHAT, ASK, {"x-fault": "typo"}).status == 500


def test_pace(port: int) -> None:
    reply = fetch(port, CHAT, ASK, {"x-pace-first": "60", "x-pace-gap": "5", "x-shape": "words=10"})
    assert (reply.first_byte_ms or 0) >= 60
    assert reply.arrivals_ms[-1] - reply.arrivals_ms[0] >= 5 * (len(reply.chunks) - 1)


def test_keep_alive_head_and_client_cut(port: int) -> None:
    with Connection(port) as connection:
        assert connection.request("HEAD", CHAT).body == b""
        assert connection.request("POST", CHAT, body=ASK).body == connection.request("POST", CHAT, body=ASK).body
        assert connection.request("POST", CHAT, body=ASK, cut_after=50).end is End.CUT


def test_messages_with_thinking_tool_and_cache(port: int) -> None:
    first = {"role": "user", "content": [{"type": "text", "text": "one two", "cache_control": {"type": "ephemeral"}}]}
    ask = {"model": "c", "max_tokens": 100, "messages": [first], "tools": [TOOL], "thinking": {"type": "enabled"}}
    whole = fetch(port, "/v1/messages", ask).json()
    assert [block["type"] for block in whole["content"]] == ["thinking", "text", "tool_use"]
    events = fetch(port, "/v1/messages", ask | {"stream": True}).events()
    assert events[-2]["usage"] == whole["usage"]
    assert whole["stop_reason"] == events[-2]["delta"]["stop_reason"] == "tool_use"
    assert whole["usage"]["cache_creation_input_tokens"] > 0 == whole["usage"]["cache_read_input_tokens"]
    result = {"type": "tool_result", "tool_use_id": "t", "content": "found it"}
    again = [first, {"role": "assistant", "content": whole["content"]}, {"role": "user", "content": [result]}]
    reply = fetch(port, "/v1/messages", ask | {"messages": again}).json()
    assert reply["stop_reason"] == "end_turn"
    assert reply["usage"]["cache_read_input_tokens"] > 0
    total = fetch(port, "/v1/messages/count_tokens", ask | {"messages": again}).json()["input_tokens"]
    parts = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
    assert sum(reply["usage"][part] for part in parts) == total


def test_responses_and_the_small_ones(port: int) -> None:
    ask = {"model": "r", "input": "say it", "reasoning": {"effort": "low"}}
    whole = fetch(port, "/v1/responses", ask).json()
    streamed = fetch(port, "/v1/responses", ask | {"stream": True}).events()
    assert streamed[-1]["response"]["usage"] == whole["usage"]
    assert whole["usage"]["output_tokens_details"]["reasoning_tokens"] > 0
    assert fetch(port, "/v1/responses", ask | {"max_output_tokens": 3}).json()["status"] == "incomplete"
    assert fetch(port, "/v1/embeddings", {"input": ["a b", "c"]}).json()["usage"]["prompt_tokens"] == 3
    done = fetch(port, "/v1/completions", {"prompt": "x y z", "stream": True}).events()
    assert done[-1]["choices"][0]["finish_reason"] == "stop"
