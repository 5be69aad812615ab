"""EventStreamDecoder: frames built here by the specification, at every cut, mutated, and arbitrary bytes."""

import json
import struct
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mitmeter.exchange import Message
from mitmeter.wire import MessageDecoder, is_stream
from mitmeter.wire.eventstream import EventStreamDecoder
from splits import cut_at, pieces, splits

LIMIT = 1 << 20
TYPE = "application/vnd.amazon.eventstream"


def text(name: str, value: str) -> bytes:
    coded = value.encode()
    return bytes([len(name)]) + name.encode() + b"\x07" + struct.pack(">H", len(coded)) + coded


def raw(headers: bytes, payload: bytes) -> bytes:
    prelude = struct.pack(">II", 16 + len(headers) + len(payload), len(headers))
    body = prelude + struct.pack(">I", crc32(prelude)) + headers + payload
    return body + struct.pack(">I", crc32(body))


def event(name: str, payload: bytes) -> bytes:
    kind = text(":event-type", name) + text(":content-type", "application/json") + text(":message-type", "event")
    return raw(kind, payload)


def exception(payload: bytes, name: str = "throttlingException") -> bytes:
    return raw(text(":exception-type", name) + text(":message-type", "exception"), payload)


def read(chunks: list[bytes], limit: int = LIMIT) -> tuple[list[Message], list[str]]:
    decoder = EventStreamDecoder(limit)
    messages = [message for chunk in chunks for message in decoder.feed(chunk)]
    return messages + decoder.close(), decoder.anomalies


def flipped(frame: bytes, at: int) -> bytes:
    return frame[:at] + bytes([frame[at] ^ 1]) + frame[at + 1 :]


A, B = event("chunk", b'{"a":1}'), event("metadata", b'{"b":2}')
ALL_TYPES = (
    b"\x01t\x00\x01f\x01\x01b\x02\x7f\x01s\x03\x00\x01\x01i\x04\x00\x00\x00\x01\x01l\x05"
    + bytes(8)
    + b"\x01y\x06\x00\x03abc\x01d\x08"
    + bytes(8)
    + b"\x01u\x09"
    + bytes(16)
    + text(":event-type", "chunk")
)
FAILURE = raw(
    text(":message-type", "error") + text(":error-code", "InternalError") + text(":error-message", "it broke"), b""
)


def failed(kind: str, message: str) -> bytes:
    return json.dumps({"error": {"type": kind, "message": message}}).encode()


CASES = [
    pytest.param(b"", [], [], id="empty"),
    pytest.param(A, [(b'{"a":1}', b"chunk")], [], id="one"),
    pytest.param(A + B, [(b'{"a":1}', b"chunk"), (b'{"b":2}', b"metadata")], [], id="two"),
    pytest.param(raw(b"", b""), [(b"", b"")], [], id="nothing in it"),
    pytest.param(raw(b"", b"x"), [(b"x", b"")], [], id="no headers"),
    pytest.param(raw(ALL_TYPES, b"x"), [(b"x", b"chunk")], [], id="headers of all types"),
    pytest.param(raw(text("x" * 255, "y" * 9000), b"x"), [(b"x", b"")], [], id="long header"),
    pytest.param(
        A + exception(b'{"message":"slow down"}'),
        [(b'{"a":1}', b"chunk"), (failed("throttlingException", "slow down"), b"throttlingException")],
        [],
        id="exception",
    ),
    pytest.param(
        exception(b"not json"), [(failed("throttlingException", "not json"), b"throttlingException")], [], id="plain"
    ),
    pytest.param(FAILURE, [(failed("InternalError", "it broke"), b"InternalError")], [], id="error"),
    pytest.param(
        raw(text(":message-type", "exception"), b""), [(failed("error", ""), b"error")], [], id="exception unnamed"
    ),
    pytest.param(A + B[:-1], [(b'{"a":1}', b"chunk")], ["frame_truncated"], id="cut in a frame"),
    pytest.param(A + B[:5], [(b'{"a":1}', b"chunk")], ["frame_truncated"], id="cut in a prelude"),
    pytest.param(A + flipped(B, 2) + A, [(b'{"a":1}', b"chunk")], ["frame_corrupt"], id="length wrong"),
    pytest.param(A + flipped(B, 9) + A, [(b'{"a":1}', b"chunk")], ["frame_corrupt"], id="prelude's checksum wrong"),
    pytest.param(A + flipped(B, 30) + A, [(b'{"a":1}', b"chunk")], ["frame_corrupt"], id="header wrong"),
    pytest.param(A + flipped(B, len(B) - 6) + A, [(b'{"a":1}', b"chunk")], ["frame_corrupt"], id="payload wrong"),
    pytest.param(A + flipped(B, len(B) - 1) + A, [(b'{"a":1}', b"chunk")], ["frame_corrupt"], id="checksum wrong"),
    pytest.param(raw(b"\x05ab", b"x") + A, [], ["frame_corrupt"], id="header's name past the end"),
    pytest.param(raw(b"\x01a\x07\x00\x09x", b"") + A, [], ["frame_corrupt"], id="header's value past the end"),
    pytest.param(raw(b"\x01a\x0a", b"") + A, [], ["frame_corrupt"], id="header of no known type"),
    pytest.param(b"<html>sorry, nothing here</html>", [], ["frame_corrupt"], id="something else"),
]


@pytest.mark.parametrize(("body", "expected", "anomalies"), CASES)
def test_case_at_every_cut(body: bytes, expected: list[tuple[bytes, bytes]], anomalies: list[str]) -> None:
    for name, chunks in splits(body):
        messages, found = read(chunks)
        assert ([(message.data, message.event) for message in messages], found) == (expected, anomalies), name


