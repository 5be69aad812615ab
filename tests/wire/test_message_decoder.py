"""MessageDecoder: the framing follows the media type and the first bytes, however they arrive."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mitmeter.exchange import Message
from mitmeter.wire import Framing, MessageDecoder, decoder, is_stream
from splits import cut_at, splits

LIMIT = 1 << 20
SSE = "text/event-stream"
JSON = "application/json"


def read(content_type: str, chunks: list[bytes], limit: int = LIMIT) -> tuple[str, bool, list[Message], list[str]]:
    front: Framing = MessageDecoder(content_type, limit=limit)
    messages = [message for chunk in chunks for message in front.feed(chunk)]
    messages += front.close()
    return front.framing, front.streaming, messages, front.anomalies


CHOICES = [
    pytest.param(SSE, b"data: 1\n\n", "sse", 1, id="sse"),
    pytest.param("Text/Event-Stream; charset=UTF-8", b"data: 1\n\n", "sse", 1, id="sse, case and parameters"),
    pytest.param(SSE, b'{"error": 1}\n\n', "document", 1, id="sse that is an object"),
    pytest.param(SSE, b"\r\n [1]", "document", 1, id="sse that is an array"),
    pytest.param(SSE, b"nonsense", "sse", 0, id="sse that is nonsense"),
    pytest.param(SSE, b"", "sse", 0, id="sse, empty"),
    pytest.param(SSE, b"\n" * 200 + b"data: 1\n\n", "sse", 1, id="sse, long blank start"),
    pytest.param("application/x-ndjson", b"{}\n{}\n", "ndjson", 2, id="ndjson"),
    pytest.param("application/stream+json", b"{}\n{}", "ndjson", 2, id="cohere v1"),
    pytest.param("application/jsonl; charset=utf-8", b"{}\n{}", "ndjson", 2, id="jsonl"),
    pytest.param("application/json-seq", b"\x1e{}\n\x1e{}\n", "ndjson", 2, id="json-seq"),
    pytest.param(JSON, b'{"a": 1}', "document", 1, id="json"),
    pytest.param(JSON, b"\n\n\n{}", "document", 1, id="json after newlines"),
    pytest.param(JSON, b"\n" * 200 + b"{}", "document", 1, id="json, long blank start"),
    pytest.param(JSON, b"data: 1\n\ndata: 2\n\n", "sse", 2, id="json that is sse"),
    pytest.param(JSON, b"\xef\xbb\xbfdata: 1\n\n", "sse", 1, id="json that is sse with a bom"),
    pytest.param(JSON, b"data", "document", 1, id="json that stops short of telling"),
    pytest.param(JSON, b"", "document", 0, id="json, empty"),
    pytest.param("", b"event: a\ndata: 1\n\n", "sse", 1, id="no type, event"),
    pytest.param("", b": hello\n\ndata: 1\n\n", "sse", 1, id="no type, comment"),
    pytest.param("", b"id: 1\ndata: 1\n\n", "sse", 1, id="no type, id"),
    pytest.param("", b"retry: 1\ndata: 1\n\n", "sse", 1, id="no type, retry"),
    pytest.param("", b"{}", "document", 1, id="no type, object"),
    pytest.param("text/plain", b"idle talk: 1", "document", 1, id="text that begins like a field"),
    pytest.param("text/html", b"<html>", "document", 1, id="html"),
    pytest.param(";;", b"{}", "document", 1, id="broken type"),
]


@pytest.mark.parametrize(("content_type", "body", "framing", "count"), CHOICES)
def test_choice_at_every_cut(content_type: str, body: bytes, framing: str, count: int) -> None:
    expected = read(content_type, [body])
    assert expected[:2] == (framing, framing != "document")
    assert len(expected[2]) == count
    for name, chunks in splits(body):
        assert read(content_type, chunks) == expected, name
    direct = decoder(content_type, body, limit=LIMIT)
    assert (direct.framing, direct.feed(body) + direct.close()) == (framing, expected[2])


def test_offsets_count_from_the_body_start() -> None:
    assert read(JSON, [b"\n", b"dat", b"a: 1\n\n"])[2] == [Message(b"1", b"", 10)]


def test_type_speaks_before_the_bytes_do() -> None:
    assert MessageDecoder(SSE, limit=LIMIT).streaming
    assert MessageDecoder(JSON, limit=LIMIT).framing == "document"


def test_limit_and_anomalies_reach_the_framing() -> None:
    assert read("", [b"data: 123456\n\n"], limit=5) == ("sse", True, [], ["event_too_long"])


@pytest.mark.parametrize(
    ("content_type", "expected"),
    [
        (SSE, True),
        ("TEXT/EVENT-STREAM;charset=utf-8", True),
        ("application/x-ndjson", True),
        ("application/stream+json", True),
        ("application/vnd.amazon.eventstream", True),
        (JSON, False),
        ("text/plain", False),
        ("", False),
    ],
)
def test_is_stream(content_type: str, expected: bool) -> None:
    assert is_stream(content_type) is expected


@settings(deadline=None)
@given(
    st.sampled_from([SSE, JSON, "application/x-ndjson", ""]),
    st.binary() | st.text("data:evn{[\r\n ").map(str.encode),
    st.lists(st.integers(0, 200), max_size=6),
    st.sampled_from([0, 5, LIMIT]),
)
def test_any_bytes_at_any_cuts(content_type: str, body: bytes, cuts: list[int], limit: int) -> None:
    assert read(content_type, cut_at(body, cuts), limit) == read(content_type, [body], limit)
