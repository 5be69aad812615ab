"""One exchange from first byte to last: its clock, its outcome, its sizes, and what its capture keeps."""

import gzip
import json
import random
import zlib
from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import Any

import brotli  # type: ignore[import-untyped]  # it has no stubs
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from mitmeter.exchange import Answer, Client, Exchange, Headers, Opening, Outcome
from mitmeter.recorder import Limits, Recorder, bare
from mitmeter.redact import Redacted
from mitmeter.usage.registry import find

JSON: Headers = (("Content-Type", "application/json"),)
SSE: Headers = (("Content-Type", "text/event-stream"),)
CHAT = "/v1/chat/completions"
ASKED = b'{"model":"asked","stream":true}'
USAGE = '{"choices":[],"usage":{"prompt_tokens":4,"completion_tokens":11}}'
DOCUMENT = b'{"model":"m","usage":{"prompt_tokens":4,"completion_tokens":11}}'
SALT = b"secret"

type Chunk = tuple[bytes, float]


def recorder(
    path: str = CHAT,
    *,
    headers: Headers = JSON,
    body: bytes | None = ASKED,
    limits: Limits | None = None,
    host: str = "h.invalid",
) -> Recorder:
    opening = Opening(
        flow_id="f",
        started=1000.0,
        zero=50.0,
        method="POST",
        url=f"https://{host}{path}",
        headers=headers,
        body=body,
        client=Client(address="127.0.0.1", agent="test"),
    )
    return Recorder(opening, find("POST", host, path.partition("?")[0]), limits=limits, secret=SALT)


def event(payload: str) -> bytes:
    return f"data: {payload}\n\n".encode()


def delta(**members: Any) -> bytes:
    return event(json.dumps({"choices": [{"index": 0, "delta": members}]}))


def ended(
    recording: Recorder,
    chunks: Iterable[Chunk] = (),
    *,
    status: int = 200,
    headers: Headers = SSE,
    outcome: Outcome = Outcome.COMPLETE,
    at: float = 60.0,
    cause: str | None = None,
) -> tuple[Exchange, Redacted]:
    recording.answer(Answer(status=status, headers=headers), 50.1)
    for chunk, arrived in chunks:
        recording.feed(chunk, arrived)
    return recording.close(outcome, at, cause)


# The clock

STREAM: tuple[Chunk, ...] = (
    (delta(role="assistant", content=""), 50.2),
    (b": ping\n\n", 50.25),
    (delta(content="a"), 50.5),
    (delta(content="b"), 50.75),
    (delta(content="c"), 51.5),
    (event(USAGE), 51.6),
    (event("[DONE]"), 51.7),
)


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

TOKEN = delta(content="a")
FAILED = event('{"error":{"message":"boom","type":"server_error"}}')
DONE = event("[DONE]")
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


# Codings

PLAIN = b"".join(chunk for chunk, _ in STREAM)
CODINGS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": brotli.compress,
    "zstd": zstandard.compress,
}


def coded(coding: str) -> Headers:
    return (*SSE, ("Content-Encoding", coding))


def bytewise(body: bytes) -> list[Chunk]:
    return [(body[at : at + 1], 50.2 + at / 1000) for at in range(len(body))]


@pytest.mark.parametrize("coding", CODINGS)
def test_codings(coding: str) -> None:
    packed = CODINGS[coding](PLAIN)
    exchange, redacted = ended(recorder(), bytewise(packed), headers=coded(coding))
    assert (exchange.usage.input_tokens, exchange.usage.output_tokens, exchange.anomalies) == (4, 11, ())
    assert (exchange.sizes.response_bytes, exchange.sizes.decoded_bytes) == (len(packed), len(PLAIN))
    assert (redacted.response_body, redacted.coding) == (PLAIN, None)
    assert exchange.timing.first_token_ms is not None


def test_stacked_codings() -> None:
    packed = brotli.compress(gzip.compress(PLAIN))
    for headers in (coded("gzip, br"), (*coded("gzip"), ("content-encoding", "br"))):
        exchange, redacted = ended(recorder(), bytewise(packed), headers=headers)
        assert (exchange.usage.output_tokens, redacted.response_body) == (11, PLAIN)


