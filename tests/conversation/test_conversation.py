"""What was asked, as people read it: the requests of every dialect."""

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mitmeter import transcript
from mitmeter.conversation import Limits, conversation, to_json
from mitmeter.usage.dialect import Dialect
from mitmeter.usage.registry import find

IMAGE = "iVBORw0KGgoAAAANSUhEUgAA"
PIXELS = f"data:image/png;base64,{IMAGE}"
CALL = {"id": "c1", "type": "function", "function": {"name": "clock", "arguments": '{"zone": "utc"}'}}
LIVE = "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent"
VERTEX = "aiplatform.googleapis.com"

type Short = list[tuple[Any, ...]]

CHAT_TURNS: Short = [
    ("system", False, "text:S"),
    ("user", False, "text:what time"),
    ("assistant", False, "tool:clock:{\"zone\": \"utc\"}"),
    ("tool", True, "tool_result:noon"),
]  # fmt: skip


def dialect(host: str, path: str, method: str = "POST") -> Dialect:
    match = find(method, host, path, method == "GET")
    assert match is not None
    return match.dialect


def short(block: dict[str, Any]) -> str:
    words = [block["kind"], block.get("name"), block.get("media"), block.get("size"), block["text"]]
    return ":".join(str(word) for word in words if word not in (None, ""))


def turns(reader: Dialect, body: bytes, limits: Limits | None = None) -> Short:
    told = to_json(conversation(reader, body, limits=limits or Limits()))
    return [(turn["role"], turn["new"], *map(short, turn["blocks"])) for turn in told["turns"]]


