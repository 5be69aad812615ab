"""llama-swap's vectors of header redaction and flattening, as a recorder's capture shows the headers."""

from typing import Any

import pytest

from mitmeter.exchange import Answer, Headers
from mitmeter.redact.urls import REDACTED
from vectors import Vector, cases, group, lines, record

LEAKING = (
    *("Api-Key", "X-Goog-Api-Key", "Ocp-Apim-Subscription-Key", "X-Amz-Security-Token", "X-Auth-Token"),
    *("X-Access-Token", "Anthropic-Api-Key", "Openai-Api-Key", "Cf-Access-Client-Secret", "X-Forwarded-Authorization"),
    *("Authorization2", "X-Litellm-Api-Key", "Helicone-Auth"),
)

UNKNOWN = (
    "what nobody knows to be harmless keeps its name only: deny by default, and `meter_keep_headers` for one's own"
)

# What differs, by header, and why: the values of that name in our capture.
OURS: dict[str, tuple[dict[str, list[str]], str]] = {
    "red-01": ({"X-Custom": [REDACTED]}, UNKNOWN),
    "red-06": ({name: [REDACTED] for name in LEAKING}, "each of these is the credential of a provider or gateway"),
    "hm-1": ({"Authorization": [REDACTED]}, "flattening is not a step of its own here: what is captured is redacted"),
    "hm-2": (
        {"Set-Cookie": [REDACTED, REDACTED], "X-Multi": [REDACTED, REDACTED]},
        f"every value of a repeated header is treated, in its place; {UNKNOWN}",
    ),
    "hm-3": ({"X-Lower": [], "x-lower": [REDACTED]}, f"a name keeps the case in which it was sent; {UNKNOWN}"),
}


def captured(headers: Headers) -> tuple[Headers, Headers]:
    recorded = record("/v1/chat/completions", Answer(status=200, headers=headers), b"{}", headers=headers)
    assert recorded is not None
    request, response = recorded[1].request_headers, recorded[1].response_headers
    assert request is not None and response is not None
    return request, response


def expected(vector: Vector) -> dict[str, list[str]]:
    theirs = {name: [value] for name, value in vector["out"].items()}
    return {**theirs, **OURS.get(vector["id"], ({}, ""))[0]}


def values_of(headers: Headers, names: Any) -> dict[str, list[str]]:
    return {name: [value for field, value in headers if field == name] for name in names}


@pytest.mark.parametrize("vector", cases("header_redaction"))
def test_header_redaction(vector: Vector) -> None:
    for side in captured(tuple(vector["in"].items())):
        assert values_of(side, vector["in"]) == expected(vector)
        assert [name for name, _ in side] == list(vector["in"])


@pytest.mark.parametrize("vector", cases("header_flatten"))
def test_header_flatten(vector: Vector) -> None:
    sent = lines(vector["in"])
    for side in captured(sent):
        wanted = expected(vector)
        assert values_of(side, wanted) == wanted
        assert [name for name, _ in side] == [name for name, _ in sent]


@pytest.mark.parametrize("vector", cases("header_redaction") + cases("header_flatten"))
def test_what_is_listed_differs(vector: Vector) -> None:
    theirs = {name: [value] for name, value in vector["out"].items()}
    assert all(theirs.get(name) != values for name, values in OURS.get(vector["id"], ({}, ""))[0].items())


def test_every_entry_names_a_vector() -> None:
    named = {vector["id"] for name in ("header_redaction", "header_flatten") for vector in group(name)}
    if not named:
        pytest.skip("the vectors are absent")
    assert OURS.keys() <= named
