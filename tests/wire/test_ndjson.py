"""NDJSONDecoder: named cases at every cut, arbitrary bytes against a plain reference."""

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mitmeter.exchange import Message
from mitmeter.wire.ndjson import NDJSONDecoder
from splits import cut_at, pieces, splits

LIMIT = 1 << 20


def read(chunks: list[bytes], limit: int = LIMIT) -> tuple[list[Message], list[str]]:
    decoder = NDJSONDecoder(limit)
    messages = [message for chunk in chunks for message in decoder.feed(chunk)]
    return messages + decoder.close(), decoder.anomalies


def reference(body: bytes, limit: int) -> list[Message]:
    messages, end = [], 0
    for line in io.BytesIO(body):
        content = line.removesuffix(b"\n")
        if not end:
            content = content.removeprefix(b"\xef\xbb\xbf")
        end += len(line)
        if len(content) <= limit and content.strip(b" \t\r\n\x1e"):
            messages.append(Message(content.strip(b" \t\r\n\x1e"), b"", end))
    return messages


CASES = [
    pytest.param(b"", [], id="empty"),
    pytest.param(b'{"a":1}\n', [(b'{"a":1}', 8)], id="one line"),
    pytest.param(b'{"a":1}\n{"b":2}\n', [(b'{"a":1}', 8), (b'{"b":2}', 16)], id="two lines"),
    pytest.param(b'{"a":1}\n{"b":2}', [(b'{"a":1}', 8), (b'{"b":2}', 15)], id="no last newline"),
    pytest.param(b"1\r\n2\r\n", [(b"1", 3), (b"2", 6)], id="crlf"),
    pytest.param(b"\n\n1\n\r\n \n2\n", [(b"1", 4), (b"2", 10)], id="blank lines"),
    pytest.param(b"\xef\xbb\xbf1\n2", [(b"1", 5), (b"2", 6)], id="bom"),
    pytest.param(b"1\n\xef\xbb\xbf2", [(b"1", 2), (b"\xef\xbb\xbf2", 6)], id="bom not at the start"),
    pytest.param(b"\x1e1\n\x1e2\n", [(b"1", 3), (b"2", 6)], id="json sequence"),
    pytest.param(b"  1  \n", [(b"1", 6)], id="space around"),
    pytest.param(b"not json\n", [(b"not json", 9)], id="not looked at"),
]


@pytest.mark.parametrize(("body", "expected"), CASES)
def test_case_at_every_cut(body: bytes, expected: list[tuple[bytes, int]]) -> None:
    for name, chunks in splits(body):
        assert read(chunks) == ([Message(data, b"", end) for data, end in expected], []), name


def test_too_long_line_is_dropped_and_reading_resumes() -> None:
    body = b"1\n" + b"x" * 51 + b"\n" + b"y" * 50 + b"\n2\n" + b"z" * 200
    for name, chunks in splits(body):
        messages, anomalies = read(chunks, limit=50)
        assert messages == [Message(b"1", b"", 2), Message(b"y" * 50, b"", 105), Message(b"2", b"", 107)], name
        assert anomalies == ["line_too_long"], name


@settings(deadline=None)
@given(
    st.text("ab \r\n\n").map(str.encode) | st.binary(),
    st.lists(st.integers(0, 1000), max_size=6),
    st.sampled_from([0, 1, 3, LIMIT]),
    st.booleans(),
)
def test_any_bytes_at_any_cuts(body: bytes, cuts: list[int], limit: int, bom: bool) -> None:
    body = b"\xef\xbb\xbf" * bom + body
    whole = read([body], limit)
    assert whole[0] == reference(body, limit)
    assert read(cut_at(body, cuts), limit) == whole
    assert read(pieces(body, 1), limit) == whole
