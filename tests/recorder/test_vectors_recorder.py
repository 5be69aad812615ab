"""llama-swap's vectors of what is recorded and what a capture keeps, each through a real recorder.

`OURS` lists what differs and why; every other vector holds. Whether captures are kept at all is the shelf's decision,
not the recorder's: `capture_mb` 0 is `meter_capture` `none`.
"""

import base64
from typing import Any

import pytest

from mitmeter.exchange import Answer, Exchange, Opening, Outcome
from mitmeter.recorder import Recorder
from mitmeter.redact import Redacted
from mitmeter.usage.dialect import Dialect, Keep
from mitmeter.usage.registry import Match
from vectors import Vector, body_of, cases, group, groups, lines, record

PARTS = {
    "req_headers": "request_headers",
    "req_body": "request_body",
    "resp_headers": "response_headers",
    "resp_body": "response_body",
}
WITHOUT_UPLOAD = ["req_headers", "resp_headers", "resp_body"]
NOT_LLM = "no model generates tokens there, so no dialect claims it and the traffic is not touched (law 11)"
AS_SENT = "headers stay as they came; `coding`, which is None, says that the body beside them is decoded"

UNKNOWN = "a header that nobody knows to be harmless keeps its name only: deny by default"

OURS: dict[str, tuple[dict[str, Any], str]] = {
    "rec-01": ({"resp_headers": {"Content-Type": ["application/json"], "X-Custom": ["[REDACTED]"]}}, UNKNOWN),
    "/sdapi/v1/loras": ({"kept": None}, f"a GET route, which llama-swap never records either: {NOT_LLM}"),
    "/props": ({"kept": None}, f"a GET route, which llama-swap never records either: {NOT_LLM}"),
    "/v1/audio/translations": (
        {"kept": WITHOUT_UPLOAD},
        "metered like a transcription; the upload is sound, which is not kept",
    ),
    "/upstream/m1/v1/audio/speech": (
        {"kept": ["req_headers", "req_body", "resp_headers"]},
        "a path is recognised by its end, so behind a prefix too, as llama-swap does once it has stripped the prefix",
    ),
    "/v1/chat/completions/": ({"kept": list(PARTS)}, "a slash at the end does not make it another endpoint"),
    "rec-03": (
        {"resp_body": b'{"error":{"message":"model unavailable"}}'},
        "the body of an error is kept: it is what one wants to read",
    ),
    "rec-04": ({"resp_body": b"<html>upstream down</html>"}, "the body of an error is kept"),
    "rec-06": (
        {"error": None, "kept": list(PARTS)},
        "a body that is not gzip is captured as it is and named in anomalies; the exchange itself succeeded",
    ),
    "rec-07": (
        {
            "error": "500 Internal Server Error",
            "resp_body": b"not-really-gzip",
            "resp_headers": {"Content-Encoding": ["gzip"], "Content-Type": ["application/json"]},
        },
        f"the error is what the server said, the body is kept as it is and named in anomalies; {AS_SENT}",
    ),
    "rec-08": (
        {"path": "/upstream/model/v1/audio/speech"},
        "the path is what was on the wire: no prefix was stripped here",
    ),
    "rec-09": ({"kept": list(PARTS)}, "the request of an empty answer is kept too"),
    "rec-10": (
        {
            "resp_headers": {
                "Content-Encoding": ["gzip"],
                "Content-Length": ["62"],
                "Content-Type": ["application/json"],
            }
        },
        AS_SENT,
    ),
    "rec-11": (
        {"resp_body": b"raw", "resp_headers": {"Content-Encoding": ["br"], "Content-Type": ["application/json"]}},
        f"br is decoded; {AS_SENT}",
    ),
    "rec-12": (
        {
            "req_headers": {
                "Content-Type": ["application/json"],
                "X-Goog-Api-Key": ["[REDACTED]"],
                "Api-Key": ["[REDACTED]"],
                "Cookie": ["[REDACTED]"],
            },
            "resp_headers": {
                "Set-Cookie": ["[REDACTED]", "[REDACTED]"],
                "X-Multi": ["[REDACTED]", "[REDACTED]"],
                "Content-Type": ["application/json"],
            },
        },
        f"every value of a repeated header is treated, and the keys of every provider are redacted; {UNKNOWN}",
    ),
    "rec-17": ({"recorded": True}, "llama-swap refuses a request without a model itself; here the upstream answered"),
    "rec-18": (
        {"error": None, "resp_body": b"\x81\x05hello"},
        "a status below 400 is no error, and what followed is kept",
    ),
    "rec-19": ({"path": "/v/chat/completions"}, "the path is what was on the wire: no prefix was stripped here"),
    "rec-20": (
        {"error": None, "input": 100, "output": 50, "resp_body": True},
        "a status below 400 is no error: usage counts and the body is kept",
    ),
}


def kept(redacted: Redacted) -> list[str]:
    return [name for name, field in PARTS.items() if getattr(redacted, field) is not None]


def mask_paths() -> list[Any]:
    listed: dict[str, Any] = groups().get("capture_masks", {})
    if not listed:
        return cases("capture_masks")
    return [pytest.param(vector, id=vector["path"]) for vector in listed["paths"]]


def masked(vector: Vector) -> list[str] | None:
    return vector["captures"] if vector["metered_path"] else None