def test_ends_are_those_of_the_frames() -> None:
    for name, chunks in splits(A + B):
        assert [message.end for message in read(chunks)[0]] == [len(A), len(A + B)], name


def test_headers_longer_than_the_frame() -> None:
    prelude = struct.pack(">II", 20, 8)
    assert read([prelude + struct.pack(">I", crc32(prelude)) + bytes(8)]) == ([], ["frame_corrupt"])


def test_too_long_frame_is_dropped_and_reading_resumes() -> None:
    long = event("chunk", b"x" * 400)
    for name, chunks in splits(A + long + long + B + long[:100]):
        messages, anomalies = read(chunks, limit=200)
        assert [message.data for message in messages] == [b'{"a":1}', b'{"b":2}'], name
        assert anomalies == ["frame_too_long", "frame_truncated"], name


def test_many_too_long_frames_at_once() -> None:
    assert read([A * 5000], limit=20) == ([], ["frame_too_long"])


def test_type_is_known() -> None:
    assert is_stream(TYPE)
    decoder = MessageDecoder(TYPE, limit=LIMIT)
    assert (decoder.framing, decoder.streaming) == ("eventstream", True)
    assert [message.event for message in decoder.feed(A + B) + decoder.close()] == [b"chunk", b"metadata"]


@pytest.mark.parametrize(("asked", "framing"), [(True, "eventstream"), (False, "document")])
def test_frames_without_their_type(asked: bool, framing: str) -> None:
    for name, chunks in splits(A):
        decoder = MessageDecoder("", limit=LIMIT, stream=asked)
        messages = [message for chunk in chunks for message in decoder.feed(chunk)] + decoder.close()
        assert (decoder.framing, len(messages)) == (framing, 1), name


def test_document_under_the_type() -> None:
    decoder = MessageDecoder(TYPE, limit=LIMIT)
    assert [message.data for message in decoder.feed(b'{"message":"no"}') + decoder.close()] == [b'{"message":"no"}']
    assert not decoder.streaming


MANY = [event("chunk", b'{"text":"%s"}' % (b"x" * (at * 7 % 40))) for at in range(30)]


@pytest.mark.parametrize("changed", range(30))
def test_a_wrong_byte_among_many_frames_alike(changed: int) -> None:
    for at in range(len(MANY[changed])):
        body = b"".join((*MANY[:changed], flipped(MANY[changed], at), *MANY[changed + 1 :], B))
        messages, anomalies = read([body])
        assert len(messages) == changed, at
        assert anomalies[0].startswith("frame_"), at
        assert (messages, anomalies) == read(pieces(body, 64)), at


@pytest.mark.parametrize(
    "other",
    [
        B,
        FAILURE,
        event("chnuk", b"{}"),
        event("chunk", b"x" * 3000),
        event("chunk", MANY[3]),
        raw(b"", b""),
        raw(b"", A),
    ],
    ids=["kind", "failure", "same length", "long", "a frame within", "nothing", "the same within another"],
)
@pytest.mark.parametrize("at", [0, 1, 15, 29, 30])
def test_another_frame_among_many_alike(other: bytes, at: int) -> None:
    body = b"".join((*MANY[:at], other, *MANY[at:]))
    messages, anomalies = read([body])
    assert (messages, anomalies) == read(pieces(body, 1))
    assert (len(messages), messages[-1].end, anomalies) == (31, len(body), [])


def test_frames_that_tell_something_among_many_alike() -> None:
    body, told = b"".join((*MANY, B, *MANY)), MANY[7].rindex(b"}")
    decoder = EventStreamDecoder(LIMIT)
    decoder.heed(lambda data: [sum(map(len, MANY[:7])) + told, data.index(b'"b"')])
    every = read([body])[0]
    assert decoder.feed(body) == [every[7], every[30], every[60]]
    assert list(decoder.passed()) == every[::-1]


@given(st.lists(st.binary(max_size=1100), min_size=2, max_size=40), st.sampled_from(["chunk", "", "x" * 600]))
def test_frames_alike_of_any_lengths(payloads: list[bytes], name: str) -> None:
    body = b"".join(event(name, payload) for payload in payloads)
    messages, anomalies = read([body])
    assert [message.data for message in messages] == payloads
    assert (messages, anomalies) == (read(pieces(body, 500))[0], [])


FRAMES = st.lists(
    st.builds(event, st.sampled_from(["chunk", "metadata", ""]), st.binary(max_size=40))
    | st.builds(exception, st.binary(max_size=20))
    | st.builds(raw, st.binary(max_size=30), st.binary(max_size=20)),
    max_size=5,
).map(b"".join)


@given(st.binary() | FRAMES, st.lists(st.integers(0, 1000), max_size=6), st.sampled_from([0, 60, LIMIT]))
def test_any_bytes_at_any_cuts(body: bytes, cuts: list[int], limit: int) -> None:
    whole = read([body], limit)
    assert read(cut_at(body, cuts), limit) == whole
    assert read(pieces(body, 1), limit) == whole


@given(FRAMES.filter(bool), st.data())
def test_mutated_frames_at_any_cuts(body: bytes, data: st.DataObject) -> None:
    changed = bytearray(body)
    for at in data.draw(st.lists(st.integers(0, len(body) - 1), max_size=3)):
        changed[at] = data.draw(st.integers(0, 255))
    cuts = data.draw(st.lists(st.integers(0, 1000), max_size=6))
    assert read(cut_at(bytes(changed), cuts)) == read([bytes(changed)])
