"""PartsDecoder: bodies that come as the payloads of frames, cut anywhere, within frames and across them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mitmeter.exchange import Message
from mitmeter.wire import MessageDecoder
from splits import cut_at, splits
from wire.test_eventstream import LIMIT, TYPE, event, exception, failed

SSE = b'data: {"a":"\xc3\xa9"}\n\ndata: {"b":2}\n\n'


def parts(*payloads: bytes) -> bytes:
    return b"".join(event("PayloadPart", payload) for payload in payloads)


def read(chunks: list[bytes], limit: int = LIMIT) -> tuple[list[Message], list[str]]:
    decoder = MessageDecoder(TYPE, limit=limit)
    messages = [message for chunk in chunks for message in decoder.feed(chunk)]
    return messages + decoder.close(), decoder.anomalies


BROKEN = exception(b'{"message":"reset","ErrorCode":"StreamBroken"}', "ModelStreamError")
CASES = [
    pytest.param(parts(SSE), [b'{"a":"\xc3\xa9"}', b'{"b":2}'], [], id="events in one piece"),
    pytest.param(parts(SSE[:3], SSE[3:13], SSE[13:]), [b'{"a":"\xc3\xa9"}', b'{"b":2}'], [], id="cut in a character"),
    pytest.param(parts(b'{"a":1}\n{"b"', b":2}"), [b'{"a":1}', b'{"b":2}'], [], id="lines, the last without its end"),
    pytest.param(parts(b'[{"a":1}', b',{"b":2}]'), [b'[{"a":1},{"b":2}]'], [], id="an array is a line"),
    pytest.param(parts(b"", SSE, b""), [b'{"a":"\xc3\xa9"}', b'{"b":2}'], [], id="empty pieces"),
    pytest.param(
        parts(SSE[:30]) + BROKEN,
        [b'{"a":"\xc3\xa9"}', failed("ModelStreamError", "reset"), b'{"b":2'],
        [],
        id="broken, with what was begun",
    ),
    pytest.param(BROKEN, [failed("ModelStreamError", "reset")], [], id="broken at once"),
    pytest.param(parts(SSE)[:-2], [], ["frame_truncated"], id="the frame is cut"),
    pytest.param(event("chunk", b'{"a":1}') + parts(b"x\n"), [b'{"a":1}', b"x\n"], [], id="no pieces at first"),
    pytest.param(parts(b"x\n") + event("chunk", b'{"a":1}'), [b"x", b'{"a":1}'], [], id="frames of another kind"),
]


@pytest.mark.parametrize(("body", "payloads", "anomalies"), CASES)
def test_messages_at_every_cut(body: bytes, payloads: list[bytes], anomalies: list[str]) -> None:
    whole = read([body])
    assert [message.data for message in whole[0]] == payloads
    assert whole[1] == anomalies
    for how, chunks in splits(body):
        assert read(chunks) == whole, how


def test_a_message_ends_with_the_frame_that_completed_it() -> None:
    first, rest = parts(SSE[:17]), parts(SSE[17:])
    assert [message.end for message in read([first + rest])[0]] == [len(first + rest)] * 2
    assert read([parts(SSE[:18]) + rest])[0][0].end == len(parts(SSE[:18]))


@given(st.lists(st.binary(max_size=30), max_size=6), st.lists(st.integers(0, 300), max_size=4))
def test_any_pieces_at_any_cuts(payloads: list[bytes], cuts: list[int]) -> None:
    body = parts(*payloads)
    assert read(cut_at(body, cuts)) == read([body])


def test_frames_within_frames_are_no_frames() -> None:
    body = parts(b"x")
    for _ in range(3000):
        body = parts(body)
        if len(body) > LIMIT // 2:
            break
    messages, _ = read([body])
    assert all(message.end == len(body) for message in messages)