@pytest.mark.parametrize(
    ("host", "path", "asked", "wanted"),
    [
        pytest.param(
            "api.openai.com", "/v1/chat/completions",
            {"messages": [
                {"role": "developer", "content": "S"},
                {"role": "user", "content": [{"type": "text", "text": "what time"}]},
                {"role": "assistant", "content": None, "reasoning_content": "hm", "tool_calls": [CALL]},
                {"role": "tool", "tool_call_id": "c1", "content": [{"type": "text", "text": "noon"}]}]},
            [*CHAT_TURNS[:2], ("assistant", False, "thinking:hm", 'tool:clock:{"zone": "utc"}'), CHAT_TURNS[3]],
            id="chat",
        ),
        pytest.param(
            "api.openai.com", "/v1/chat/completions",
            {"messages": [{"role": "user", "content": [
                {"type": "image_url", "image_url": {"url": PIXELS}},
                {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
                {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
                {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,AAAAAA=="}},
                {"type": "later", "value": 1}]}]},
            [("user", True, "image:image/png:18", "image:https://example.com/a.png", "audio:wav:3",
              "file:a.pdf:application/pdf:4", 'other:later:{"type": "later", "value": 1}')],
            id="chat: what is encoded",
        ),
        pytest.param(
            "api.openai.com", "/v1/completions", {"prompt": ["Once", "Twice", [1, 2, 3]]},
            [("user", True, "text:Once", "text:Twice", "other:1 values that are no text")], id="completions",
        ),
        pytest.param(
            "api.openai.com", "/v1/responses",
            {"instructions": "S", "input": [
                {"role": "user", "content": [{"type": "input_text", "text": "what time"}]},
                {"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}], "encrypted_content": "x"},
                {"type": "function_call", "call_id": "c1", "name": "clock", "arguments": '{"zone": "utc"}'},
                {"type": "function_call_output", "call_id": "c1", "output": "noon"},
                {"type": "message", "role": "user", "content": [{"type": "input_image", "image_url": PIXELS}]}]},
            [*CHAT_TURNS[:2], ("assistant", False, "thinking:hm", 'tool:clock:{"zone": "utc"}'), CHAT_TURNS[3],
             ("user", True, "image:image/png:18")],
            id="responses",
        ),
        pytest.param(
            "api.openai.com", "/v1/responses", {"input": "Hi"}, [("user", True, "text:Hi")], id="responses: text",
        ),
        pytest.param(
            "api.anthropic.com", "/v1/messages",
            {"system": [{"type": "text", "text": "S", "cache_control": {}}], "messages": [
                {"role": "user", "content": "what time"},
                {"role": "assistant", "content": [
                    {"type": "thinking", "thinking": "hm", "signature": "x"},
                    {"type": "redacted_thinking", "data": "x"},
                    {"type": "tool_use", "id": "c1", "name": "clock", "input": {"zone": "utc"}}]},
                {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c1", "content": [
                    {"type": "text", "text": "noon"},
                    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": IMAGE}}]}]},
                {"role": "user", "content": [
                    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": IMAGE}},
                    {"type": "document", "title": "a", "source": {"type": "url", "url": "https://example.com/a.pdf"}}]}]},
            [*CHAT_TURNS[:2],
             ("assistant", False, "thinking:hm", "thinking", 'tool:clock:{"zone": "utc"}'),
             ("tool", True, "tool_result:noon\n[image image/png 18 B]"),
             ("user", True, "image:image/png:18", "file:a:https://example.com/a.pdf")],
            id="messages",
        ),
        pytest.param(
            "generativelanguage.googleapis.com", "/v1beta/models/gemini-2.5-pro:streamGenerateContent",
            {"systemInstruction": {"parts": [{"text": "S"}]}, "contents": [
                {"role": "user", "parts": [{"text": "what time"}]},
                {"role": "model", "parts": [
                    {"text": "hm", "thought": True},
                    {"functionCall": {"id": "c1", "name": "clock", "args": {"zone": "utc"}}}]},
                {"role": "user", "parts": [{"functionResponse": {"name": "clock", "response": {"time": "noon"}}}]},
                {"role": "user", "parts": [
                    {"inlineData": {"mimeType": "image/png", "data": IMAGE}},
                    {"file_data": {"mime_type": "audio/mp3", "file_uri": "gs://bucket/a.mp3"}}]}]},
            [*CHAT_TURNS[:2], ("assistant", False, "thinking:hm", 'tool:clock:{"zone": "utc"}'),
             ("tool", True, 'tool_result:{"time": "noon"}'),
             ("user", True, "image:image/png:18", "audio:audio/mp3:gs://bucket/a.mp3")],
            id="generateContent",
        ),
        pytest.param(
            "cloudcode-pa.googleapis.com", "/v1internal:generateContent",
            {"model": "m", "request": {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]}},
            [("user", True, "text:Hi")], id="generateContent, wrapped",
        ),
        pytest.param(
            VERTEX, "/v1/projects/p/locations/l/publishers/anthropic/models/claude:rawPredict",
            {"anthropic_version": "v", "system": "S", "messages": [{"role": "user", "content": "Hi"}]},
            [("system", True, "text:S"), ("user", True, "text:Hi")], id="rawPredict",
        ),
        pytest.param(
            "bedrock-runtime.us-east-1.amazonaws.com", "/model/anthropic.claude/converse",
            {"system": [{"text": "S"}, {"cachePoint": {"type": "default"}}], "messages": [
                {"role": "user", "content": [{"text": "what time"}]},
                {"role": "assistant", "content": [
                    {"reasoningContent": {"reasoningText": {"text": "hm"}}},
                    {"toolUse": {"toolUseId": "c1", "name": "clock", "input": {"zone": "utc"}}}]},
                {"role": "user", "content": [
                    {"toolResult": {"toolUseId": "c1", "content": [{"json": {"time": "noon"}}]}}]},
                {"role": "user", "content": [
                    {"image": {"format": "png", "source": {"bytes": IMAGE}}},
                    {"document": {"format": "txt", "name": "a", "source": {"text": "Call me"}}}]}]},
            [*CHAT_TURNS[:2], ("assistant", False, "thinking:hm", 'tool:clock:{"zone": "utc"}'),
             ("tool", True, 'tool_result:{"time": "noon"}'),
             ("user", True, "image:png:18", "file:a:txt:Call me")],
            id="converse",
        ),
        pytest.param(
            "bedrock-runtime.us-east-1.amazonaws.com", "/model/cohere.command-r/invoke",
            {"message": "And now?", "chat_history": [
                {"role": "USER", "message": "Hi"}, {"role": "CHATBOT", "message": "Hello"}]},
            [("user", False, "text:Hi"), ("assistant", False, "text:Hello"), ("user", True, "text:And now?")],
            id="invoke",
        ),
        pytest.param(
            "127.0.0.1", "/api/chat",
            {"messages": [
                {"role": "system", "content": "S"}, {"role": "user", "content": "what time", "images": [IMAGE]},
                {"role": "assistant", "content": "", "thinking": "hm", "tool_calls": [
                    {"function": {"name": "clock", "arguments": {"zone": "utc"}}}]},
                {"role": "tool", "tool_name": "clock", "content": "noon"}]},
            [CHAT_TURNS[0], ("user", False, "text:what time", "image:18"),
             ("assistant", False, "thinking:hm", 'tool:clock:{"zone": "utc"}'), CHAT_TURNS[3]],
            id="native chat",
        ),
        pytest.param(
            "127.0.0.1", "/api/generate", {"system": "S", "prompt": "Hi", "images": [IMAGE]},
            [("system", True, "text:S"), ("user", True, "text:Hi", "image:18")], id="native generate",
        ),
        pytest.param(
            "api.cohere.com", "/v2/chat",
            {"messages": [
                {"role": "system", "content": "S"}, {"role": "user", "content": "what time"},
                {"role": "assistant", "tool_plan": "hm", "tool_calls": [CALL]},
                {"role": "tool", "tool_call_id": "c1", "content": [
                    {"type": "document", "document": {"id": "d", "data": {"title": "t", "text": "noon"}}}]}]},
            [*CHAT_TURNS[:2], ("assistant", False, "thinking:hm", 'tool:clock:{"zone": "utc"}'), CHAT_TURNS[3]],
            id="chat_v2",
        ),
        pytest.param(
            "api.cohere.com", "/v1/chat", {"preamble": "S", "message": "Hi"},
            [("system", True, "text:S"), ("user", True, "text:Hi")], id="chat_v1",
        ),
        pytest.param(
            "generativelanguage.googleapis.com", "/v1beta/interactions",
            {"system_instruction": "S", "input": [
                {"type": "user_input", "content": [{"type": "text", "text": "what time"}]},
                {"type": "function_call", "id": "c1", "name": "clock", "arguments": {"zone": "utc"}},
                {"type": "function_result", "call_id": "c1", "name": "clock", "result": "noon"}]},
            [*CHAT_TURNS], id="interactions",
        ),
        pytest.param(
            "dashscope.aliyuncs.com", "/api/v1/services/aigc/multimodal-generation/generation",
            {"input": {"messages": [{"role": "user", "content": [{"image": PIXELS}, {"text": "Hi"}]}]}},
            [("user", True, "image:image/png:18", "text:Hi")], id="generation",
        ),
        pytest.param(
            "api.cohere.com", "/v2/rerank", {"query": "Q", "documents": ["a", "b"]},
            [("user", True, "text:Q", "text:a", "text:b")], id="rerank",
        ),
        pytest.param(
            "127.0.0.1", "/completion", {"prompt": "Hi"}, [("user", True, "text:Hi")], id="completion",
        ),
        pytest.param(
            "127.0.0.1", "/generate", {"inputs": "Hi"}, [("user", True, "text:Hi")], id="generate",
        ),
    ],
)  # fmt: skip
def test_requests(host: str, path: str, asked: dict[str, Any], wanted: Short) -> None:
    assert turns(dialect(host, path), json.dumps(asked).encode()) == wanted


@pytest.mark.parametrize(
    ("host", "path", "asked", "wanted"),
    [
        pytest.param(
            "api.openai.com", "/v1/realtime",
            [{"type": "session.update", "session": {"instructions": "S"}},
             {"type": "conversation.item.create",
              "item": {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hi"}]}},
             {"type": "conversation.item.create",
              "item": {"type": "function_call_output", "call_id": "c1", "output": "noon"}},
             {"type": "response.create", "response": {"instructions": "Be brief"}}],
            [("system", True, "text:S"), ("user", True, "text:Hi"), ("tool", True, "tool_result:noon"),
             ("system", True, "text:Be brief")],
            id="realtime",
        ),
        pytest.param(
            "api.openai.com", "/v1/realtime", [{"type": "input_audio_buffer.append", "audio": "AAAA"}] * 3,
            [("user", True, "audio:9")], id="realtime: sound",
        ),
        pytest.param(
            "api.openai.com", "/v1/responses", [{"type": "response.create", "input": "Hi"}],
            [("user", True, "text:Hi")], id="responses",
        ),
        pytest.param(
            "generativelanguage.googleapis.com", LIVE,
            [{"setup": {"systemInstruction": {"parts": [{"text": "S"}]}}},
             {"clientContent": {"turns": [{"role": "user", "parts": [{"text": "Hi"}]}]}},
             {"toolResponse": {"functionResponses": [{"id": "c1", "name": "clock", "response": {"time": "noon"}}]}}],
            [("system", True, "text:S"), ("user", True, "text:Hi"), ("tool", True, 'tool_result:{"time": "noon"}')],
            id="live",
        ),
    ],
)  # fmt: skip
def test_what_is_asked_on_a_socket(host: str, path: str, asked: list[Any], wanted: Short) -> None:
    lines = b"".join(json.dumps(one).encode() + b"\n" for one in asked)
    assert turns(dialect(host, path, "GET"), lines) == wanted


CHAT = dialect("api.openai.com", "/v1/chat/completions")


@pytest.mark.parametrize(
    ("roles", "new"),
    [
        pytest.param("su", "su", id="the first request"),
        pytest.param("suau", "u", id="a second one"),
        pytest.param("suatatt", "tt", id="results of tools"),
        pytest.param("suaua", "ua", id="the model is to go on"),
        pytest.param("ua", "ua", id="the model is to go on at once"),
        pytest.param("suaus", "us", id="a late word of the system's"),
        pytest.param("", "", id="none"),
    ],
)
def test_what_is_new_in_a_turn(roles: str, new: str) -> None:
    names = {"s": "system", "u": "user", "a": "assistant", "t": "tool"}
    asked = {"messages": [{"role": names[role], "content": "x"} for role in roles]}
    told = turns(CHAT, json.dumps(asked).encode())
    assert [role for role, *_ in told] == [names[role] for role in roles]
    assert [role for role, fresh, *_ in told if fresh] == [names[role] for role in new]


def long(number: int, text: str) -> bytes:
    roles = ("user", "assistant")
    return json.dumps({"messages": [{"role": roles[at % 2], "content": text} for at in range(number)]}).encode()


@pytest.mark.parametrize(
    ("body", "limits", "kept", "left_out"),
    [
        pytest.param(long(9, "x"), Limits(turns=3), ["x"] * 3, "6 earlier turns", id="turns"),
        pytest.param(long(3, "xyz"), Limits(text=4), ["", "x", "xyz"], "5 characters of what was asked", id="text"),
        pytest.param(long(1, "xyz"), Limits(block=2), ["xy"], "1 characters of what was asked", id="a block"),
        pytest.param(long(1, "x"), Limits(body=9), [], "the request, whose 48 bytes", id="a body"),
        pytest.param(b"{", Limits(), [], "what is no JSON in the request", id="no JSON"),
    ],
)
def test_what_is_left_out_is_said(body: bytes, limits: Limits, kept: list[str], left_out: str) -> None:
    told = conversation(CHAT, body, limits=limits)
    assert [block.text for turn in told.turns for block in turn.blocks] == kept
    assert len(told.left_out) == 1 and told.left_out[0].startswith(left_out)


def test_what_the_server_keeps_is_said_to_be_missing() -> None:
    asked = {"input": "Hi", "previous_response_id": "resp_1", "conversation": None}
    told = conversation(dialect("api.openai.com", "/v1/responses"), json.dumps(asked).encode())
    assert told.left_out == ("what was said before, kept by the server (previous_response_id)",)


def test_a_cut_block_says_how_much_is_missing() -> None:
    (turn,) = to_json(conversation(CHAT, long(1, "xyz"), limits=Limits(block=2)))["turns"]
    assert turn == {"role": "user", "new": True, "blocks": [{"kind": "text", "text": "xy", "cut": 1}]}


def test_the_reply_of_a_stream_is_put_together() -> None:
    deltas = [
        {"reasoning_content": "hm"},
        {"content": "It is \ud83d"},
        {"content": "\ude00"},
        {"tool_calls": [{"index": 0, "function": {"name": "clock", "arguments": "{}"}}]},
    ]
    stream = b"".join(b"data: %s\n\n" % json.dumps({"choices": [{"delta": one}]}).encode() for one in deltas)
    told = to_json(conversation(CHAT, None, stream, "text/event-stream"))
    assert list(map(short, told["reply"]["blocks"])) == ["thinking:hm", "text:It is \U0001f600", "tool:clock:{}"]
    cut = conversation(CHAT, None, stream, "text/event-stream", Limits(body=len(stream) - 1, text=4))
    assert cut.left_out == ("1 bytes of the response", "6 characters of the reply")


def replied(reader: Dialect, body: bytes, kind: str = "application/json") -> list[str]:
    return [short(block) for block in to_json(conversation(reader, None, body, kind))["reply"]["blocks"]]


@pytest.mark.parametrize(
    ("host", "path", "document", "blocks"),
    [
        pytest.param(
            "api.openai.com", "/v1/chat/completions",
            {"choices": [{"message": {"content": "a", "reasoning_content": "hm", "tool_calls": [CALL]}}]},
            ["thinking:hm", "text:a", 'tool:clock:{"zone": "utc"}'], id="chat",
        ),
        pytest.param(
            "api.openai.com", "/v1/chat/completions",
            {"choices": [
                {"message": {"content": None, "refusal": "No."}},
                {"message": {"content": None, "audio": {"data": "AAAA", "transcript": "Hi"}}},
                {"message": {"content": "", "images": [{"type": "image_url", "image_url": {"url": PIXELS}}]}}]},
            ["text:No.", "text:Hi", "audio:3", "image:image/png:18"], id="chat: what is no content",
        ),
        pytest.param(
            "api.anthropic.com", "/v1/messages",
            {"content": [
                {"type": "text", "text": "a"}, {"type": "tool_use", "name": "f", "input": {"\u00e4": 1}},
                {"type": "web_search_tool_result", "tool_use_id": "c", "content": [{"type": "web_search_result"}]}]},
            ["text:a", 'tool:f:{"\u00e4": 1}', 'tool_result:{"type": "web_search_result"}'], id="messages",
        ),
        pytest.param(
            "api.openai.com", "/v1/responses",
            {"output": [
                {"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}]},
                {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "a"}]},
                {"type": "function_call", "name": "f", "arguments": "{}"},
                {"type": "local_shell_call", "action": {"command": ["ls"]}}]},
            ["thinking:hm", "text:a", "tool:f:{}", 'tool:local_shell_call:{"command": ["ls"]}'], id="responses",
        ),
        pytest.param(
            "generativelanguage.googleapis.com", "/v1beta/models/m:generateContent",
            {"candidates": [{"content": {"role": "model", "parts": [
                {"text": "hm", "thought": True}, {"text": "a"},
                {"inlineData": {"mimeType": "image/png", "data": IMAGE}},
                {"functionCall": {"name": "f", "args": {}}}]}}]},
            ["thinking:hm", "text:a", "image:image/png:18", "tool:f:{}"], id="generateContent",
        ),
        pytest.param(
            "bedrock-runtime.us-east-1.amazonaws.com", "/model/m/converse",
            {"output": {"message": {"role": "assistant", "content": [
                {"reasoningContent": {"reasoningText": {"text": "hm"}}},
                {"citationsContent": {"content": [{"text": "a"}]}},
                {"toolUse": {"name": "f", "input": {}}}]}}},
            ["thinking:hm", "text:a", "tool:f:{}"], id="converse",
        ),
        pytest.param(
            "bedrock-runtime.us-east-1.amazonaws.com", "/model/m/invoke", {"outputText": "a"}, ["text:a"], id="invoke",
        ),
        pytest.param(
            "api.cohere.com", "/v2/chat",
            {"message": {"role": "assistant", "tool_plan": "hm", "content": [{"type": "text", "text": "a"}]}},
            ["thinking:hm", "text:a"], id="chat_v2",
        ),
        pytest.param(
            "127.0.0.1", "/api/chat", {"message": {"role": "assistant", "thinking": "hm", "content": "a"}},
            ["thinking:hm", "text:a"], id="native chat",
        ),
        pytest.param("127.0.0.1", "/api/generate", {"response": "a"}, ["text:a"], id="native generate"),
        pytest.param("api.openai.com", "/v1/completions", {"choices": [{"text": "a"}]}, ["text:a"], id="completions"),
        pytest.param("api.openai.com", "/v1/chat/completions", {"error": {"message": "no"}}, [], id="an error"),
    ],
)  # fmt: skip
def test_whole_replies(host: str, path: str, document: dict[str, Any], blocks: list[str]) -> None:
    assert replied(dialect(host, path), json.dumps(document).encode()) == blocks


def events(*documents: dict[str, Any]) -> bytes:
    return b"".join(b"data: %s\n\n" % json.dumps(document).encode() for document in documents)


def test_a_stream_that_ends_in_all_of_it_is_read_from_there() -> None:
    delta = {"type": "response.output_text.delta", "output_index": 0, "delta": "Hel"}
    items = [{"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Hello"}]}]
    items.append({"type": "web_search_call", "action": {"query": "q"}})
    over = {"type": "response.completed", "response": {"output": items}}
    reader = dialect("api.openai.com", "/v1/responses")
    assert replied(reader, events(delta, over), "text/event-stream") == [
        "text:Hello",
        'tool:web_search_call:{"query": "q"}',
    ]
    assert replied(reader, events(delta), "text/event-stream") == ["text:Hel"]


def test_what_a_tool_of_the_servers_own_returned_is_in_a_stream() -> None:
    block = {"type": "web_search_tool_result", "content": [{"url": "https://example.com"}]}
    stream = events({"type": "content_block_start", "index": 0, "content_block": block})
    reader = dialect("api.anthropic.com", "/v1/messages")
    assert replied(reader, stream, "text/event-stream") == ['tool_result:[{"url": "https://example.com"}]']


def test_half_a_character_stops_nothing() -> None:
    told = to_json(conversation(CHAT, b'{"messages": [{"role": "user", "content": "a\\ud83d"}]}'))
    assert json.dumps(told, ensure_ascii=False).encode()
    assert told["turns"][0]["blocks"] == [{"kind": "text", "text": "a\ufffd"}]


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b'{"messages": [%s1]}' % (b"1," * 2_000_000), id="numbers"),
        pytest.param(b'{"messages": [%s{}]}' % (b"{}," * 1_000_000), id="empty messages"),
        pytest.param(b'{"messages": [{"content": [%s{}]}]}' % (b"{}," * 1_000_000), id="empty parts"),
        pytest.param(b'{"messages": ' + b"[" * 500_000 + b"]" * 500_000 + b"}", id="depth"),
        pytest.param(b'{"messages": [{"content": ' + b'{"content": [' * 400 + b"]}" * 400 + b"}]}", id="nested parts"),
    ],
)
def test_time_is_bounded(body: bytes) -> None:
    began = time.process_time()
    conversation(CHAT, body)
    assert time.process_time() - began < 5, "what is asked for takes a second at most; this only catches what explodes"


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from((
        "role", "content", "parts", "type", "text", "thinking", "tool_calls", "function", "arguments", "input",
        "messages", "contents", "functionCall", "args", "inlineData", "data", "image_url", "url", "source",
        "toolResult", "thought",
    )), inner, max_size=4),
    max_leaves=20,
)  # fmt: skip
READERS = (
    CHAT,
    dialect("api.openai.com", "/v1/responses"),
    dialect("api.openai.com", "/v1/realtime", "GET"),
    dialect("api.anthropic.com", "/v1/messages"),
    dialect("generativelanguage.googleapis.com", "/v1beta/models/m:generateContent"),
    dialect("bedrock-runtime.us-east-1.amazonaws.com", "/model/m/converse"),
    dialect("bedrock-runtime.us-east-1.amazonaws.com", "/model/m/invoke"),
    dialect("127.0.0.1", "/api/chat"),
)


