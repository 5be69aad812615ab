"""What a recorder makes of bodies: codings, limits, what is kept of them, and of anything at all."""

import gzip
import json
import random
import zlib
from collections.abc import Callable
from itertools import pairwise

import brotli  # type: ignore[import-untyped]  # it has no stubs
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
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
    Chunk,
    delta,
    ended,
    event,
    recorder,
)

from mitmeter.exchange import Answer, Headers, Outcome
from mitmeter.recorder import Limits

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
    exchange, redacted = ended(recording, [(cut, 50.5)], headers=coded(coding), outcome=Outcome.CLIENT_ABORTED)
    assert (exchange.usage.input_tokens, exchange.outcome) == (9, Outcome.CLIENT_ABORTED)
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


def test_an_event_stream_that_is_called_octets_is_read() -> None:
    exchange, _ = ended(recorder(), [(event(USAGE), 51.0)], headers=(("Content-Type", "application/octet-stream"),))
    assert (exchange.stream, exchange.usage.output_tokens) == (True, 11)


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


UPLOAD = b"\r\n".join(
    (
        *(b"--b", b'Content-Disposition: form-data; name="file"; filename="a.mp3"', b"Content-Type: audio/mpeg", b""),
        *(b"SOUND" * 99, b"--b", b'Content-Disposition: form-data; name="model"', b"", b"whisper-1", b"--b--", b""),
    )
)


@pytest.mark.parametrize(
    ("body", "kept", "cut"),
    [
        pytest.param(UPLOAD, UPLOAD.replace(b"SOUND" * 99, b"[495 bytes left out]"), 475, id="a form"),
        pytest.param(b'{"file":"AAAA"}', None, 0, id="no form"),
        pytest.param(None, None, 0, id="nothing"),
    ],
)
def test_of_an_upload_its_fields_are_kept(body: bytes | None, kept: bytes | None, cut: int) -> None:
    form = (("Content-Type", "multipart/form-data; boundary=b"),)
    exchange, redacted = ended(recorder("/v1/audio/transcriptions", headers=form, body=body), headers=JSON)
    assert (redacted.request_body, redacted.request_cut) == (kept, cut)
    assert exchange.request_model == ("whisper-1" if body == UPLOAD else None)
    assert exchange.sizes.request_bytes == len(body or b"")


def test_the_limit_holds_for_what_is_kept_of_an_upload() -> None:
    form = (("Content-Type", "multipart/form-data; boundary=b"),)
    recording = recorder("/v1/audio/transcriptions", headers=form, body=UPLOAD, limits=Limits(body=40))
    _, redacted = ended(recording, headers=JSON)
    assert (redacted.request_body, redacted.request_cut) == (UPLOAD[:40], len(UPLOAD) - 40)
