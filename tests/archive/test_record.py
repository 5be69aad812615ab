"""The codec of capture records: what is written, byte by byte where that matters, and what is read or refused."""

from binascii import crc32
from typing import cast

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from mitmeter.archive.record import (
    VERSION,
    Record,
    RecordError,
    checksum,
    decode,
    encode,
    encode_six,
    item_end,
    verify,
)
from mitmeter.exchange import Capture, Outcome
from mitmeter.redact import Redacted

SIX = ["id", "req_path", "req_headers", "req_body", "resp_headers", "resp_body"]
REST = [
    *("version", "flow_id", "method", "url", "http_version", "status", "reason", "started", "ended", "outcome"),
    *(
        "req_header_fields",
        "resp_header_fields",
        "resp_trailers",
        "req_cut",
        "resp_cut",
        "coding",
        "timeline",
        "row",
        "crc",
    ),
]

CAPTURE = Capture(
    flow_id="f-1",
    started=1790000000.25,
    method="POST",
    url="https://api.example.com/v1/messages?beta=true",
    path="/v1/messages?beta=true",
    http_version="HTTP/2.0",
    outcome=Outcome.CLIENT_ABORTED,
    request_headers=(("X-A", "1"), ("accept", "*/*"), ("x-a", "2")),
    request_body=b'{"model":"m"}',
    request_cut=3,
    status=200,
    reason="OK",
    response_headers=(("Content-Encoding", "gzip"), ("content-length", "9"), ("Set-Cookie", "a"), ("set-cookie", "b")),
    response_body=b"\x00\xffbody",
    response_cut=7,
    response_trailers=(("grpc-status", "0"),),
    ended=1790000001.5,
    timeline=((10, 250), (130, 270), (400, 1270)),
)
BARE = Capture(
    flow_id="", started=0.0, method="", url="", path="", http_version="", outcome=Outcome.COMPLETE
)  # fmt: skip


def written(capture: Capture, ident: int = 1, row: dict | None = None) -> dict:
    return cbor2.loads(encode(ident, cast(Redacted, capture), row))


def test_keys_stand_in_order_llama_swaps_first() -> None:
    assert list(written(CAPTURE)) == [*SIX, *REST]


def test_is_one_definite_length_map() -> None:
    data = encode(7, cast(Redacted, CAPTURE))
    assert data[0] == 0xA0 + len(SIX + REST) if len(SIX + REST) < 24 else data[:2] == bytes([0xB8, len(SIX + REST)])
    assert data[2 if len(SIX + REST) >= 24 else 1 :].startswith(b"\x62id\x07\x68req_path")


def test_six_keys_hold_llama_swaps_types() -> None:
    found = written(CAPTURE, 12)
    assert {key: found[key] for key in SIX} == {
        "id": 12,
        "req_path": "/v1/messages",
        "req_headers": {"X-A": "1, 2", "accept": "*/*"},
        "req_body": b'{"model":"m"}',
        "resp_headers": {"Set-Cookie": "a, b"},
        "resp_body": b"\x00\xffbody",
    }


def test_the_rest_is_what_that_format_lacks() -> None:
    found = written(CAPTURE, row={"model": "m", "usage": {"input_tokens": None}})
    assert {key: found[key] for key in REST} == {
        "version": VERSION,
        "flow_id": "f-1",
        "method": "POST",
        "url": "https://api.example.com/v1/messages?beta=true",
        "http_version": "HTTP/2.0",
        "status": 200,
        "reason": "OK",
        "started": 1790000000.25,
        "ended": 1790000001.5,
        "outcome": "client_aborted",
        "req_header_fields": [["X-A", "1"], ["accept", "*/*"], ["x-a", "2"]],
        "resp_header_fields": [
            *(["Content-Encoding", "gzip"], ["content-length", "9"]),
            *(["Set-Cookie", "a"], ["set-cookie", "b"]),
        ],
        "resp_trailers": [["grpc-status", "0"]],
        "req_cut": 3,
        "resp_cut": 7,
        "coding": None,
        "timeline": [10, 250, 120, 20, 270, 1000],
        "row": {"model": "m", "usage": {"input_tokens": None}},
        "crc": crc32(encode(1, cast(Redacted, CAPTURE), {"model": "m", "usage": {"input_tokens": None}})[:-4]),
    }