@given(st.sampled_from(READERS), st.dictionaries(st.sampled_from(("messages", "input", "contents", "system")), VALUES))
def test_any_request_is_taken(reader: Dialect, asked: dict[str, Any]) -> None:
    json.dumps(to_json(conversation(reader, json.dumps(asked).encode(), json.dumps(asked).encode()))).encode()


SAID = {
    "system": [{"type": "text", "text": "S"}],
    "instructions": "S",
    "messages": [
        {"role": "user", "content": [{"type": "image_url", "image_url": {"url": PIXELS}}, {"text": "Hi"}]},
        {"role": "assistant", "content": [{"toolUse": {"name": "f", "input": {"a": 1}}}], "tool_calls": [CALL]},
        {"role": "tool", "content": [{"type": "tool_result", "content": [{"text": "noon"}]}], "images": [IMAGE]},
    ],
    "input": [{"type": "function_call", "name": "f", "arguments": "{}"}, {"type": "reasoning", "summary": []}],
    "contents": [{"role": "model", "parts": [{"inlineData": {"data": IMAGE, "mimeType": "image/png"}}]}],
    "item": {"type": "message", "content": [{"type": "input_audio", "audio": "AAAA"}]},
    "response": {"output": [{"type": "message", "content": [{"type": "output_text", "text": "Hi"}]}]},
}


