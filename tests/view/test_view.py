"""The content view of requests and responses, as mitmproxy asks for it."""

import gzip
import json
from typing import Any

import pytest
from mitmproxy import http
from mitmproxy.contentviews import Metadata
from mitmproxy.test import tflow
from mitmproxy.websocket import WebSocketMessage
from wsproto.frame_protocol import Opcode

from mitmeter.view import NOTES, ExchangeView

VIEW = ExchangeView()
MESSAGES = "https://api.anthropic.com/v1/messages"
CHAT = "https://api.openai.com/v1/chat/completions"
SPEECH = "https://api.openai.com/v1/audio/transcriptions"
UPLOAD = (
    b'--b\r\nContent-Disposition: form-data; name="model"\r\n\r\nwhisper-1\r\n'
    b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.mp3"\r\nContent-Type: audio/mpeg\r\n\r\n'
    b"\x00\xff\xfe\r\n--b--\r\n"
)
ASKED = {"model": "m", "messages": [{"role": "user", "content": "Hi <b>there</b>"}]}
STREAM = b"".join(
    b"data: %s\n\n" % json.dumps(one).encode()
    for one in (
        {"model": "real", "choices": [{"delta": {"reasoning_content": "hm"}}]},
        {"model": "real", "choices": [{"delta": {"content": "Hel"}}]},
        {"model": "real", "choices": [{"delta": {"content": "lo"}, "finish_reason": "stop"}]},
        {"choices": [], "usage": {"prompt_tokens": 4, "completion_tokens": 5}},
    )
)


def flow(url: str, asked: Any, answered: bytes = b"", method: str = "POST", **headers: str) -> http.HTTPFlow:
    made = tflow.tflow()
    body = asked if isinstance(asked, bytes) else json.dumps(asked).encode()
    made.request = http.Request.make(method, url, body, {"content-type": "application/json"})
    fields = {"content-type": "text/event-stream"} | {name.replace("_", "-"): value for name, value in headers.items()}
    made.response = http.Response.make(200, b"", fields)
    made.response.raw_content = answered
    return made


def metadata(made: http.HTTPFlow, side: str) -> tuple[bytes, Metadata]:
    message = made.request if side == "request" else made.response
    assert message is not None
    data = message.get_content(strict=False) or b""
    return data, Metadata(flow=made, http_message=message)


def shown(made: http.HTTPFlow, side: str) -> list[str]:
    return [line for line in VIEW.prettify(*metadata(made, side)).split("\n") if line]


def test_a_request() -> None:
    lines = shown(flow(CHAT, ASKED), "request")
    assert lines[0] == "asked:   openai chat · 1 turn, all new · 76 B"
    assert [lines[1].split()[1], lines[2]] == ["user", "Hi <b>there</b>"]


def test_an_upload() -> None:
    lines = shown(flow(SPEECH, UPLOAD), "request")
    assert lines[0].startswith("asked:   openai transcriptions · 1 turn, all new")
    assert lines[3:] == ["[audio a.mp3 audio/mpeg 3 B]", lines[4], '{"model": "whisper-1"}']


def test_a_request_that_resends_what_was_said() -> None:
    asked = {"messages": [*ASKED["messages"], {"role": "assistant", "content": "Yes?"}, *ASKED["messages"]]}
    lines = shown(flow(MESSAGES, asked), "request")
    assert "3 turns, 1 new" in lines[0]
    assert lines[2:4] == ["user      Hi <b>there</b>", "assistant Yes?"]
    assert [line.strip("═━ ") for line in lines[1:7:3]] == ["resent: 2 turns", "new: 1 turn"]


@pytest.mark.parametrize("coding", ["", "gzip"])
def test_a_stream_is_put_together(coding: str) -> None:
    body = gzip.compress(STREAM) if coding else STREAM
    made = flow(CHAT, ASKED, body, **({"content_encoding": coding} if coding else {}))
    lines = shown(made, "response")
    assert lines[:2] == ["tokens:  4 in → 5 out", "reply:   real · openai chat · complete · stop"]
    assert [line.strip("─ ") for line in lines[2:]] == ["thinking", "hm", "text", "Hello"]


