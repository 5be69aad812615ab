"""Payload bytes to documents: odd JSON is read as far as it can be, and nothing but NotADocument is raised."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mitmeter.usage.apis.chat import CHAT
from mitmeter.usage.documents import NotADocument, request_decoder, response_decoder, tolerant

USAGE = b'"usage":{"prompt_tokens":1}'
DEEP = 100_000
decode = response_decoder(CHAT)


@pytest.mark.parametrize(
    ("payload", "usage"),
    [
        pytest.param(b"{" + USAGE + b"}", {"prompt_tokens": 1}, id="plain"),
        pytest.param(b'{"x":NaN,' + USAGE + b"}", {"prompt_tokens": 1}, id="NaN"),
        pytest.param(b'{"x":-Infinity,' + USAGE + b"}", {"prompt_tokens": 1}, id="infinity"),
        pytest.param(b'{"x":"\\ud83d",' + USAGE + b"}", {"prompt_tokens": 1}, id="half of a surrogate pair"),
        pytest.param(b'{"x":"\xff\xfe",' + USAGE + b"}", {"prompt_tokens": 1}, id="not UTF-8"),
        pytest.param(b'{"x":"\xe4\xbd",' + USAGE + b"}", {"prompt_tokens": 1}, id="half of a character"),
        pytest.param(b'{"usage":{"prompt_tokens":' + b"9" * 30 + b"}}", {"prompt_tokens": int("9" * 30)}, id="big int"),
        pytest.param(b'{"usage":{"prompt_tokens":1e400}}', {"prompt_tokens": float("inf")}, id="big float"),
        pytest.param(b'{"\\u0075sage":{"prompt_tokens":1}}', {"prompt_tokens": 1}, id="an escaped name"),
        pytest.param(b'{"usage":1,"usage":2}', 2, id="a name twice"),
        pytest.param(b'  {"usage":{"prompt_tokens":1}   }\n', {"prompt_tokens": 1}, id="white space"),
    ],
)
def test_odd_documents(payload: bytes, usage: Any) -> None:
    assert decode(payload)["usage"] == usage


def test_an_array_is_a_list_of_documents() -> None:
    assert [one["usage"] for one in decode(b"[{" + USAGE + b"},{" + USAGE + b"}]")] == [{"prompt_tokens": 1}] * 2


def test_members_that_no_path_names_are_left_out() -> None:
    assert "embedding" not in decode(b'{"embedding":[0.1],' + USAGE + b"}")
    assert request_decoder(CHAT)(b'{"tools":[],"model":"m","stream":true}') == {"model": "m", "stream": True}


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"[DONE]", id="done"),
        pytest.param(b"not json", id="words"),
        pytest.param(b'{"usage":', id="cut"),
        pytest.param(b"\x00\x01\x02", id="binary"),
        pytest.param(b'{"a":1} trailing', id="trailing"),
        pytest.param(b"[" * DEEP, id="deep and cut"),
    ],
)
def test_no_document(payload: bytes) -> None:
    with pytest.raises(NotADocument):
        decode(payload)


@pytest.mark.parametrize("member", [b"other", b"usage"], ids=["in a member that is skipped", "in one that is read"])
def test_nesting_does_not_raise_anything_else(member: bytes) -> None:
    payload = b'{"%s":%s%s}' % (member, b"[" * DEEP, b"]" * DEEP)
    try:
        decode(payload)
    except NotADocument as error:
        assert "recursion" in str(error).lower()


@given(st.binary(max_size=60))
def test_any_bytes_are_a_document_or_not(payload: bytes) -> None:
    for read in (decode, tolerant):
        try:
            read(payload)
        except NotADocument:
            continue


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(), st.lists, max_leaves=5
)


@given(st.dictionaries(st.sampled_from(("usage", "model", "other", "error")), VALUES))
def test_what_is_named_comes_back(document: dict[str, Any]) -> None:
    read = decode(json.dumps(document).encode())
    assert {name: read.get(name) for name in document if name != "other"} == {
        name: value for name, value in document.items() if name != "other"
    }