@st.composite
def mutated(draw: st.DrawFn, value: Any = SAID) -> Any:
    """What was said, with something else in one place."""
    if isinstance(value, dict | list) and value and draw(st.integers(0, 5)):
        keys = list(value) if isinstance(value, dict) else list(range(len(value)))
        key = draw(st.sampled_from(keys))
        changed = value.copy()
        changed[key] = draw(mutated(value[key]))
        return changed
    return draw(VALUES)


@given(st.sampled_from(READERS), mutated(), st.integers(0, 40), st.sampled_from(("", "text/event-stream")))
def test_any_change_to_a_request_is_taken(reader: Dialect, asked: Any, cut: int, kind: str) -> None:
    body = json.dumps(asked).encode()
    body = body[: len(body) - cut] if cut > 30 else body
    told = conversation(reader, body, b"data: " + body if kind else body, kind)
    json.dumps(to_json(told), ensure_ascii=False).encode()
    transcript.asked(told), transcript.answered(told)


@given(st.sampled_from(READERS), st.binary(max_size=60), st.sampled_from(("", "text/event-stream", "application/json")))
def test_any_bytes_are_taken(reader: Dialect, body: bytes, kind: str) -> None:
    to_json(conversation(reader, body, body, kind))


@pytest.mark.parametrize("path", ["/v1/images/edits", "/v1/audio/transcriptions"])
@pytest.mark.parametrize("picture", [b"\x89PNG" * 5, b"[20 bytes left out]"], ids=["as sent", "as kept"])
def test_a_form(path: str, picture: bytes) -> None:
    body = (
        b'--b\r\nContent-Disposition: form-data; name="image"; filename="p.png"\r\nContent-Type: image/png\r\n\r\n'
        b'%s\r\n--b\r\nContent-Disposition: form-data; name="prompt"\r\n\r\nMake it red\r\n'
        b'--b\r\nContent-Disposition: form-data; name="model"\r\n\r\nm\r\n--b--\r\n' % picture
    )
    told = turns(dialect("api.openai.com", path), body)
    assert told == [("user", True, "image:p.png:image/png:20", "text:Make it red", 'other:form:{"model": "m"}')]
