"""llama-swap's vectors of token extraction and error messages, each through a real recorder, fed at random cuts.

Its newest values hold, in our terms: -1 and the zeros of a minimal entry are None; `input` is inclusive, so what the
Messages API and llama.cpp's timings count beside it is added. `OURS` lists what differs, and why; every other vector
holds. Its duration, the engine's own where that is longer, has no counterpart: ours is the wall clock.
"""

from typing import Any

import pytest

from mitmeter.exchange import Answer, Exchange, Headers
from vectors import Vector, body_of, cases, group, record

type Facts = dict[str, Any]

FIELDS = {
    "cache": "cache_tokens",
    "input": "input_tokens",
    "output": "output_tokens",
    "prompt_rate": "prompt_per_second",
    "rate": "tokens_per_second",
    "drafted": "draft_tokens",
    "accepted": "draft_acc_tokens",
}
NONE_OF_IT: Facts = dict.fromkeys(FIELDS)
COUNTED: Facts = {"input": 1, "output": 2}
NO_RATES: Facts = {"prompt_rate": None, "rate": None}

UNRATED = "a rate that the timings leave out is unknown, not 0.0"
UNSAID = "a count that nobody gave is None, not 0 (law 3)"
NOT_200 = "any status below 400 is a success: its usage counts and it is no error"

