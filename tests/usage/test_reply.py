"""The reply as a person reads it."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mitmeter.exchange import Message
from mitmeter.usage.apis.chat import CHAT
from mitmeter.usage.apis.completions import COMPLETIONS
from mitmeter.usage.apis.messages import MESSAGES
from mitmeter.usage.apis.responses import RESPONSES
from mitmeter.usage.dialect import Dialect
from mitmeter.usage.registry import find
from mitmeter.usage.reply import Reply


def choice(index: int = 0, **delta: Any) -> dict[str, Any]:
    return {"choices": [{"index": index, "delta": delta}]}


def call(index: int, **function: str) -> dict[str, Any]:
    return {"index": index, "function": function}


def block(index: int, **delta: str) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": index, "delta": delta}


def opened(index: int, **content: Any) -> dict[str, Any]:
    return {"type": "content_block_start", "index": index, "content_block": content}


def typed(kind: str, **members: Any) -> dict[str, Any]:
    return {"type": kind, **members}


def put_together(dialect: Dialect, documents: list[Any], *, streaming: bool = True, limit: int = 1000) -> list[Any]:
    reply = Reply(dialect, streaming=streaming, limit=limit)
    reply.feed(Message(json.dumps(document).encode()) for document in documents)
    return [
        (block.kind, f"{block.name}({block.text})" if block.name else block.text or block.size)
        for block in reply.blocks()
    ]


@pytest.mark.parametrize(
    ("dialect", "documents", "blocks"),
    [
        pytest.param(CHAT, [choice(content="Hel"), choice(content="lo")], [("text", "Hello")], id="chat"),
        pytest.param(
            CHAT,
            [choice(reasoning_content="hm"), choice(content="a")],
            [("thinking", "hm"), ("text", "a")],
            id="chat: thinking",
        ),
        pytest.param(
            CHAT,
            [choice(0, content="a"), choice(1, content="b"), choice(0, content="A"), choice(1, content="B")],
            [("text", "aA"), ("text", "bB")],
            id="chat: two choices",
        ),
        pytest.param(
            CHAT,
            [
                choice(tool_calls=[call(0, name="f", arguments="")]),
                choice(tool_calls=[call(0, arguments='{"a"')]),
                choice(tool_calls=[call(1, name="g", arguments="{}")]),
                choice(tool_calls=[call(0, arguments=":1}")]),
            ],
            [("tool", 'f({"a":1})'), ("tool", "g({})")],
            id="chat: tools",
        ),
        pytest.param(CHAT, [choice(audio={"data": "AA"})], [("audio", 1)], id="sound"),
        pytest.param(
            COMPLETIONS, [{"choices": [{"text": "a"}]}, {"choices": [{"text": "b"}]}], [("text", "ab")], id="text"
        ),
        pytest.param(
            MESSAGES,
            [
                opened(0, type="thinking", thinking=""),
                block(0, type="thinking_delta", thinking="hm"),
                opened(1, type="text", text=""),
                block(1, type="text_delta", text="Hi"),
                opened(2, type="tool_use", name="f", input={}),
                block(2, type="input_json_delta", partial_json='{"a"'),
                block(2, type="input_json_delta", partial_json=":1}"),
            ],
            [("thinking", "hm"), ("text", "Hi"), ("tool", 'f({"a":1})')],
            id="messages",
        ),
        pytest.param(
            RESPONSES,
            [
                typed("response.reasoning_summary_text.delta", output_index=0, delta="hm"),
                typed("response.output_text.delta", output_index=1, delta="a"),
                typed("response.output_text.delta", output_index=1, delta="b"),
                typed("response.output_item.added", output_index=2, item={"type": "function_call", "name": "f"}),
                typed("response.function_call_arguments.delta", output_index=2, delta="{}"),
                typed("response.output_text.done", output_index=1, text="ab"),
            ],
            [("thinking", "hm"), ("text", "ab"), ("tool", "f({})")],
            id="responses",
        ),
        pytest.param(CHAT, [choice(content=None), choice(), choice(content=7), [], "x", 3, None], [], id="nothing"),
    ],
)
def test_streams(dialect: Dialect, documents: list[Any], blocks: list[tuple[str, str]]) -> None:
    assert put_together(dialect, documents) == blocks


def test_at_most_so_many_characters_are_kept() -> None:
    assert put_together(CHAT, [choice(content="abc"), choice(content="def"), choice(content="x")], limit=5) == [
        ("text", "abcde")
    ]


@given(st.lists(st.binary(max_size=40), max_size=5))
def test_any_message_is_taken(payloads: list[bytes]) -> None:
    reply = Reply(CHAT, streaming=True)
    reply.feed(Message(payload) for payload in payloads)
    reply.blocks()


def test_messages_that_repeat_the_reply_so_far_are_told_once() -> None:
    said = [
        {"output": {"choices": [{"message": {"content": text}}]}} for text in ("He", "Hello", "Hello", "Hello, you")
    ]
    match = find("POST", "dashscope.aliyuncs.com", "/api/v1/services/aigc/text-generation/generation")
    assert match is not None
    assert put_together(match.dialect, said) == [("text", "Hello, you")]
    deltas = [{"output": {"choices": [{"message": {"content": text}}]}} for text in ("He", "llo")]
    assert put_together(match.dialect, deltas) == [("text", "Hello")]
