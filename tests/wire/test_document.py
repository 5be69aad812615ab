"""DocumentDecoder: one message at the end, or none."""

import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mitmeter.exchange import Message
from mitmeter.wire.document import DocumentDecoder
from splits import cut_at, splits


def read(chunks: list[bytes], limit: int = 1 << 20) -> tuple[list[Message], list[str]]:
    decoder = DocumentDecoder(limit)
    assert all(decoder.feed(chunk) == [] for chunk in chunks)
    return decoder.close(), decoder.anomalies


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param(b"", [], id="empty"),
        pytest.param(b" \r\n\t ", [], id="blank"),
        pytest.param(b"\xef\xbb\xbf\n", [], id="bom only"),
        pytest.param(b'{"a": 1}', [Message(b'{"a": 1}', b"", 8)], id="object"),
        pytest.param(b'\n\n\n{"a": 1}\n', [Message(b'{"a": 1}', b"", 12)], id="keep-alive newlines"),
        pytest.param(b"\xef\xbb\xbf[1]", [Message(b"[1]", b"", 6)], id="bom"),
        pytest.param(b"<html>", [Message(b"<html>", b"", 6)], id="not looked at"),
    ],
)
def test_case_at_every_cut(body: bytes, expected: list[Message]) -> None:
    for name, chunks in splits(body):
        assert read(chunks) == (expected, []), name


@pytest.mark.parametrize(("size", "kept"), [(49, True), (50, True), (51, False), (5000, False)])
def test_limit(size: int, kept: bool) -> None:
    for name, chunks in splits(b"x" * size):
        messages, anomalies = read(chunks, limit=50)
        assert bool(messages) is kept, name
        assert anomalies == ([] if kept else ["document_too_long"]), name


@settings(deadline=None)
@given(st.binary(), st.lists(st.integers(0, 1000), max_size=6), st.sampled_from([0, 3, 1 << 20]))
def test_any_bytes_at_any_cuts(body: bytes, cuts: list[int], limit: int) -> None:
    assert read(cut_at(body, cuts), limit) == read([body], limit)


def test_memory_is_bounded() -> None:
    decoder = DocumentDecoder(64 * 1024)
    tracemalloc.start()
    for _ in range(2000):
        decoder.feed(bytes(10_000))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 300_000
