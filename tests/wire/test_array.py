"""ArrayDecoder: named cases at every cut, arbitrary bytes at arbitrary cuts, hostile bodies in linear time."""

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mitmeter.exchange import Message
from mitmeter.mould import cast
from mitmeter.wire import MessageDecoder
from mitmeter.wire.array import ArrayDecoder
from splits import cut_at, pieces, splits

LIMIT = 1 << 20

JSON = st.recursive(
    st.none() | st.integers() | st.text('a\\"[]{}, \n\u00e9\u2028'),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text('k"]}\\', max_size=3), inner, max_size=4),
    max_leaves=30,
)


def read(chunks: list[bytes], limit: int = LIMIT) -> tuple[list[Message], list[str]]:
    decoder = ArrayDecoder(limit)
    messages = [message for chunk in chunks for message in decoder.feed(chunk)]
    return messages + decoder.close(), decoder.anomalies


CASES = [
    pytest.param(b"", [], [], id="empty"),
    pytest.param(b" \r\n", [], [], id="blank"),
    pytest.param(b"[]", [], [], id="empty array"),
    pytest.param(b'[{"a":1}\n,\r\n{"b":2}\n]', [(b'{"a":1}', 8), (b'{"b":2}', 19)], [], id="as it is streamed"),
    pytest.param(b'[{\n "a": [\n  1\n ]\n}]', [(b'{\n "a": [\n  1\n ]\n}', 19)], [], id="indented"),
    pytest.param(b'\xef\xbb\xbf [{"a":1}]', [(b'{"a":1}', 12)], [], id="bom and space"),
    pytest.param(b'\n\n[{"a":1}]\n', [(b'{"a":1}', 10)], [], id="newlines around"),
    pytest.param(b'[{"a":"]}\\"},"}]', [(b'{"a":"]}\\"},"}', 15)], [], id="brackets and quotes in a string"),
    pytest.param(b'[{"a":"\\\\"},{"b":1}]', [(b'{"a":"\\\\"}', 11), (b'{"b":1}', 19)], [], id="backslash at its end"),
    pytest.param(b'[1, "a,b" ,null ]', [(b"1", 3), (b'"a,b"', 11), (b"null", 17)], [], id="scalars"),
    pytest.param(b"[[1],[[2]]]", [(b"[1]", 4), (b"[[2]]", 10)], [], id="arrays"),
    pytest.param(b"[" + b"[" * 30 + b"]" * 30 + b",1]", [(b"[" * 30 + b"]" * 30, 61), (b"1", 64)], [], id="deep"),
    pytest.param(b"[,,1,,]", [(b"1", 5)], [], id="commas too many"),
    pytest.param(b'[{"a":1}{"b":2}]', [(b'{"a":1}', 8), (b'{"b":2}', 15)], [], id="no comma"),
    pytest.param(b'[{"error":{"code":1}}]', [(b'{"error":{"code":1}}', 21)], [], id="an error"),
    pytest.param(b"[1] and [2]", [(b"1", 3)], [], id="what follows is not read"),
    pytest.param(b'[{"a":1},{"b"', [(b'{"a":1}', 8)], ["array_truncated"], id="cut in an object"),
    pytest.param(b'[{"a":1},"b', [(b'{"a":1}', 8)], ["array_truncated"], id="cut in a string"),
    pytest.param(b'[{"a":1}', [(b'{"a":1}', 8)], ["array_truncated"], id="cut between elements"),
    pytest.param(b'{"a":[1]}', [], ["not_an_array"], id="an object"),
    pytest.param(b"nonsense [1]", [], ["not_an_array"], id="nonsense"),
]


@pytest.mark.parametrize(("body", "expected", "anomalies"), CASES)
def test_case_at_every_cut(body: bytes, expected: list[tuple[bytes, int]], anomalies: list[str]) -> None:
    for name, chunks in splits(body):
        assert read(chunks) == ([Message(data, b"", end) for data, end in expected], anomalies), name


def test_element_comes_with_its_last_byte() -> None:
    decoder = ArrayDecoder(LIMIT)
    assert decoder.feed(b'[{"a":1') == []
    assert decoder.feed(b"}") == [Message(b'{"a":1}', b"", 8)]


@pytest.mark.parametrize("content_type", ["application/json", "text/event-stream", ""])
@pytest.mark.parametrize(
    ("asked", "body", "expected"),
    [
        (True, b"\n[{},{}]", ("array", True, [b"{}", b"{}"])),
        (False, b"\n[{},{}]", ("document", False, [b"[{},{}]"])),
        (True, b'{"error":1}', ("document", False, [b'{"error":1}'])),
    ],
)
def test_array_is_streamed_where_a_stream_was_asked_for(
    content_type: str, asked: bool, body: bytes, expected: tuple[str, bool, list[bytes]]
) -> None:
    for name, chunks in splits(body):
        decoder = MessageDecoder(content_type, limit=LIMIT, stream=asked)
        messages = [message for chunk in chunks for message in decoder.feed(chunk)] + decoder.close()
        found = (decoder.framing, decoder.streaming, [message.data for message in messages])
        assert found == expected, name