OURS: dict[str, tuple[Facts, str]] = {
    "tok-028": (NO_RATES, UNRATED),
    "tok-030": (NO_RATES, UNRATED),
    "tok-034": ({"error": None}, "a body that is not gzip is handed on as it is and named in anomalies, not an error"),
    "tok-036": ({"input": 2110, "written": 100}, "cache writes are read, and are a part of the input (law 4)"),
    "tok-037": ({"reasoning": 64}, "reasoning tokens are read; llama-swap has no such field"),
    "tok-038": ({"output": None}, UNSAID),
    "tok-043": (NO_RATES, UNRATED),
    "tok-044": (NO_RATES, UNRATED),
    "tok-045": (NO_RATES, UNRATED),
    "tok-046": (NO_RATES, UNRATED),
    "tok-047": (NO_RATES, UNRATED),
    "tok-048": ({"output": None, **NO_RATES}, f"{UNRATED}; {UNSAID}, also where the suggestion keeps the 0"),
    "tok-049": ({"input": 5, "output": 6, **NO_RATES}, "an empty timings object says nothing, so the usage stands"),
    "tok-050": ({"input": 5, "output": 6, **NO_RATES}, "timings that are null say nothing, so the usage stands"),
    "tok-052": ({"input": None, "output": None}, UNSAID),
    "tok-053": ({"cache": None}, "null is not 0 (law 3)"),
    "tok-056": ({"input": 9, "output": 8}, "the first alternative that is not null counts"),
    "tok-060": ({"output": None}, "`7.9` in quotes is not a count: None and flagged"),
    "tok-062": (
        {"output": None},
        "2**53 + 1 is no count that a row or another reader of JSON can hold: None and flagged",
    ),
    "tok-063": ({"input": None, "output": None}, "true and false are no counts: None and flagged, not 1 and 0"),
    "tok-064": (
        {"input": None, "output": None, "cache": None},
        "no count is below zero: None and flagged; the suggested 0 would be a number that nobody said (law 3)",
    ),
    "tok-065": ({"input": 2}, "of two equal names the last counts, as in the JSON parsers of the clients"),
    "tok-067": ({"input": None, "output": None}, UNSAID),
    "tok-068": ({"input": None, "output": None}, UNSAID),
    "tok-069": (COUNTED, "every document of a top-level array is read, not only on /infill"),
    "tok-070": (COUNTED, "some who speak chat put usage under `response`; a host that nobody claims is read as all do"),
    "tok-071": (NO_RATES, UNRATED),
    "tok-072": (NO_RATES, UNRATED),
    "tok-074": (COUNTED, "a byte order mark is skipped"),
    "tok-076": ({"input": 2}, "documents on lines of their own are read one by one, whatever their type is called"),
    "tok-077": ({"input": 5, "output": 6, "prompt_rate": 100.0, "rate": 50.0}, "Ollama's own API is read"),
    "tok-078": ({"input": 5, "output": 6, "rate": 50.0}, "Ollama's own API is read"),
    "tok-079": (
        {"input": 8, "output": 13, "cache": 3, "reasoning": 4},
        "Gemini's usage is read; its thoughts stand beside the candidates, and output includes reasoning (law 4)",
    ),
    "tok-080": (
        {"input": 9, "output": 9, "cache": 1},
        "Bedrock's usage is read; its cache reads stand beside the input, and input includes them (law 4)",
    ),
    "tok-081": ({"prompt_rate": 1066.67, "rate": 193.93}, "TabbyAPI's rates are read, as llama-swap does since"),
    "tok-082": ({"input": 12, "output": 0}, "usage is read where Cohere puts it"),
    "tok-083": ({"prompt_rate": None}, "more cached than prompt tokens give no rate, rather than a negative one"),
    "tok-085": ({"input": None, "output": None, "prompt_rate": None}, f"{UNSAID}, and without it there is no rate"),
    "tok-087": (NO_RATES, UNRATED),
    "tok-089": ({**COUNTED, "error": None}, NOT_200),
    "tok-090": ({**COUNTED, "error": None}, NOT_200),
    "tok-091": ({**COUNTED, "error": None}, NOT_200),
    "tok-092": ({"error": None}, NOT_200),
    "tok-093": (COUNTED, "the usage that a failed request reports was consumed; its error is kept beside it"),
    "tok-096": (COUNTED, "a bare CR ends a line (WHATWG, 9.2.6)"),
    "tok-098": ({"input": None, "output": None}, "a field name does not begin with spaces (WHATWG, 9.2.6)"),
    "tok-099": (COUNTED, "the data lines of an event are joined (WHATWG, 9.2.6)"),
    "tok-100": (COUNTED, "a byte order mark is skipped"),
    "tok-107": (COUNTED, "media types have no case"),
    "tok-108": (COUNTED, "an event stream is recognised by its first bytes, whatever its type is called"),
    "tok-109": (COUNTED, "a document is recognised by its first bytes, whatever its type is called"),
    "tok-110": (COUNTED, "an event stream is recognised by its first bytes, whatever its type is called"),
    "tok-112": ({"input": 0, "output": 0}, "a 0 that was said counts (law 3), and the later snapshot wins (law 5)"),
    "tok-116": ({"prompt_rate": None}, UNRATED),
    "tok-118": ({"input": 10, "output": 1}, "usage is read where Groq puts it"),
    "tok-119": ({"error": "boom"}, "an error inside a 200 stream is an error"),
    "tok-120": ({"error": "Overloaded"}, "an error inside a 200 stream is an error"),
    "tok-122": ({"input": 514, "written": 12}, "cache writes are read, and are a part of the input (law 4)"),
    "tok-124": ({"error": "The model failed"}, "an error inside a 200 stream is an error"),
    "tok-126": ({**COUNTED, "error": None}, "what came before the cut is read; the cut is an anomaly"),
    "tok-127": ({**COUNTED, "error": None}, "deflate is zlib (RFC 9110, 8.4.1.2), raw is read too"),
    "tok-129": (COUNTED, "x-gzip is gzip (RFC 9110, 8.4.1.3)"),
    "tok-130": (COUNTED, "identity is no coding, and stacked codings are undone"),
    "tok-131": (COUNTED, "all lines of a header count, and stacked codings are undone"),
    "err-12": ({"error": "API key not valid"}, "an array around the error is seen through"),
    "err-13": ({"error": "field required"}, "the first message of a validation list is told"),
    "err-14": ({"error": "denied"}, "AWS writes Message with a capital"),
    "err-16": ({"error": "x"}, "the first message of `errors` is told"),
    "err-24": ({"error": "x"}, "an event stream is recognised by its first bytes"),
    "fail-04": (
        {"error": "500 Internal Server Error"},
        "a body that is not gzip is read as it is and named in anomalies; the error is what the server said",
    ),
    "fail-08": ({"error": "418 I'm a Teapot"}, "the phrase is Python's, with a capital"),
    "fail-09": ({"error": None}, NOT_200),
    "fail-10": ({"error": None}, NOT_200),
    "fail-14": ({"error": "a" + "é" * 249 + "..."}, "the cut is at 500 bytes, before a character that would be split"),
}

HOSTS = {"tok-079": "generativelanguage.googleapis.com", "tok-080": "bedrock-runtime.us-east-1.amazonaws.com"}


def newest(vector: Vector) -> Facts:
    """Its newest values, or the seed's, which count no drafts and write minimal entries as zeros too."""
    expect = vector["expect"]
    seed: Facts = expect["seed"]
    zero = -1 if any(seed.values()) else 0
    return expect["newest"] or {**seed, "draft_tokens": zero, "draft_acc_tokens": zero, "error_msg": ""}


