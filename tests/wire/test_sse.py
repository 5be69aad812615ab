"""SSEDecoder against the WHATWG rules: named cases at every cut, and a plain reference parser on arbitrary bytes."""

import tracemalloc

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mitmeter.exchange import Message
from mitmeter.wire.sse import SSEDecoder
from splits import cut_at, pieces, splits

LIMIT = 1 << 20


def read(chunks: list[bytes], limit: int = LIMIT) -> tuple[list[Message], list[str]]:
    decoder = SSEDecoder(limit)
    messages = [message for chunk in chunks for message in decoder.feed(chunk)]
    return messages + decoder.close(), decoder.anomalies


def reference(body: bytes, limit: int = LIMIT) -> list[Message]:
    """The same rules, one byte position at a time."""
    messages, at, start = [], 0, 0
    name, values = b"", []
    if body.startswith(b"\xef\xbb\xbf"):
        at = start = 3
    while at <= len(body):
        stop = min((where for where in (body.find(b"\r", at), body.find(b"\n", at)) if where >= 0), default=len(body))
        line = body[at:stop]
        width = 2 if body[stop : stop + 2] == b"\r\n" else 1
        at = stop + width
        ended = stop >= len(body)
        field, _, value = line.partition(b":")
        value = value[1:] if value[:1] == b" " else value
        if field == b"data":
            values.append(value)
        if field == b"event":
            name = value
        if not line or ended:
            if values and len(body[start:stop].strip(b"\r\n")) <= limit:
                messages.append(Message(b"\n".join(values), name, min(at, len(body))))
            name, values, start = b"", [], at
    return messages


CASES = [
    pytest.param(b"", [], id="empty"),
    pytest.param(b"data: a\n\n", [(b"a", b"", 9)], id="one event"),
    pytest.param(b"data: a\n\ndata: b\n\n", [(b"a", b"", 9), (b"b", b"", 18)], id="two events"),
    pytest.param(b"data:a\n\n", [(b"a", b"", 8)], id="no space"),
    pytest.param(b"data:  a\n\n", [(b" a", b"", 10)], id="only one space is stripped"),
    pytest.param(b"data:\ta\n\n", [(b"\ta", b"", 9)], id="a tab is kept"),
    pytest.param(b"data: a\r\n\r\n", [(b"a", b"", 11)], id="crlf"),
    pytest.param(b"data: a\r\rdata: b\r\r", [(b"a", b"", 9), (b"b", b"", 18)], id="cr"),
    pytest.param(b"data: a\r\n\ndata: b\n\r\n", [(b"a", b"", 10), (b"b", b"", 20)], id="mixed ends"),
    pytest.param(b"data: a\r\n\r\ndata: b\n\n", [(b"a", b"", 11), (b"b", b"", 20)], id="crlf then lf"),
    pytest.param(b"data: a\n\ndata: b\r\n\r\n", [(b"a", b"", 9), (b"b", b"", 20)], id="lf then crlf"),
    pytest.param(b"data: a\r\rdata: b\r\n\r\n", [(b"a", b"", 9), (b"b", b"", 20)], id="cr then crlf"),
    pytest.param(b"data: a\r\n\r\ndata: b\nc\r\n\r\n", [(b"a", b"", 11), (b"b", b"", 24)], id="lf inside crlf"),
    pytest.param(b"data: a\r\r\ndata: b\r\n\r\n", [(b"a", b"", 10), (b"b", b"", 21)], id="cr crlf"),
    pytest.param(b"data: a\r\ndata: b\r\n\r\n", [(b"a\nb", b"", 20)], id="multi-line crlf"),
    pytest.param(b"data: a\ndata: b\n\n", [(b"a\nb", b"", 17)], id="multi-line"),
    pytest.param(
        b"data\n\ndata\ndata\n\ndata:", [(b"", b"", 6), (b"\n", b"", 17), (b"", b"", 22)], id="whatwg empty data"
    ),
    pytest.param(b"data: YHOO\ndata: +2\ndata: 10\n\n", [(b"YHOO\n+2\n10", b"", 30)], id="whatwg stocks"),
    pytest.param(
        b": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event",
        [(b"first event", b"", 40), (b"second event", b"", 62), (b" third event", b"", 80)],
        id="whatwg four blocks",
    ),
    pytest.param(b"data:test\n\ndata: test\n\n", [(b"test", b"", 11), (b"test", b"", 23)], id="whatwg space"),
    pytest.param(b"event: add\ndata: 7\n\n", [(b"7", b"add", 20)], id="named"),
    pytest.param(b"event:add\ndata:7\n\n", [(b"7", b"add", 18)], id="named, no spaces"),
    pytest.param(b"event: add\r\ndata: 7\r\n\r\n", [(b"7", b"add", 23)], id="named crlf"),
    pytest.param(b"data: 7\nevent: add\n\n", [(b"7", b"add", 20)], id="name after data"),
    pytest.param(b"event: a\nevent: b\ndata: 7\n\n", [(b"7", b"b", 27)], id="last name wins"),
    pytest.param(b"event: a\n\ndata: 7\n\n", [(b"7", b"", 19)], id="a name does not outlive its event"),
    pytest.param(b"event: \ndata: 7\n\n", [(b"7", b"", 17)], id="empty name"),
    pytest.param(b"event\ndata: 7\n\n", [(b"7", b"", 15)], id="name without colon"),
    pytest.param(b"id: 1\nretry: 5\nfoo: x\ndata: 7\n\n", [(b"7", b"", 31)], id="other fields"),
    pytest.param(b"Data: 1\n data: 2\ndata : 3\n\n", [], id="field names are exact"),
    pytest.param(b": OPENROUTER PROCESSING\n\ndata: a\n\n", [(b"a", b"", 34)], id="comment"),
    pytest.param(b"event: ping\n\nid: 3\n\n", [], id="no data, no message"),
    pytest.param(b"data: a\n\n\n\n\ndata: b\n\n", [(b"a", b"", 9), (b"b", b"", 21)], id="blank lines between"),
    pytest.param(b"\n\n\ndata: a\n\n", [(b"a", b"", 12)], id="blank lines first"),
    pytest.param(b"data: a\n\ndata: [DONE]\n\n", [(b"a", b"", 9), (b"[DONE]", b"", 23)], id="done"),
    pytest.param(b"data: a\n\ndata: b", [(b"a", b"", 9), (b"b", b"", 16)], id="no end"),
    pytest.param(b"data: a\n", [(b"a", b"", 8)], id="no blank line"),
    pytest.param(b"data: a\r\n", [(b"a", b"", 9)], id="no blank line crlf"),
    pytest.param(b"data: a\r\r", [(b"a", b"", 9)], id="cr at the end"),
    pytest.param(b"event: a\ndata: b", [(b"b", b"a", 16)], id="named, no end"),
    pytest.param(b"\xef\xbb\xbfdata: a\n\n", [(b"a", b"", 12)], id="bom"),
    pytest.param(b"\xef\xbb\xbfdata: a", [(b"a", b"", 10)], id="bom, no end"),
    pytest.param(b"\xef\xbb\xbf\xef\xbb\xbfdata: a\n\n", [], id="one bom only"),
    pytest.param(b"data: a\n\n\xef\xbb\xbfdata: b\n\n", [(b"a", b"", 9)], id="bom not at the start"),
    pytest.param(b'{"error":"no stream"}', [], id="not a stream"),
]


