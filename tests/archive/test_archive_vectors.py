"""llama-swap's own captures, read where they are shared: its wire form, what its decoder takes, partial captures."""

import base64
import json
from pathlib import Path
from typing import Any, cast

import cbor2
import pytest
import zstandard
from msgspec.structs import replace

from mitmeter.archive.frame import from_llama_swap_frame, llama_swap_frame
from mitmeter.archive.record import Record, RecordError, decode, encode, encode_six
from mitmeter.exchange import Capture, Outcome
from mitmeter.redact import Redacted

VECTORS = Path(__file__).parents[3] / "shared/vectors/llama-swap.json"

# Where we differ on purpose, by the vector's name: what we give instead, and why.
DEVIATIONS: dict[str, tuple[dict[str, Any], str]] = {
    "duplicate keys: first wins": (
        {"id": 2},
        "cbor2 builds a dict, which keeps the last of two equal keys; no encoder of either side writes such a map",
    ),
}

if not VECTORS.exists():
    pytest.skip(f"the shared vectors are not at {VECTORS}", allow_module_level=True)

GROUPS = json.loads(VECTORS.read_text())
WIRE = GROUPS["capture_wire"]["vectors"]
TOLERANCE = GROUPS["capture_decode_tolerance"]
PARTIAL = GROUPS["partial_captures"]


def named(vectors: list[dict[str, Any]]) -> list[Any]:
    return [pytest.param(vector, id=vector["name"]) for vector in vectors]


def api_json(record: Record) -> dict[str, Any]:
    """A record as llama-swap's API shows it."""
    capture = record.capture
    return {
        "id": record.ident,
        "req_path": capture.path,
        "req_headers": None if capture.request_headers is None else dict(capture.request_headers),
        "req_body": None if capture.request_body is None else base64.b64encode(capture.request_body).decode(),
        "resp_headers": None if capture.response_headers is None else dict(capture.response_headers),
        "resp_body": None if capture.response_body is None else base64.b64encode(capture.response_body).decode(),
    }


@pytest.mark.parametrize("vector", named(WIRE))
def test_wire(vector: dict[str, Any]) -> None:
    data = bytes.fromhex(vector["cbor_hex"])
    record = decode(data)
    assert api_json(record) == vector["api_json"]
    assert encode_six(record) == data, "written as llama-swap writes it, byte for byte"


@pytest.mark.parametrize("vector", named(WIRE))
def test_wire_frame(vector: dict[str, Any]) -> None:
    record = from_llama_swap_frame(base64.b64decode(vector["zstd_b64"]))
    assert api_json(record) == vector["api_json"]
    frame = llama_swap_frame(record)
    assert zstandard.get_frame_parameters(frame).has_checksum == vector["zstd_frame"]["checksum"]
    assert zstandard.get_frame_parameters(frame).dict_id == vector["zstd_frame"]["dict_id"]
    assert zstandard.ZstdDecompressor().decompress(frame) == bytes.fromhex(vector["cbor_hex"])


def read_tolerance(vector: dict[str, Any]) -> Record:
    if "cbor_hex" in vector:
        return decode(bytes.fromhex(vector["cbor_hex"]))
    if "raw_hex" in vector:
        return from_llama_swap_frame(bytes.fromhex(vector["raw_hex"]))
    assert vector["name"] == "truncated zstd frame", "a vector without data that this test does not know"
    return from_llama_swap_frame(base64.b64decode(WIRE[0]["zstd_b64"])[:-10])


@pytest.mark.parametrize("vector", named(TOLERANCE))
def test_tolerance(vector: dict[str, Any]) -> None:
    if "error" in vector["result"]:
        with pytest.raises(RecordError):
            read_tolerance(vector)
        return
    instead, _why = DEVIATIONS.get(vector["name"], ({}, ""))
    assert api_json(read_tolerance(vector)) == {**vector["result"], **instead}


def test_every_deviation_names_a_vector() -> None:
    assert set(DEVIATIONS) <= {vector["name"] for vector in TOLERANCE}


WHOLE = Capture(
    flow_id="f",
    started=1.0,
    method="POST",
    url="http://h/p",
    path="/p",
    http_version="HTTP/1.1",
    outcome=Outcome.COMPLETE,
)
PARTS = {"req_headers": "request_headers", "req_body": "request_body"}
PARTS |= {"resp_headers": "response_headers", "resp_body": "response_body"}


@pytest.mark.parametrize("vector", named(PARTIAL))
def test_partial(vector: dict[str, Any]) -> None:
    stored = vector["stored_fields"]
    content = {PARTS[key]: (("A", "b"),) if key.endswith("headers") else b"body" for key in stored}
    capture = replace(WHOLE, **content)
    data = encode(5, cast(Redacted, capture))
    found = cbor2.loads(data)
    assert (found["id"], found["req_path"]) == (5, "/p")
    assert [key for key in PARTS if found[key] is not None] == stored
    assert decode(data).capture == capture
