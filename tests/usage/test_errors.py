"""What a body says went wrong, in every shape that providers use, as (type, message)."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mitmeter.usage.errors import LIMIT, read_error, shorten, status_text

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(("error", "message", "detail", "errors", "type", "msg")), inner, max_size=3)
    ),
    max_leaves=10,
)


@pytest.mark.parametrize(
    ("document", "error"),
    [
        pytest.param(
            {"error": {"message": "slow down", "type": "rate_limit_error", "code": "x"}},
            ("rate_limit_error", "slow down"),
            id="openai",
        ),
        pytest.param(
            {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}},
            ("overloaded_error", "Overloaded"),
            id="anthropic",
        ),
        pytest.param({"error": {"code": "content_filter", "message": "m"}}, ("content_filter", "m"), id="code as type"),
        pytest.param(
            {"error": {"code": 400, "status": "INVALID_ARGUMENT", "message": "m"}},
            ("INVALID_ARGUMENT", "m"),
            id="gemini",
        ),
        pytest.param([{"error": {"code": 400, "message": "m", "status": "S"}}], ("S", "m"), id="gemini array"),
        pytest.param({"error": "model 'x' not found"}, (None, "model 'x' not found"), id="ollama, venice"),
        pytest.param(
            {"object": "error", "message": "too long", "type": "invalid_request", "code": "3051"},
            ("invalid_request", "too long"),
            id="mistral",
        ),
        pytest.param({"message": "invalid api token"}, (None, "invalid api token"), id="cohere, bedrock"),
        pytest.param({"Message": "denied"}, (None, "denied"), id="aws"),
        pytest.param({"detail": "Not Found"}, (None, "Not Found"), id="fastapi"),
        pytest.param({"detail": [{"msg": "field required", "loc": []}]}, (None, "field required"), id="fastapi list"),
        pytest.param({"errors": [{"message": "x"}]}, (None, "x"), id="errors array"),
        pytest.param({"code": "unauthorized", "message": "m"}, ("unauthorized", "m"), id="code at the top"),
        pytest.param({"error": {"message": " padded \n"}}, (None, "padded"), id="trimmed"),
        pytest.param({"error": {"message": "", "type": "t"}, "message": "second"}, ("t", "second"), id="blank first"),
        pytest.param({"error": {"type": "server_error"}}, ("server_error", None), id="a type only"),
        pytest.param({"error": None}, (None, None), id="null"),
        pytest.param({"error": {"message": 42}}, (None, None), id="a number"),
        pytest.param({"usage": {}}, (None, None), id="none"),
        pytest.param("oops", (None, None), id="a string"),
        pytest.param([], (None, None), id="an empty array"),
    ],
)
def test_read_error(document: Any, error: tuple[str | None, str | None]) -> None:
    assert read_error(document) == error


@given(JSON)
def test_any_document_is_taken(document: Any) -> None:
    for text in read_error(document):
        assert text is None or text.strip()


@pytest.mark.parametrize(
    ("message", "short"),
    [
        pytest.param(None, None, id="none"),
        pytest.param("x" * LIMIT, "x" * LIMIT, id="exactly the limit"),
        pytest.param("x" * (LIMIT + 1), "x" * LIMIT + "...", id="one more"),
        pytest.param("a" + "é" * 400, "a" + "é" * 249 + "...", id="not in the middle of a character"),
        pytest.param("😀" * 126, "😀" * 125 + "...", id="four bytes each"),
    ],
)
def test_shorten(message: str | None, short: str | None) -> None:
    assert shorten(message) == short


@given(st.text(max_size=700))
def test_shortened_stays_short(message: str) -> None:
    short = shorten(message)
    assert short is not None and len(short.encode("utf-8", "replace")) <= LIMIT + 3


def test_type_and_message_are_bounded() -> None:
    kind, message = read_error({"error": {"type": "t" * 10_000, "message": "m" * 10_000}})
    assert kind is not None and message is not None
    assert max(len(kind), len(message)) <= LIMIT + 3


@pytest.mark.parametrize(
    ("status", "text"),
    [(502, "502 Bad Gateway"), (429, "429 Too Many Requests"), (520, "HTTP 520"), (499, "HTTP 499"), (0, "HTTP 0")],
)
def test_status_text(status: int, text: str) -> None:
    assert status_text(status) == text