def known(value: float | None) -> float | None:
    return None if value == -1 else value


def counted_beside(vector: Vector, theirs: Facts) -> int:
    """The cached tokens that the API counts beside its input: the Messages API, and llama.cpp's timings."""
    beside = vector["path"] == "/v1/messages" or b'"timings"' in body_of(vector)
    return max(0, theirs["cache_tokens"]) if beside else 0


def theirs_in_our_terms(vector: Vector) -> Facts:
    theirs = newest(vector)
    minimal = theirs["draft_tokens"] == 0
    facts = dict(NONE_OF_IT) if minimal else {name: known(theirs[field]) for name, field in FIELDS.items()}
    if facts["input"] is not None:
        facts["input"] += counted_beside(vector, theirs)
    return {**facts, "error": theirs["error_msg"] or None}


def ours(exchange: Exchange) -> Facts:
    usage, timing = exchange.usage, exchange.timing
    return {
        "cache": usage.cache_read_tokens,
        "input": usage.input_tokens,
        "output": usage.output_tokens,
        "prompt_rate": timing.prompt_per_second,
        "rate": timing.tokens_per_second if timing.rate_source == "server" else None,
        "drafted": usage.draft_tokens,
        "accepted": usage.draft_accepted_tokens,
        "error": exchange.error,
        "written": usage.cache_write_tokens,
        "reasoning": usage.reasoning_tokens,
    }


def answer(vector: Vector) -> Answer:
    coding = vector.get("content_encoding")
    codings = [] if coding is None else [coding] if isinstance(coding, str) else coding
    headers = tuple(("Content-Encoding", line) for line in codings)
    if vector.get("content_type"):
        headers += (("Content-Type", vector["content_type"]),)
    return Answer(status=vector["status"], headers=headers)


@pytest.mark.parametrize("vector", cases("token_extraction"))
@pytest.mark.parametrize("seed", range(3))
def test_token_extraction(vector: Vector, seed: int) -> None:
    name = vector["id"]
    recorded = record(
        vector["path"], answer(vector), body_of(vector), host=HOSTS.get(name, "engine.invalid"), seed=f"{name} {seed}"
    )
    assert recorded is not None
    expected = {**theirs_in_our_terms(vector), **OURS.get(name, ({}, ""))[0]}
    found = ours(recorded[0])
    assert {field: found[field] for field in expected} == {
        field: pytest.approx(value) if isinstance(value, float) else value for field, value in expected.items()
    }


@pytest.mark.parametrize("vector", cases("error_message_extraction"))
def test_error_message_extraction(vector: Vector) -> None:
    """Where a body says nothing the status does, as llama-swap's caller has it."""
    head = Answer(status=500, headers=(("Content-Type", "application/json"),))
    recorded = record("/v1/chat/completions", head, body_of(vector), seed=vector["id"])
    assert recorded is not None
    instead = OURS.get(vector["id"], ({}, ""))[0]
    assert recorded[0].error == instead.get("error", vector["out"] or "500 Internal Server Error")


@pytest.mark.parametrize("vector", cases("failed_error_message"))
def test_failed_error_message(vector: Vector) -> None:
    body = body_of(vector)
    headers: Headers = ()
    if vector.get("decode_error"):
        body, headers = b"not-really-gzip", (("Content-Encoding", "gzip"),)
    if "body_note" in vector:
        body = ('{"error": "a' + "é" * 400 + '"}').encode()
    recorded = record("/v1/chat/completions", Answer(status=vector["status"], headers=headers), body, seed=vector["id"])
    assert recorded is not None
    instead = OURS.get(vector["id"], ({}, ""))[0]
    assert recorded[0].error == (instead["error"] if "error" in instead else vector["out"])


def listed() -> dict[str, Vector]:
    names = ("token_extraction", "error_message_extraction", "failed_error_message")
    return {vector["id"]: vector for name in names for vector in group(name)}


@pytest.mark.parametrize("vector", cases("token_extraction"))
def test_what_is_listed_differs(vector: Vector) -> None:
    theirs = theirs_in_our_terms(vector)
    assert all(theirs.get(field) != value for field, value in OURS.get(vector["id"], ({}, ""))[0].items())


def test_every_entry_names_a_vector() -> None:
    if not listed():
        pytest.skip("the vectors are absent")
    assert OURS.keys() <= listed().keys()
    assert all(changes and reason for changes, reason in OURS.values())