@pytest.mark.parametrize("vector", mask_paths())
def test_capture_masks(vector: Vector) -> None:
    """What is kept of a POST to the path, with a body on both sides; None where it is not metered."""
    head = Answer(status=200, headers=(("Content-Type", "application/json"),))
    recorded = record(vector["path"], head, b'{"usage":{}}', seed=vector["path"])
    instead = OURS.get(vector["path"], ({}, ""))[0]
    assert (None if recorded is None else kept(recorded[1])) == instead.get("kept", masked(vector))
    assert record(vector["path"], head, b"{}", method="GET") is None


def by_name(headers: Any) -> dict[str, list[str]] | None:
    if headers is None:
        return None
    named: dict[str, list[str]] = {}
    for name, value in headers:
        named.setdefault(name, []).append(value)
    return named


def unpacked(capture: dict[str, Any] | None) -> dict[str, Any]:
    """A capture of llama-swap's, with lists of header values and plain bodies."""
    if capture is None:
        return {}
    bodies = {part: capture[f"{part}_b64"] for part in ("req_body", "resp_body")}
    return {
        "path": capture["req_path"],
        "req_headers": {name: [value] for name, value in capture["req_headers"].items()},
        "resp_headers": {name: [value] for name, value in capture["resp_headers"].items()},
        **{part: None if body is None else base64.b64decode(body) for part, body in bodies.items()},
    }


def theirs(vector: Vector) -> dict[str, Any]:
    newest = vector["newest"]
    if not newest["recorded"]:
        return {"recorded": False}
    tokens = newest["tokens"]
    minimal = tokens["draft_tokens"] == 0
    told = {
        "recorded": True,
        "path": newest["req_path"],
        "model": newest["model"],
        "status": newest["resp_status_code"],
        "content_type": newest["resp_content_type"] or None,
        "error": newest["error_msg"] or None,
        "input": None if minimal else tokens["input_tokens"],
        "output": None if minimal else tokens["output_tokens"],
    }
    if newest["has_capture"] or vector["capture_mb"]:
        told |= unpacked(newest["capture"])
        told["kept"] = [] if newest["capture"] is None else [part for part in PARTS if told[part] is not None]
    return told


def ours(exchange: Exchange, redacted: Redacted) -> dict[str, Any]:
    return {
        "recorded": True,
        "path": exchange.path,
        "model": exchange.model,
        "status": exchange.status,
        "content_type": exchange.content_type,
        "error": exchange.error,
        "input": exchange.usage.input_tokens,
        "output": exchange.usage.output_tokens,
        "req_headers": by_name(redacted.request_headers),
        "req_body": redacted.request_body,
        "resp_headers": by_name(redacted.response_headers),
        "resp_body": redacted.response_body,
        "kept": kept(redacted),
    }


def wanted(vector: Vector) -> dict[str, Any]:
    told = {**theirs(vector), **OURS.get(vector["id"], ({}, ""))[0]}
    if told.get("resp_body") is True:
        told["resp_body"] = body_of(vector["response"])
    if all(part in told for part in PARTS):
        told["kept"] = [part for part in PARTS if told[part] is not None]
    return told


@pytest.mark.parametrize("vector", cases("record_scenarios"))
def test_record_scenarios(vector: Vector) -> None:
    request, response = vector["request"], vector["response"]
    recorded = record(
        request["path"],
        Answer(status=response["status"], headers=lines(response["headers"])),
        body_of(response),
        method=request["method"],
        headers=lines(request["headers"]),
        request=body_of(request),
        seed=vector["id"],
    )
    expected = wanted(vector)
    found = {"recorded": False} if recorded is None else ours(*recorded)
    assert {name: found[name] for name in expected} == expected


@pytest.mark.parametrize("vector", cases("partial_captures", key="name"))
def test_partial_captures(vector: Vector) -> None:
    """What a dialect keeps is what the capture holds, id and path aside, which it always does."""
    keep = Keep(**{field: part in vector["stored_fields"] for part, field in PARTS.items()})
    match = Match("", Dialect(api="chat", operation="chat", paths=(), keep=keep))
    opening = Opening(flow_id="f", started=0.0, zero=0.0, method="POST", url="https://h/p", headers=(), body=b"{}")
    recorder = Recorder(opening, match)
    recorder.answer(Answer(status=200), 0.0)
    recorder.feed(b"{}", 0.0)
    redacted = recorder.close(Outcome.COMPLETE, 0.0)[1]
    assert kept(redacted) == vector["stored_fields"]
    assert (redacted.flow_id, redacted.path) == ("f", "/p")


@pytest.mark.parametrize("vector", cases("record_scenarios"))
def test_what_is_listed_differs(vector: Vector) -> None:
    told = theirs(vector)
    assert all(told.get(name) != value for name, value in OURS.get(vector["id"], ({}, ""))[0].items())


@pytest.mark.parametrize("vector", mask_paths())
def test_what_is_listed_of_the_masks_differs(vector: Vector) -> None:
    assert OURS.get(vector["path"], ({"kept": "unlisted"}, ""))[0]["kept"] != masked(vector)


def test_every_entry_names_a_vector() -> None:
    if not groups():
        pytest.skip("the vectors are absent")
    named = {vector["path"] for vector in groups()["capture_masks"]["paths"]}
    assert OURS.keys() <= named | {vector["id"] for vector in group("record_scenarios")}
