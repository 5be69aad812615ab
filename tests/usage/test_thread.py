"""What joins the turns of a conversation, in headers, bodies and beginnings."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mitmeter.exchange import Headers
from mitmeter.usage.apis.chat import CHAT
from mitmeter.usage.apis.converse import CONVERSE
from mitmeter.usage.apis.embeddings import EMBEDDINGS
from mitmeter.usage.apis.generate_content import GENERATE
from mitmeter.usage.apis.messages import MESSAGES
from mitmeter.usage.apis.responses import RESPONSES
from mitmeter.usage.asked import read_request
from mitmeter.usage.dialect import Dialect
from mitmeter.usage.registry import find
from mitmeter.usage.thread import Thread, names_session, read_thread

UUID = "4b6e8a10-02c4-4f1e-9d55-0a3f7c2b1e99"
SAID = {"role": "user", "content": "hi"}


def thread(dialect: Dialect, body: Any, headers: Headers = (), preferred: tuple[str, ...] = ()) -> Thread:
    """Read a request as the recorder does."""
    document = read_request(dialect, "application/json", json.dumps(body).encode()).document
    return read_thread(dialect, headers, document, preferred)


@pytest.mark.parametrize(
    ("name", "named"),
    [
        *((name, True) for name in ("x-session-id", "session_id", "session-id", "conversation_id", "conversation-id")),
        *((name, True) for name in ("x-litellm-session-id", "x-claude-code-session-id", "helicone-session-id")),
        *((name, True) for name in ("x-session-affinity", "x-opencode-session", "x-acme-conversation-id")),
        *((name, False) for name in ("x-parent-session-id", "mcp-session-id", "x-auth-session", "session", "cookie")),
        *((name, False) for name in ("x-request-id", "x-session-id-hash", "x-user-session-id", "sessionid", "")),
    ],
)
def test_headers_that_name_a_session(name: str, named: bool) -> None:
    assert names_session(name) is named


@pytest.mark.parametrize(
    ("headers", "preferred", "ident"),
    [
        pytest.param((("X-Session-ID", "a"),), (), "a", id="any case"),
        pytest.param((("x-session-id", "  "),), (), None, id="empty"),
        pytest.param((("x-session-id", "a"), ("x-session-id", "b")), (), "a", id="the first of two"),
        pytest.param((("x-session-affinity", "b"), ("x-zed-session-id", "a")), (), "a", id="affinity last"),
        pytest.param((("x-session-id", "a"), ("x-ticket", "t")), ("x-ticket",), "t", id="the user's own first"),
        pytest.param((("x-session-id", "a"),), ("x-ticket",), "a", id="the user's own is not sent"),
        pytest.param((("x-session-id", "a" * 2000),), (), "a" * 512, id="long"),
        pytest.param((("x-parent-session-id", "a"),), (), None, id="a parent's"),
    ],
)
def test_ids_in_headers(headers: Headers, preferred: tuple[str, ...], ident: str | None) -> None:
    assert thread(CHAT, {}, headers, preferred).ident == ident


@pytest.mark.parametrize(
    ("dialect", "body", "ident"),
    [
        pytest.param(MESSAGES, {"metadata": {"user_id": f"user_1_account_2_session_{UUID}"}}, UUID, id="in a text"),
        pytest.param(
            MESSAGES, {"metadata": {"user_id": json.dumps({"device_id": "d", "session_id": UUID})}}, UUID, id="in JSON"
        ),
        pytest.param(MESSAGES, {"metadata": {"user_id": "somebody"}}, None, id="a user is no session"),
        pytest.param(MESSAGES, {"metadata": None}, None, id="null"),
        pytest.param(RESPONSES, {"conversation": "conv_1"}, "conv_1", id="a conversation"),
        pytest.param(RESPONSES, {"conversation": {"id": "conv_1"}}, "conv_1", id="a conversation's object"),
        pytest.param(RESPONSES, {"prompt_cache_key": UUID}, UUID, id="a key with a UUID"),
        pytest.param(
            CHAT, {"prompt_cache_key": "ses_f84c6ba38ffe6UeTRaX25G3KTr"}, "ses_f84c6ba38ffe6UeTRaX25G3KTr", id="key"
        ),
        pytest.param(CHAT, {"prompt_cache_key": "my-app-v2"}, None, id="an application's key"),
        pytest.param(CHAT, {"prompt_cache_key": 7}, None, id="a key of another type"),
    ],
)
def test_ids_in_bodies(dialect: Dialect, body: Any, ident: str | None) -> None:
    assert thread(dialect, body).ident == ident


def test_an_id_of_a_gateways_own_is_found_on_any_host() -> None:
    match = find("POST", "localhost", "/v1/chat/completions")
    assert match is not None
    assert thread(match.dialect, {"litellm_session_id": "a"}).ident == "a"


IMAGE = {"type": "image_url", "image_url": {"url": "data:"}}


@pytest.mark.parametrize(
    ("dialect", "body", "beginning"),
    [
        pytest.param(CHAT, {"messages": [SAID]}, ("", "hi"), id="chat"),
        pytest.param(
            CHAT, {"messages": [{"role": "system", "content": "be"}, SAID, {"role": "user", "content": "more"}]},
            ("", "be", "hi"), id="chat: system",
        ),
        pytest.param(
            CHAT, {"messages": [{"role": "developer", "content": [{"type": "text", "text": "be"}]}, SAID]},
            ("", "be", "hi"), id="chat: developer, in parts",
        ),
        pytest.param(
            CHAT, {"messages": [{"role": "user", "content": [IMAGE, {"type": "text", "text": "hi"}]}]}, ("", "hi"),
            id="chat: an image is passed over",
        ),
        pytest.param(CHAT, {"messages": [{"role": "assistant", "content": "a"}]}, (), id="chat: nothing asked"),
        pytest.param(CHAT, {"messages": "hi"}, ("", "hi"), id="chat: a text"),
        pytest.param(CHAT, {"messages": {"role": "user"}}, (), id="chat: no list"),
        pytest.param(CHAT, {"messages": [1, None, SAID]}, ("", "hi"), id="chat: what is no message"),
        pytest.param(CHAT, {"messages": [{"role": 1, "content": 2}, SAID]}, ("", "hi"), id="chat: of other types"),
        pytest.param(MESSAGES, {"system": "be", "messages": [SAID]}, ("be", "hi"), id="messages"),
        pytest.param(
            MESSAGES,
            {"system": [{"type": "text", "text": "a", "cache_control": {}}, {"text": "b"}], "messages": [SAID]},
            ("a\nb", "hi"), id="messages: blocks",
        ),
        pytest.param(RESPONSES, {"instructions": "be", "input": "hi"}, ("be", "hi"), id="responses: a text"),
        pytest.param(
            RESPONSES, {"input": [{"role": "user", "content": [{"type": "input_text", "text": "hi"}]}]},
            ("", "hi"), id="responses: items",
        ),
        pytest.param(
            RESPONSES, {"input": [{"type": "function_call_output", "output": "x"}]}, (), id="responses: a tool's result"
        ),
        pytest.param(
            GENERATE, {"systemInstruction": {"parts": [{"text": "be"}]}, "contents": [{"parts": [{"text": "hi"}]}]},
            ("be", "hi"), id="contents",
        ),
        pytest.param(
            CONVERSE, {"system": [{"text": "be"}], "messages": [{"role": "user", "content": [{"text": "hi"}]}]},
            ("be", "hi"), id="converse",
        ),
        pytest.param(EMBEDDINGS, {"input": "hi"}, (), id="no conversation"),
    ],
)  # fmt: skip
def test_beginnings(dialect: Dialect, body: Any, beginning: tuple[str, ...]) -> None:
    assert thread(dialect, body) == Thread(None, beginning)


@pytest.mark.parametrize(
    ("body", "follows"),
    [
        pytest.param({"previous_response_id": "r1"}, "r1", id="named"),
        pytest.param({"previous_response_id": None}, None, id="null"),
        pytest.param({"previous_response_id": ""}, None, id="empty"),
        pytest.param({"previous_response_id": {"id": "r1"}}, None, id="no text"),
        pytest.param({"previous_response_id": "r" * 513}, None, id="too long"),
        pytest.param({"previous_response_id": "r1", "conversation": "c1"}, None, id="the client's own goes first"),
        pytest.param({"metadata": {"previous_response_id": "r1"}}, None, id="elsewhere"),
    ],
)
def test_what_a_request_goes_on_from(body: Any, follows: str | None) -> None:
    assert thread(RESPONSES, body).follows == follows


def test_a_later_turn_begins_alike() -> None:
    first = {"messages": [{"role": "user", "content": [{"text": "hi", "cache_control": {"type": "ephemeral"}}]}]}
    later = {"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "o"}, SAID]}
    assert thread(MESSAGES, first) == thread(MESSAGES, later)


NAMES = st.sampled_from(("role", "content", "text", "parts", "id"))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
)
MEMBERS = st.sampled_from(("messages", "input", "system", "metadata", "conversation", "prompt_cache_key", "contents"))


@given(st.sampled_from((CHAT, MESSAGES, RESPONSES, GENERATE)), st.dictionaries(MEMBERS, JSON))
def test_any_document_is_taken(dialect: Dialect, body: Any) -> None:
    found = thread(dialect, body)
    assert found.ident is None or (found.ident and not found.beginning)