def test_a_stream_that_was_cut_in_the_middle_of_a_coding() -> None:
    body = gzip.compress(STREAM * 50)[:-40]
    assert "Hello" in "".join(shown(flow(CHAT, ASKED, body, content_encoding="gzip"), "response"))


def test_what_was_metered_is_told_of_the_request_as_well() -> None:
    made = flow(CHAT, ASKED, STREAM)
    usage: dict[str, int | None] = dict.fromkeys(("cache_read_tokens", "cache_write_tokens", "reasoning_tokens"))
    made.metadata[NOTES] = {
        "request_model": "m",
        "model": "real",
        "usage": usage | {"input_tokens": 4, "output_tokens": 5},
    }
    lines = shown(made, "request")
    assert lines[0] == "tokens:  4 in → 5 out" and lines[1].startswith("asked:   m · openai chat")


@pytest.mark.parametrize(
    ("made", "side", "shows"),
    [
        pytest.param(flow(CHAT, ASKED), "request", True, id="request"),
        pytest.param(flow(CHAT, ASKED, STREAM), "response", True, id="response"),
        pytest.param(flow(CHAT, ASKED), "response", False, id="nothing yet"),
        pytest.param(flow("https://example.com/", ASKED), "request", False, id="no LLM's"),
        pytest.param(flow(CHAT, b"--boundary"), "request", False, id="half a form"),
        pytest.param(flow(SPEECH, UPLOAD), "request", True, id="a form"),
        pytest.param(flow(CHAT, b"", method="GET"), "request", False, id="no body"),
    ],
)
def test_it_is_shown_first_where_it_has_something_to_show(made: http.HTTPFlow, side: str, shows: bool) -> None:
    assert (VIEW.render_priority(*metadata(made, side)) > 1) is shows


@pytest.mark.parametrize("asked", [{"model": "m"}, {"messages": []}, b"[1]"])
def test_where_nothing_is_said_another_view_is_better(asked: Any) -> None:
    with pytest.raises(ValueError, match="nothing"):
        VIEW.prettify(*metadata(flow(CHAT, asked), "request"))


def test_what_is_too_large_is_said_to_be() -> None:
    made = flow(CHAT, json.dumps({"messages": [{"role": "user", "content": "x" * (16 << 20)}]}).encode())
    assert "the request, whose 16,777,263 bytes are more than are read for" in shown(made, "request")[-2]


def test_a_long_stream_is_shown_as_far_as_it_is_read() -> None:
    lines = shown(flow(CHAT, ASKED, STREAM * (1 + (4 << 20) // len(STREAM))), "response")
    assert lines[0].startswith("── thinking") and lines[-1].startswith("[left out: ") and "of the response" in lines[-1]


@pytest.mark.parametrize(
    ("said", "from_client", "shows"),
    [
        pytest.param(
            {"type": "response.output_text.delta", "output_index": 0, "delta": "Hel\x1b"},
            False, "response.output_text.delta: Hel\\x1b", id="a piece of text",
        ),
        pytest.param(
            {"type": "response.output_audio.delta", "output_index": 0, "delta": "A" * 4000},
            False, "response.output_audio.delta: [media 3.0 kB]", id="a piece of sound",
        ),
        pytest.param(
            {"type": "conversation.item.create", "item": {
                "type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hi"}]}},
            True, "\u2501\u2501 user " + "\u2501" * 56 + "\nHi", id="what is asked",
        ),
        pytest.param({"type": "response.done", "response": {}}, False, None, id="no text"),
        pytest.param({"type": "response.create"}, True, None, id="nothing asked"),
        pytest.param([1], False, None, id="no event"),
    ],
)  # fmt: skip
def test_a_message_of_a_socket(said: Any, from_client: bool, shows: str | None) -> None:
    made = tflow.twebsocketflow()
    assert made.websocket is not None
    made.request = http.Request.make("GET", "https://api.openai.com/v1/realtime", b"", {"upgrade": "websocket"})
    body = json.dumps(said, indent=1).encode()
    told = Metadata(flow=made, websocket_message=WebSocketMessage(Opcode.TEXT, from_client, body))
    assert (VIEW.render_priority(body, told) > 1) is (shows is not None)
    if shows is not None:
        assert VIEW.prettify(body, told) == shows