def test_no_other_byte_is_taken_for_what_was_written() -> None:
    data = encode(7, cast(Redacted, CAPTURE))
    carried = checksum(data)
    for at in range(len(data)):
        bad = bytearray(data)
        bad[at] ^= 1 << at % 8
        with pytest.raises(RecordError):
            verify(bytes(bad), carried)
    verify(data, carried)
    with pytest.raises(RecordError, match="not that of its index entry"):
        verify(data, (carried or 0) ^ 1)


@pytest.mark.parametrize(
    ("change", "kept"),
    [
        pytest.param({}, False, id="decoded body: its old coding and length would be stale"),
        pytest.param({"coding": "gzip"}, True, id="body still coded"),
        pytest.param({"response_body": None}, True, id="no body kept"),
        pytest.param({"response_body": b""}, False, id="empty body kept"),
    ],
)
def test_coding_and_length_in_the_response_map(change: dict, kept: bool) -> None:
    found = written(replace(CAPTURE, **change))
    assert ("Content-Encoding" in found["resp_headers"]) is kept
    assert ("content-length" in found["resp_headers"]) is kept
    assert ["Content-Encoding", "gzip"] in found["resp_header_fields"]


def test_null_is_not_empty() -> None:
    found = written(replace(BARE, request_headers=(), response_body=b""))
    assert (found["req_headers"], found["resp_headers"]) == ({}, None)
    assert (found["req_body"], found["resp_body"]) == (None, b"")


def test_lone_surrogates_are_replaced_everywhere() -> None:
    capture = replace(CAPTURE, path="/\udcff", reason="\ud800", request_headers=(("a", "b\udc80"),))
    record = decode(encode(1, cast(Redacted, capture), {"x\udc00": ["\udfff", {"n": 1}]}))
    assert record.capture == replace(capture, path="/\ufffd", reason="\ufffd", request_headers=(("a", "b\ufffd"),))
    assert record.row == {"x\ufffd": ["\ufffd", {"n": 1}]}


@pytest.mark.parametrize(
    ("value", "message"),
    [
        pytest.param([1], "a record is a map, not list", id="not a map"),
        pytest.param({"id": 1.0}, "id has to be an integer", id="float id"),
        pytest.param({"id": True}, "id has to be an integer", id="boolean id"),
        pytest.param({"id": 2**64}, "id has to be an integer", id="id beyond 64 bits"),
        pytest.param({"req_path": b"/"}, "req_path has to be text, not bytes", id="path as bytes"),
        pytest.param({"req_body": "text"}, "req_body has to be bytes, not str", id="text body"),
        pytest.param({"resp_body": [256]}, "resp_body has to be bytes", id="array of larger integers"),
        pytest.param({"resp_body": [True]}, "resp_body has to be bytes", id="array of booleans"),
        pytest.param(
            {"req_headers": {"a": ["b"]}}, "req_headers has to be a map from text to text, not list", id="list"
        ),
        pytest.param({"resp_headers": {1: "b"}}, "resp_headers has to be a map from text", id="integer name"),
        pytest.param({"resp_headers": [["a", "b"]]}, "resp_headers has to be a map, not list", id="list of pairs"),
        pytest.param({"version": 1, "status": "200"}, "status has to be an integer", id="status as text"),
        pytest.param({"version": 1, "outcome": "lost"}, "outcome has no value 'lost'", id="unknown outcome"),
        pytest.param({"version": 1, "resp_trailers": [["a"]]}, "resp_trailers has to be a list of pairs", id="no pair"),
        pytest.param({"version": 1, "timeline": [1]}, "timeline has to be a list of pairs of", id="half a point"),
        pytest.param({"version": 1, "timeline": [1, 0.5]}, "timeline has to be a list of pairs of", id="float point"),
        pytest.param({"version": 1, "row": []}, "row has to be a map, not list", id="row not a map"),
    ],
)
def test_refused(value: object, message: str) -> None:
    with pytest.raises(RecordError, match=message):
        decode(cbor2.dumps(value))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        pytest.param(b"", "not CBOR", id="empty"),
        pytest.param(b"\xff", "not CBOR", id="a break alone"),
        pytest.param(b"\xa1\x62\xff\xff\x00", "not CBOR", id="key not UTF-8"),
        pytest.param(b"\xa1\x62id\x01\xa0", "1 bytes follow the record", id="trailing bytes"),
        pytest.param(b"\x5b\xff\xff\xff\xff\xff\xff\xff\xff", "not CBOR", id="length beyond the data"),
        pytest.param(b"\x81" * 5000, "not CBOR", id="nested deeply"),
    ],
)
def test_refused_bytes(data: bytes, message: str) -> None:
    with pytest.raises(RecordError, match=message):
        decode(data)