def test_too_long_element_is_dropped_and_reading_resumes() -> None:
    long = b'{"a":"' + b"x" * 60 + b'"}'
    body = b"[1,\n" + long + b",\n" + b"y" * 50 + b",2, " + b" " * 80 + b"3," + long
    for name, chunks in splits(body):
        messages, anomalies = read(chunks, limit=50)
        assert [message.data for message in messages] == [b"1", b"y" * 50, b"2", b"3"], name
        assert anomalies == ["element_too_long", "array_truncated"], name


@given(st.lists(JSON, max_size=6), st.sampled_from([None, 1]), st.lists(st.integers(0, 400), max_size=6))
def test_any_array_at_any_cuts(array: list[object], indent: int | None, cuts: list[int]) -> None:
    body = json.dumps(array, indent=indent).encode()
    messages, anomalies = read(cut_at(body, cuts))
    assert ([json.loads(message.data) for message in messages], anomalies) == (array, [])
    assert [body[: message.end].endswith((message.data, b",", b"]")) for message in messages] == [True] * len(array)


@given(
    st.binary() | st.text('[]{}",\\ \n1\u00e9').map(str.encode),
    st.lists(st.integers(0, 1000), max_size=6),
    st.sampled_from([0, 1, 3, 12, LIMIT]),
    st.sampled_from([b"", b"[", b'[{"a":"', b"\xef\xbb\xbf", b"\xef\xbb\xbf["]),
)
def test_any_bytes_at_any_cuts(body: bytes, cuts: list[int], limit: int, opening: bytes) -> None:
    body = opening + body
    whole = read([body], limit)
    assert read(cut_at(body, cuts), limit) == whole
    assert read(pieces(body, 1), limit) == whole
    assert all(len(message.data) <= limit for message in whole[0])


@given(st.lists(JSON, min_size=1, max_size=4), st.data())
def test_mutated_array_at_any_cuts(array: list[object], data: st.DataObject) -> None:
    body = bytearray(json.dumps(array).encode())
    for at in data.draw(st.lists(st.integers(0, len(body) - 1), max_size=4)):
        body[at] = data.draw(st.integers(0, 255))
    cuts = data.draw(st.lists(st.integers(0, 400), max_size=6))
    assert read(cut_at(bytes(body), cuts)) == read([bytes(body)])


HOSTILE = [
    pytest.param(b"[" * 300_000, id="brackets"),
    pytest.param(b"[" + b'{"a":[' * 40_000 + b"1" * 60_000, id="nested, then long"),
    pytest.param(b'["' + b'x\\"' * 100_000, id="one string"),
    pytest.param(b'["' * 150_000, id="quotes"),
    pytest.param(b"[" + (b"[" * 12 + b"1" + b"]" * 12 + b",") * 12_000, id="just too deep"),
]


@pytest.mark.parametrize("body", HOSTILE)
def test_time_is_linear(body: bytes) -> None:
    def seconds(part: bytes) -> float:
        start = time.process_time()
        read(pieces(part, 997))
        return time.process_time() - start

    quarter = min(seconds(body[: len(body) // 4]) for _ in range(3))
    assert seconds(body) < 16 * quarter + 0.2


WORDS = st.text(alphabet='ab"\\{}[],\u00e9\n ', min_size=1, max_size=8)
BETWEEN = st.sampled_from([b",", b",\r\n", b"\n,\r\n", b" , "])


def element(word: str, number: int) -> bytes:
    return json.dumps({"parts": [{"text": word}], "usage": {"count": number}}, indent=1).encode()


@given(st.lists(st.tuples(WORDS, st.integers(0, 999)), min_size=3, max_size=12), BETWEEN, st.data())
def test_of_a_run_that_fits_a_mould_the_last_is_told(
    said: list[tuple[str, int]], between: bytes, data: st.DataObject
) -> None:
    """What is left out fits the mould, and is followed by an element that fits it too and is told."""
    whole = b"[" + between.join(element(word, number) for word, number in said) + b"]"
    mould = cast(Message(element("x", 1)), Message(element("yy", 22)), frozenset())
    assert mould is not None
    plain = ArrayDecoder(1 << 20)
    every = [message for piece in (whole,) for message in plain.feed(piece)]
    hushed = ArrayDecoder(1 << 20)
    hushed.hush(mould)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=4)))
    told = [message for piece in cut_at(whole, cuts) for message in hushed.feed(piece)] + hushed.close()
    assert hushed.anomalies == []
    left = [message for message in every if message not in told]
    assert [message for message in every if message in told] == told
    fits = mould.fits()
    for message in left:
        following = every[every.index(message) + 1]
        assert fits(message.data) and fits(following.data)
    assert told[-1] == every[-1]


def test_a_run_is_left_out() -> None:
    mould = cast(Message(element("x", 1)), Message(element("yy", 22)), frozenset())
    assert mould is not None
    decoder = ArrayDecoder(1 << 20)
    decoder.hush(mould)
    told = decoder.feed(b"[" + b",\r\n".join(element("word", number) for number in range(100)) + b"]")
    assert [json.loads(message.data)["usage"]["count"] for message in told] == [0, 99]