@pytest.mark.parametrize(("body", "expected"), CASES)
def test_case_at_every_cut(body: bytes, expected: list[tuple[bytes, bytes, int]]) -> None:
    for name, chunks in splits(body):
        assert read(chunks) == ([Message(*fields) for fields in expected], []), name


PLAIN_LINES = [b"data: a", b"data: b", b"data:", b"data:c", b"data:  d", b"event: e", b"event:f"]
ODD_LINES = [b"", b"", b"data", b"event:", b": g", b"h", b"\xef\xbb\xbf", b"data: a\nb", b"data: " + b"x" * 40]
LINES = st.sampled_from(PLAIN_LINES + ODD_LINES)
STREAMS = st.lists(st.tuples(LINES, st.sampled_from([b"\n", b"\n\n", b"\r\n", b"\r\n\r\n", b"\r"])), max_size=12).map(
    lambda lines: b"".join(part for line in lines for part in line)
)
UNIFORM = st.tuples(st.lists(LINES, max_size=12), st.sampled_from([b"\n", b"\r\n"])).map(
    lambda made: (made[1] * 2).join(made[0]) + made[1] * 2
)
BODIES = STREAMS | UNIFORM | st.binary() | st.text("dat: even\r\n").map(str.encode)
CUTS = st.lists(st.integers(0, 1000), max_size=6)


@settings(deadline=None)
@given(BODIES, CUTS, st.sampled_from([0, 1, 8, 20, LIMIT]))
@example(b"data: a\r\n\r\ndata: b\nevent: c\r\n\r\n", [], LIMIT)
@example(b"event: \ndata: a\n\ndata: b\n\n", [], LIMIT)
@example(b"\n\n\n" + b"data: 123456789\n\n", [2], 8)
def test_any_bytes_at_any_cuts(body: bytes, cuts: list[int], limit: int) -> None:
    expected = reference(body, limit)
    whole = read([body], limit)
    assert whole[0] == expected
    assert read(cut_at(body, cuts), limit) == whole
    assert read(pieces(body, 1), limit) == whole


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"], ids=["lf", "crlf", "cr"])
@pytest.mark.parametrize("line", [b"data: %d", b"event: n\ndata: %d", b"data:%d", b"id: 1\ndata: %d", b"data: %d\n: x"])
def test_long_streams(line: bytes, end: bytes) -> None:
    body = b"".join((line % n + b"\n\n").replace(b"\n", end) for n in range(500))
    for _, chunks in splits(body):
        messages, anomalies = read(chunks)
        assert [message.data for message in messages] == [b"%d" % n for n in range(500)]
        assert messages[-1].end == len(body)
        assert messages == reference(body) and not anomalies


@pytest.mark.parametrize("end", [b"\n\n", b"\r\n\r\n", b"\r\r"], ids=["lf", "crlf", "cr"])
def test_too_long_event_is_dropped_and_reading_resumes(end: bytes) -> None:
    body = b"data: a" + end + b"data: " + b"x" * 100 + end + b"data: b" + end + b"data: " + b"y" * 100
    for name, chunks in splits(body):
        messages, anomalies = read(chunks, limit=50)
        assert [message.data for message in messages] == [b"a", b"b"], name
        assert messages[1].end == body.index(b"data: y"), name
        assert anomalies == ["event_too_long"], name


def test_memory_is_bounded() -> None:
    decoder = SSEDecoder(64 * 1024)
    chunk = b"data: " + b"x" * 10_000
    tracemalloc.start()
    for _ in range(2000):
        assert decoder.feed(chunk) == []
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 300_000
    assert decoder.feed(b"\n\ndata: a\n\n") == [Message(b"a", b"", 2000 * len(chunk) + 11)]