def test_keys_of_others_are_skipped_without_a_version() -> None:
    record = decode(cbor2.dumps({"id": 3, "req_path": "/x", "status": "fine", "outcome": 1, "req_header_fields": 0}))
    assert record == Record(3, replace(BARE, path="/x", url="/x"))


def test_a_later_version_is_read_as_far_as_it_is_known() -> None:
    data = cbor2.dumps({"id": 3, "version": VERSION + 1, "method": "GET", "novelty": [1]})
    assert decode(data).capture == replace(BARE, method="GET")


def test_whole_seconds_written_as_integers_are_read() -> None:
    assert decode(cbor2.dumps({"version": 1, "started": 5})).capture.started == 5.0


@given(st.binary(max_size=60))
def test_any_bytes_are_a_record_or_refused(data: bytes) -> None:
    try:
        decode(data)
    except RecordError:
        return


TEXT = st.text(st.characters(codec="utf-8"), max_size=8)
HEADERS = st.none() | st.lists(st.tuples(TEXT, TEXT), max_size=4).map(tuple)
BODY = st.none() | st.binary(max_size=40)
TIME = st.floats(0, 2**33)
COUNT = st.integers(0, 2**50)
CAPTURES = st.builds(
    Capture,
    flow_id=TEXT,
    started=TIME,
    method=TEXT,
    url=TEXT,
    path=TEXT.map(lambda text: text.replace("?", "")),
    http_version=TEXT,
    outcome=st.sampled_from(Outcome),
    request_headers=HEADERS,
    request_body=BODY,
    request_cut=COUNT,
    status=st.none() | st.integers(0, 999),
    reason=st.none() | TEXT,
    response_headers=HEADERS,
    response_body=BODY,
    response_cut=COUNT,
    response_trailers=HEADERS,
    coding=st.none() | TEXT,
    ended=st.none() | TIME,
    timeline=st.lists(st.tuples(COUNT, COUNT), max_size=4).map(tuple),
)
PLAIN = st.recursive(st.none() | st.booleans() | COUNT | TIME | TEXT, lambda inner: st.lists(inner, max_size=3))
ROWS = st.none() | st.dictionaries(TEXT, PLAIN, max_size=4)


@given(COUNT, CAPTURES, ROWS)
def test_round_trip(ident: int, capture: Capture, row: dict | None) -> None:
    assert decode(encode(ident, cast(Redacted, capture), row)) == Record(ident, capture, row)


@given(COUNT, CAPTURES)
def test_six_keys_read_back_with_their_bodies(ident: int, capture: Capture) -> None:
    data = encode_six(Record(ident, capture))
    assert list(cbor2.loads(data)) == SIX
    read = decode(data)
    assert (read.ident, read.capture.path) == (ident, capture.path)
    assert (read.capture.request_body, read.capture.response_body) == (capture.request_body, capture.response_body)


@given(COUNT, CAPTURES, st.binary(max_size=3))
def test_item_end(ident: int, capture: Capture, extra: bytes) -> None:
    data = encode(ident, cast(Redacted, capture))
    assert item_end(data + extra) == len(data)
    assert item_end(b"\x00" + data, 1) == len(data) + 1
    assert item_end(data[:-1]) is None
    assert item_end(data[: len(data) // 2]) is None


def test_item_end_refuses_what_is_not_cbor() -> None:
    with pytest.raises(RecordError, match="not CBOR"):
        item_end(b"\xff\x00")