@pytest.mark.parametrize("coding", CODINGS)
def test_a_truncated_coding_tells_what_it_can(coding: str) -> None:
    """Anthropic's first event has the input; what follows is random, so that it cannot be packed into nothing."""
    start = event('{"type":"message_start","message":{"model":"c","usage":{"input_tokens":9,"output_tokens":1}}}')
    noise = random.Random(0).randbytes(200_000).hex()
    rest = [event(json.dumps({"type": "ping", "noise": noise[at : at + 200]})) for at in range(0, len(noise), 200)]
    packed = CODINGS[coding](start + b"".join(rest))
    recording = recorder("/v1/messages")
    cut = packed[: len(packed) * 3 // 4]
    exchange, redacted = ended(recording, [(cut, 50.5)], headers=coded(coding), outcome=CLIENT)
    assert (exchange.usage.input_tokens, exchange.outcome) == (9, CLIENT)
    assert "coding_truncated" in exchange.anomalies
    assert (redacted.response_body or b"").startswith(start)


def test_an_unknown_coding_is_kept_as_it_is() -> None:
    exchange, redacted = ended(recorder(), [(b"\x01\x02", 50.5)], headers=coded("dcz"))
    assert (redacted.response_body, redacted.coding) == (b"\x01\x02", "dcz")
    assert "coding_unsupported" in exchange.anomalies


def test_a_bomb_is_bounded() -> None:
    packed = gzip.compress(PLAIN + b" " * 50_000_000)
    exchange, redacted = ended(recorder(limits=Limits(decoded=1 << 20)), [(packed, 50.5)], headers=coded("gzip"))
    assert "coding_bomb" in exchange.anomalies
    assert exchange.sizes.decoded_bytes <= 2 << 20
    assert exchange.usage.output_tokens == 11
    assert redacted.response_body is not None


@pytest.mark.parametrize("coding", CODINGS)
def test_a_request_with_a_coding_is_read(coding: str) -> None:
    packed = CODINGS[coding](b'{"model":"packed","stream":false}')
    recording = recorder(headers=(*JSON, ("Content-Encoding", coding)), body=packed)
    exchange, redacted = ended(recording, [(b"{}", 50.5)], headers=JSON)
    assert (exchange.request_model, exchange.sizes.request_bytes) == ("packed", len(packed))
    assert redacted.request_body == b'{"model":"packed","stream":false}'


def test_a_request_whose_coding_is_broken_is_flagged() -> None:
    packed = gzip.compress(b'{"model":"packed"}' * 50)[:-12]
    recording = recorder(headers=(*JSON, ("Content-Encoding", "gzip")), body=packed)
    assert "request_coding_truncated" in ended(recording, [(b"{}", 50.5)], headers=JSON)[0].anomalies


# Limits, and what is kept


@pytest.mark.parametrize(
    ("limit", "request_cut", "response_cut"),
    [
        pytest.param(10, len(ASKED) - 10, len(PLAIN) - 10, id="both are cut"),
        pytest.param(len(ASKED), 0, len(PLAIN) - len(ASKED), id="the response is cut"),
        pytest.param(len(PLAIN), 0, 0, id="exactly"),
        pytest.param(0, len(ASKED), len(PLAIN), id="nothing is kept"),
    ],
)
def test_a_body_is_kept_up_to_its_limit(limit: int, request_cut: int, response_cut: int) -> None:
    exchange, redacted = ended(recorder(limits=Limits(body=limit)), STREAM)
    assert (redacted.request_cut, redacted.response_cut) == (request_cut, response_cut)
    assert (redacted.request_body, redacted.response_body) == (ASKED[:limit], PLAIN[:limit])
    assert (exchange.usage.output_tokens, exchange.request_model) == (11, "asked"), "all of it is metered"
    assert exchange.sizes.decoded_bytes == len(PLAIN)


def test_a_message_over_its_limit_is_left_out() -> None:
    long = delta(content="x" * 500)
    exchange, _ = ended(recorder(limits=Limits(message=300)), [(TOKEN, 50.3), (long, 50.4), (event(USAGE), 50.5)])
    assert exchange.usage.output_tokens == 11
    assert exchange.anomalies == ("event_too_long",)


@pytest.mark.parametrize(
    ("path", "answer", "kept"),
    [
        pytest.param("/v1/audio/speech", "audio/mpeg", (True, False), id="speech"),
        pytest.param("/v1/audio/transcriptions", "application/json", (False, True), id="transcription"),
        pytest.param("/v1/images/generations", "application/json", (True, False), id="image"),
        pytest.param("/v1/images/edits", "application/json", (False, False), id="image edit"),
        pytest.param(CHAT, "application/json", (True, True), id="chat"),
    ],
)
def test_sound_and_pictures_are_not_kept(path: str, answer: str, kept: tuple[bool, bool]) -> None:
    _, redacted = ended(recorder(path), [(DOCUMENT, 50.5)], headers=(("Content-Type", answer),))
    assert (redacted.request_body is not None, redacted.response_body is not None) == kept


def test_the_body_of_an_error_is_kept_where_the_answer_is_not() -> None:
    body = b'{"error":{"message":"bad voice"}}'
    exchange, redacted = ended(recorder("/v1/audio/speech"), [(body, 50.5)], status=400, headers=JSON)
    assert (exchange.error, redacted.response_body) == ("bad voice", body)


def test_sound_is_not_parsed() -> None:
    noise = b"data: " + DOCUMENT + b"\n\n"
    exchange, _ = ended(recorder("/v1/audio/speech"), [(noise, 50.5)], headers=(("Content-Type", "audio/mpeg"),))
    assert (exchange.usage.source, exchange.anomalies) == (None, ())
    assert exchange.sizes.response_bytes == len(noise)


def test_trailers_are_kept_and_redacted() -> None:
    recording = recorder()
    recording.answer(Answer(status=200, headers=SSE), 50.1)
    recording.feed(TOKEN, 50.2)
    recording.trailers((("Server-Timing", "x"), ("X-Auth-Token", "secret")))
    redacted = recording.close(Outcome.COMPLETE, 50.3)[1]
    assert redacted.response_trailers == (("Server-Timing", "x"), ("X-Auth-Token", "[REDACTED]"))


# Anything at all

NAMES = st.sampled_from(("content-type", "content-encoding", "Content-Encoding", "authorization", "x", "server"))
VALUES = st.sampled_from(
    (
        *("application/json", "text/event-stream", "application/x-ndjson", "audio/mpeg", "multipart/form-data"),
        *("gzip", "br", "zstd", "deflate", "gzip, br", "identity", "nonsense", "", "Bearer x", "\udcff"),
        *("application/vnd.amazon.eventstream", "llama.cpp"),
    )
)
HEADERS = st.lists(st.tuples(NAMES, VALUES), max_size=4).map(tuple)
PATHS = st.sampled_from(
    (
        *(CHAT, "/v1/messages", "/v1/responses", "/completion", "/infill", "/v1/audio/speech", "/nothing", ""),
        *("/api/chat", "/v1/embeddings", "/v1/images/edits", "/v1/messages/count_tokens"),
    )
)
PIECES = st.binary(max_size=40) | st.sampled_from(
    (TOKEN, DONE, FAILED, event(USAGE), DOCUMENT, gzip.compress(PLAIN), zstandard.compress(PLAIN), b"[", b"{", b"\n\n")
)
CHUNKS = st.lists(st.tuples(PIECES, st.floats(0, 100)), max_size=8)


@settings(max_examples=300, deadline=None)
@given(
    PATHS,
    HEADERS,
    st.none() | PIECES,
    st.none() | st.tuples(st.integers(100, 599), HEADERS),
    CHUNKS,
    st.sampled_from(tuple(Outcome)),
    st.text(max_size=5) | st.none(),
)
def test_whatever_comes_there_is_one_exchange(
    path: str,
    headers: Headers,
    body: bytes | None,
    head: tuple[int, Headers] | None,
    chunks: list[Chunk],
    outcome: Outcome,
    cause: str | None,
) -> None:
    recording = recorder(path, headers=headers, body=body, limits=Limits(body=100, decoded=5000, message=200))
    if head is not None:
        recording.answer(Answer(status=head[0], headers=head[1]), 50.0)
    for chunk, at in chunks:
        recording.feed(chunk, at)
    exchange, redacted = recording.close(outcome, 60.0, cause)
    assert exchange.flow_id == redacted.flow_id == "f"
    assert exchange.outcome is redacted.outcome
    assert (exchange.status is None) == (head is None)
    assert len(redacted.response_body or b"") <= 100
    sent = (*(redacted.request_headers or ()), *(redacted.response_headers or ()))
    assert {value for name, value in sent if name == "authorization"} <= {"[REDACTED]"}
    assert all(value is None or value >= 0 for value in (exchange.timing.duration_ms, exchange.timing.first_byte_ms))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, len(PLAIN)), max_size=8), st.booleans())
def test_cuts_change_nothing_but_the_clock(cuts: list[int], batched: bool) -> None:
    edges = [0, *sorted(cuts), len(PLAIN)]
    chunks = [(PLAIN[start:end], 51.0) for start, end in pairwise(edges) if start < end]
    recording = recorder()
    recording.answer(Answer(status=200, headers=SSE), 50.1)
    if batched:
        recording.feed_all(chunks)
    else:
        for chunk, at in chunks:
            recording.feed(chunk, at)
    exchange, redacted = recording.close(Outcome.COMPLETE, 51.0)
    assert (exchange.usage.output_tokens, exchange.timing.first_token_ms) == (11, 1000.0)
    assert redacted.response_body == PLAIN
