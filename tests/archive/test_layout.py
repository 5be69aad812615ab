"""A record in pieces is the record that is written in one, whatever of it is large."""

from itertools import product

import cbor2
import pytest
from msgspec.structs import replace

from mitmeter.archive.layout import in_pieces, sealed
from mitmeter.archive.record import checksum, encode, pieces, verify
from mitmeter.exchange import Capture, Outcome
from mitmeter.redact import redact

BODIES = {
    "none": None,
    "empty": b"",
    "one byte": b"x",
    "23": b"x" * 23,
    "24": b"x" * 24,
    "255": bytes(255),
    "256": b"\xff" * 256,
    "64 kB": b'"' * 2**16,
    "more": b"xyz" * 2**16,
}
CAPTURE = Capture(
    flow_id="f",
    started=1.5,
    method="POST",
    url="https://h/v1?a=hreq_body@",
    path="/v1?a=hreq_body@",
    http_version="HTTP/1.1",
    outcome=Outcome.COMPLETE,
    request_headers=(("hreq_body", "iresp_body"), ("host", "\udc80")),
    response_headers=(("a", "1"), ("A", "2")),
)


@pytest.mark.parametrize(("asked", "answered"), list(product(BODIES, BODIES)))
def test_pieces_are_the_record(asked: str, answered: str) -> None:
    keys = {"id": 1, "é": [1], "req_body": BODIES[asked], "resp_headers": {"a": "b"}, "resp_body": BODIES[answered]}
    rest = {"version": 1, **{f"k{number}": number for number in range(30)}}
    parts = in_pieces(keys, rest)
    assert b"".join(parts) == sealed({**keys, **rest})
    assert checksum(parts[-1]) == checksum(b"".join(parts))
    verify(b"".join(parts))


@pytest.mark.parametrize(("asked", "answered"), list(product(BODIES, BODIES)))
def test_a_capture_is_written_the_same_in_pieces(asked: str, answered: str) -> None:
    capture = redact(replace(CAPTURE, request_body=BODIES[asked], response_body=BODIES[answered]))
    record, parts = encode(7, capture, {"id": 7}), pieces(7, capture, {"id": 7})
    assert b"".join(parts) == record
    found = cbor2.loads(record)
    assert (found["req_body"], found["resp_body"]) == (BODIES[asked], BODIES[answered])
    assert sealed({name: value for name, value in found.items() if name != "crc"}) == record


def test_a_large_body_is_a_piece_of_its_own() -> None:
    body = BODIES["more"]
    assert any(part is body for part in in_pieces({"req_body": body}, {}))
