"""A single capture as llama-swap's zstd frame, and frames from elsewhere."""

from typing import cast

import cbor2
import pytest
import zstandard

from mitmeter.archive.frame import from_llama_swap_frame, llama_swap_frame
from mitmeter.archive.record import RecordError, decode, encode
from mitmeter.exchange import Capture, Outcome
from mitmeter.redact import Redacted

CAPTURE = Capture(
    flow_id="f",
    started=1.5,
    method="POST",
    url="http://h/v1/x?q=1",
    path="/v1/x",
    http_version="HTTP/1.1",
    outcome=Outcome.COMPLETE,
    request_headers=(("A", "b"),),
    request_body=b"question" * 100,
    status=200,
    response_body=b"answer",
)
RECORD = encode(9, cast(Redacted, CAPTURE), {"model": "m"})


def test_holds_six_keys_and_a_checksum() -> None:
    frame = llama_swap_frame(RECORD)
    assert zstandard.get_frame_parameters(frame).has_checksum
    assert cbor2.loads(zstandard.ZstdDecompressor().decompress(frame)) == {
        "id": 9,
        "req_path": "/v1/x",
        "req_headers": {"A": "b"},
        "req_body": b"question" * 100,
        "resp_headers": None,
        "resp_body": b"answer",
    }


def test_encoded_and_decoded_records_give_the_same_frame() -> None:
    assert llama_swap_frame(RECORD) == llama_swap_frame(decode(RECORD))


def test_reads_back() -> None:
    record = from_llama_swap_frame(llama_swap_frame(RECORD))
    assert (record.ident, record.row) == (9, None)
    assert record.capture.request_body == CAPTURE.request_body
    assert record.capture.request_headers == CAPTURE.request_headers


def test_a_frame_of_a_whole_record_loses_nothing() -> None:
    assert from_llama_swap_frame(zstandard.compress(RECORD)) == decode(RECORD)


def test_a_frame_without_content_size_is_read() -> None:
    frame = zstandard.ZstdCompressor(write_content_size=False).compress(RECORD)
    assert from_llama_swap_frame(frame) == decode(RECORD)


FRAME = llama_swap_frame(RECORD)


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        pytest.param(b"", "ends too early", id="empty"),
        pytest.param(b"nope", "not a zstd frame", id="not zstd"),
        pytest.param(FRAME[:-5], "ends too early", id="without its end"),
        pytest.param(FRAME[:-1], "ends too early", id="without the last byte of its checksum"),
        pytest.param(FRAME[:-1] + bytes([FRAME[-1] ^ 1]), "not a zstd frame", id="wrong checksum"),
        pytest.param(FRAME + b"x", "1 bytes follow", id="trailing byte"),
        pytest.param(FRAME + b"x" * 2000, "2000 bytes follow", id="trailing bytes, many"),
        pytest.param(FRAME + FRAME, f"{len(FRAME)} bytes follow", id="a second frame"),
        pytest.param(zstandard.compress(b"\x01"), "a record is a map", id="not a record"),
    ],
)
def test_refused(frame: bytes, message: str) -> None:
    with pytest.raises(RecordError, match=message):
        from_llama_swap_frame(frame)


def test_output_is_bounded() -> None:
    bomb = zstandard.compress(cbor2.dumps({"req_body": bytes(50_000_000)}))
    assert len(bomb) < 10_000
    with pytest.raises(RecordError, match="more than 1000000 bytes"):
        from_llama_swap_frame(bomb, limit_bytes=1_000_000)


def test_a_declared_size_is_not_believed() -> None:
    # Magic, then a header that promises 2**60 bytes, then one empty last block.
    frame = b"\x28\xb5\x2f\xfd\xc0\x38" + (2**60).to_bytes(8, "little") + b"\x01\x00\x00"
    with pytest.raises(RecordError):
        from_llama_swap_frame(frame)
