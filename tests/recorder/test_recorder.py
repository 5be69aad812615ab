"""One exchange from first byte to last: its clock, its outcome, and the facts of its row."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from recording import (
    ASKED,
    CHAT,
    DOCUMENT,
    DONE,
    FAILED,
    JSON,
    SSE,
    STREAM,
    TOKEN,
    USAGE,
    delta,
    ended,
    event,
    recorder,
)

from mitmeter.bare import bare
from mitmeter.exchange import Answer, Exchange, Headers, Outcome
from mitmeter.recorder import Recorder
from mitmeter.usage.registry import find

# The clock


def in_batches(sizes: tuple[int, ...]) -> Callable[[Recorder], None]:
    def feed(recording: Recorder) -> None:
        rest = list(STREAM)
        for size in (*sizes, len(rest)):
            recording.feed_all(rest[:size])
            del rest[:size]

    return feed


@pytest.mark.parametrize("sizes", [(1,) * 7, (), (3, 2), (2, 3), (6,)], ids=repr)
def test_the_clock_knows_each_chunk_though_they_come_in_batches(sizes: tuple[int, ...]) -> None:
    recording = recorder()
    recording.answer(Answer(status=200, headers=SSE), 50.1)
    in_batches(sizes)(recording)
    timing = recording.close(Outcome.COMPLETE, 60.0)[0].timing
    assert (timing.headers_ms, timing.first_byte_ms, timing.first_token_ms) == (100.0, 200.0, 500.0)
    assert timing.duration_ms == 1700.0, "a complete exchange ends with its last byte"
    assert (timing.tokens_per_second, timing.rate_source) == (10.0, "wire")


@pytest.mark.parametrize("cut", range(1, 40, 3))
def test_a_token_arrives_with_the_end_of_its_event(cut: int) -> None:
    first, second = delta(role="assistant"), delta(content="a")
    chunks = [(first, 50.2), (second[:cut], 50.4), (second[cut:], 50.6), (event("[DONE]"), 50.7)]
    assert ended(recorder(), chunks)[0].timing.first_token_ms == 600.0


def test_two_tokens_in_one_chunk_have_one_time_and_no_rate() -> None:
    timing = ended(recorder(), [(delta(content="a") + delta(content="b") + event(USAGE), 50.5)])[0].timing
    assert (timing.first_token_ms, timing.tokens_per_second, timing.rate_source) == (500.0, None, None)


def rated(usage: dict[str, Any], *deltas: tuple[dict[str, str], float]) -> Exchange:
    chunks = [(delta(**members), at) for members, at in deltas]
    return ended(recorder(), [*chunks, (event(json.dumps({"choices": [], **usage})), 59.0)])[0]


THOUGHT = {"completion_tokens_details": {"reasoning_tokens": 40}}


@pytest.mark.parametrize(
    ("usage", "first", "rate"),
    [
        pytest.param({"prompt_tokens": 1, "completion_tokens": 21}, "content", 10.0, id="tokens after the first"),
        pytest.param(
            {"prompt_tokens": 1, "completion_tokens": 61, **THOUGHT}, "content", 10.0, id="hidden reasoning left out"
        ),
        pytest.param(
            {"prompt_tokens": 1, "completion_tokens": 61, **THOUGHT}, "reasoning_content", 30.0, id="reasoning seen"
        ),
        pytest.param({"prompt_tokens": 1, "completion_tokens": 1}, "content", None, id="one token"),
        pytest.param({"prompt_tokens": 1, "completion_tokens": 0}, "content", None, id="none"),
        pytest.param({"prompt_tokens": 1}, "content", None, id="not told"),
    ],
)
def test_the_rate_measured_on_the_wire(usage: dict[str, Any], first: str, rate: float | None) -> None:
    timing = rated({"usage": usage}, ({first: "a"}, 51.0), ({"content": "b"}, 53.0)).timing
    assert timing.tokens_per_second == rate
    assert timing.rate_source == (None if rate is None else "wire")


TIMINGS = {"prompt_n": 4, "predicted_n": 21, "prompt_per_second": 123.0, "predicted_per_second": 45.0}


def test_the_servers_rates_win() -> None:
    timing = rated({"timings": TIMINGS}, ({"content": "a"}, 51.0), ({"content": "b"}, 53.0)).timing
    assert (timing.prompt_per_second, timing.tokens_per_second, timing.rate_source) == (123.0, 45.0, "server")


def test_a_prompt_rate_alone_leaves_the_other_to_the_wire() -> None:
    told = {"timings": {**TIMINGS, "predicted_per_second": None}}
    timing = rated(told, ({"content": "a"}, 51.0), ({"content": "b"}, 53.0)).timing
    assert (timing.prompt_per_second, timing.tokens_per_second, timing.rate_source) == (123.0, 10.0, "wire")


def test_a_buffered_body_has_no_times_within() -> None:
    recording = recorder()
    recording.answer(Answer(status=200, headers=SSE), 50.1)
    recording.whole(b"".join(chunk for chunk, _ in STREAM), 51.0)
    exchange = recording.close(Outcome.COMPLETE, 51.0)[0]
    timing = exchange.timing
    assert (timing.first_byte_ms, timing.first_token_ms, timing.tokens_per_second) == (None, None, None)
    assert (timing.headers_ms, timing.duration_ms) == (100.0, 1000.0)
    assert exchange.usage.output_tokens == 11


def test_times_before_the_request_are_not_negative() -> None:
    recording = recorder()
    recording.answer(Answer(status=200, headers=SSE), 49.0)
    recording.feed(delta(content="a"), 49.5)
    timing = recording.close(Outcome.COMPLETE, 49.5)[0].timing
    assert min(timing.headers_ms or 0, timing.first_byte_ms or 0, timing.duration_ms or 0) == 0.0


def test_a_long_stream_keeps_its_last_moments() -> None:
    recording = recorder()
    recording.answer(Answer(status=200, headers=SSE), 50.0)
    count = 30_000
    for start in range(0, count, 100):
        recording.feed_all([(delta(content="a"), 50.0 + at / 1000) for at in range(start, start + 100)])
    recording.feed(event('{"usage":{"completion_tokens":30000}}'), 90.0)
    timing = recording.close(Outcome.COMPLETE, 90.0)[0].timing
    assert timing.first_token_ms == 0.0
    assert timing.tokens_per_second == pytest.approx(1000.0, rel=1e-3)


# Outcomes

COMPLETE, CLIENT, UPSTREAM = Outcome.COMPLETE, Outcome.CLIENT_ABORTED, Outcome.UPSTREAM_ABORTED


@pytest.mark.parametrize(
    ("status", "body", "transport", "outcome", "error"),
    [
        pytest.param(200, TOKEN + DONE, COMPLETE, COMPLETE, None, id="complete"),
        pytest.param(200, TOKEN, COMPLETE, COMPLETE, None, id="complete without a terminator"),
        pytest.param(204, b"", COMPLETE, COMPLETE, None, id="204"),
        pytest.param(301, b"", COMPLETE, COMPLETE, None, id="a redirect"),
        pytest.param(200, TOKEN, CLIENT, CLIENT, "gone", id="client: before the end"),
        pytest.param(200, TOKEN + DONE, CLIENT, COMPLETE, None, id="client: after the end"),
        pytest.param(200, b"", CLIENT, CLIENT, "gone", id="client: before the body"),
        pytest.param(200, TOKEN, UPSTREAM, UPSTREAM, "gone", id="upstream: before the end"),
        pytest.param(200, TOKEN + DONE, UPSTREAM, COMPLETE, None, id="upstream: after the end"),
        pytest.param(200, TOKEN + DONE[:8], UPSTREAM, UPSTREAM, "gone", id="upstream: in the middle of the end"),
        pytest.param(200, TOKEN + FAILED, COMPLETE, Outcome.ERROR, "boom", id="an error event"),
        pytest.param(200, TOKEN + FAILED + DONE, COMPLETE, Outcome.ERROR, "boom", id="an error event and the end"),
        pytest.param(200, TOKEN + FAILED, CLIENT, Outcome.ERROR, "boom", id="an error event and a cut"),
        pytest.param(429, b'{"error":{"message":"slow"}}', COMPLETE, Outcome.ERROR, "slow", id="429"),
        pytest.param(500, b"", COMPLETE, Outcome.ERROR, "500 Internal Server Error", id="500 without a body"),
        pytest.param(502, b"<html>", UPSTREAM, Outcome.ERROR, "502 Bad Gateway", id="502 and a cut"),
    ],
)
def test_outcomes(status: int, body: bytes, transport: Outcome, outcome: Outcome, error: str | None) -> None:
    cause = None if transport is COMPLETE else "gone"
    exchange, redacted = ended(recorder(), [(body, 50.5)], status=status, outcome=transport, cause=cause)
    assert (exchange.outcome, exchange.error, exchange.status) == (outcome, error, status)
    assert redacted.outcome == outcome


@pytest.mark.parametrize(
    ("transport", "outcome"),
    [
        pytest.param(COMPLETE, Outcome.UNREACHABLE, id="nothing came"),
        pytest.param(UPSTREAM, Outcome.UNREACHABLE, id="the upstream is gone"),
        pytest.param(CLIENT, CLIENT, id="the client is gone"),
    ],
)
def test_no_answer(transport: Outcome, outcome: Outcome) -> None:
    exchange, redacted = recorder().close(transport, 50.5, "connection refused")
    assert (exchange.outcome, exchange.error, exchange.status) == (outcome, "connection refused", None)
    assert (exchange.model, exchange.request_model, exchange.stream) == ("asked", "asked", True)
    assert exchange.usage.source is None and exchange.timing.duration_ms == 500.0
    assert (redacted.status, redacted.response_body, redacted.request_body) == (None, None, ASKED)


def test_an_exchange_that_could_not_be_read_has_a_row() -> None:
    opening = recorder().opening
    exchange = bare(opening, Answer(status=500), find("POST", "h.invalid", CHAT), COMPLETE, 50.5)
    assert (exchange.outcome, exchange.anomalies) == (Outcome.ERROR, ("metering_failed",))
    assert (exchange.api, exchange.path, exchange.timing.duration_ms) == ("chat", CHAT, 500.0)


# Facts of the row


def test_the_row() -> None:
    exchange, _ = ended(
        recorder(f"{CHAT}?key=k", headers=(*JSON, ("Authorization", "Bearer k"))),
        [
            (b'{"id":"c1","model":"real","service_tier":"flex","choices":[{"finish_reason":"stop"}],', 50.5),
            (b'"usage":{"prompt_tokens":4,"completion_tokens":11,"total_tokens":15}}', 50.6),
        ],
        headers=JSON,
    )
    assert (exchange.provider, exchange.api, exchange.operation) == ("openai", "chat", "chat")
    assert (exchange.model, exchange.request_model, exchange.response_id) == ("real", "asked", "c1")
    assert (exchange.finish, exchange.service_tier, exchange.stream) == ("stop", "flex", False)
    assert (exchange.method, exchange.host, exchange.path) == ("POST", "h.invalid", CHAT)
    assert (exchange.content_type, exchange.client.agent) == ("application/json", "test")
    assert (exchange.sizes.request_bytes, exchange.sizes.response_bytes) == (len(ASKED), 154)
    assert exchange.usage.total_tokens == 15
    assert exchange.reported == {"usage": {"prompt_tokens": 4, "completion_tokens": 11, "total_tokens": 15}}
    assert exchange.credential is not None and exchange.credential.startswith("k_")
    assert exchange.anomalies == ()


def test_the_engine_shows_in_the_response() -> None:
    body = b'{"usage":{"prompt_tokens":1,"completion_tokens":2},"timings":{"prompt_n":1,"predicted_n":2}}'
    assert ended(recorder(), [(body, 50.5)], headers=JSON)[0].provider == "llamacpp"
    signed = (*JSON, ("Server", "llama.cpp"))
    assert ended(recorder(), [(DOCUMENT, 50.5)], headers=signed)[0].provider == "llamacpp"
    assert ended(recorder(host="api.openai.com"), [(body, 50.5)], headers=JSON)[0].provider == "openai"


def test_the_model_in_the_path_is_the_last_resort() -> None:
    path = "/openai/deployments/mine/chat/completions"
    recording = recorder(path, body=b"{}", host="x.openai.azure.com")
    exchange = ended(recording, [(b"{}", 50.5)], headers=JSON)[0]
    assert (exchange.model, exchange.request_model, exchange.provider) == ("mine", "mine", "azure")


@pytest.mark.parametrize(
    ("body", "content_type", "anomalies"),
    [
        pytest.param(b"not json", "application/json", ("not_json",), id="words as JSON"),
        pytest.param(b"data: x\n\n", "text/event-stream", ("not_json",), id="words as events"),
        pytest.param(b"plain words", "text/plain", (), id="words as words"),
        pytest.param(b'{"usage":{"prompt_tokens":-1}}', "application/json", ("not_a_count",), id="no count"),
        pytest.param(b"", "application/json", (), id="nothing"),
    ],
)
def test_anomalies(body: bytes, content_type: str, anomalies: tuple[str, ...]) -> None:
    assert ended(recorder(), [(body, 50.5)], headers=(("Content-Type", content_type),))[0].anomalies == anomalies


def begun(*messages: str, key: str = "Bearer a", headers: Headers = ()) -> str | None:
    said = [{"role": ("user", "assistant")[at % 2], "content": text} for at, text in enumerate(messages)]
    body = json.dumps({"model": "asked", "messages": said}).encode()
    recording = recorder(headers=(*JSON, ("Authorization", key), *headers), body=body)
    return ended(recording, [(DOCUMENT, 51.0)], headers=JSON)[0].session


def test_the_turns_of_a_conversation_share_a_session() -> None:
    assert begun("hi") == begun("hi", "hello", "more") is not None
    assert (
        len({begun("hi"), begun("ho"), begun("hi", key="Bearer b"), begun("hi", headers=(("X-Session-ID", "1"),))}) == 4
    )
    assert begun("hi", headers=(("X-Session-ID", "1"),)) == begun("ho", headers=(("x-litellm-session-id", "1"),))


@pytest.mark.parametrize("before", [0, 1, 300])
@pytest.mark.parametrize(
    ("told", "error"),
    [
        pytest.param(b'event: error\ndata: {"message":"boom","code":"c"}\n\n', ("c", "boom"), id="an object"),
        pytest.param(b'event:error\r\ndata:{"detail":"boom"}\r\n\r\n', (None, "boom"), id="CRLF"),
        pytest.param(b'data: {"code":7}\nevent: error\n\n', (None, None), id="no message"),
        pytest.param(b'event: error\ndata: [{"message":"boom"}]\n\n', (None, "boom"), id="a list"),
        pytest.param(b"event: error\ndata: went wrong\n\n", (None, "went wrong"), id="no JSON"),
    ],
)
def test_an_event_that_is_named_error(told: bytes, error: tuple[str | None, str | None], before: int) -> None:
    exchange, _ = ended(recorder(), [(TOKEN * before + told, 51.0), (TOKEN, 51.2)])
    assert (exchange.outcome, exchange.error_type, exchange.error) == (Outcome.ERROR, *error)
