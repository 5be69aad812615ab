"""An exchange as a conversation for fine-tuning: system, user, assistant and tool messages, in the chat format.

The request tells by its shape how it writes messages: `messages` (chat completions, messages, converse, native
chats), `input` (responses) or `contents` (generateContent). What is neither text nor a tool's is kept
as it was sent, as a part. Pure.
"""

import json
from collections.abc import Iterator
from typing import Any

from mitmeter.archive.record import Record
from mitmeter.export.parts import Said, call, message, parts, text_of
from mitmeter.export.reply import blocks
from mitmeter.store.rows import Row

type Message = dict[str, Any]


def conversation(row: Row, record: Record) -> dict[str, Any] | None:
    """Return the messages as the model saw them and its reply; None where either is missing."""
    asked = _document(record.capture.request_body)
    asked = asked["request"] if isinstance(asked.get("request"), dict) else asked
    seen = list(_asked(asked))
    answered = _reply(row, record)
    if not seen or answered is None:
        return None
    told: dict[str, Any] = {"messages": [*seen, answered]}
    for name, keys in (("tools", ("tools", "toolConfig", "functions")), ("previous_response_id",) * 2):
        for key in (keys,) if isinstance(keys, str) else keys:
            if asked.get(key):
                told[name] = asked[key]
                break
    return {**told, "model": row.exchange.model, "finish": row.exchange.finish, "id": row.id}


def _document(body: bytes | None) -> dict[str, Any]:
    try:
        found = json.loads(body or b"")
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _asked(asked: dict[str, Any]) -> Iterator[Message]:
    for key in ("system", "instructions", "systemInstruction", "system_instruction"):
        text = text_of(asked.get(key))
        if text:
            yield {"role": "system", "content": text}
    for key in ("messages", "input", "contents"):
        listed = asked.get(key)
        if isinstance(listed, str):
            listed = [{"role": "user", "content": listed}]
        for item in listed if isinstance(listed, list) else ():
            if isinstance(item, dict):
                yield from _item(item)


def _item(item: dict[str, Any]) -> Iterator[Message]:
    """Yield the messages that one of the request comes to: a user's turn may hold results of several tools."""
    kind = item.get("type")
    if kind in ("function_call", "custom_tool_call"):
        given = call(item.get("call_id"), item.get("name"), item.get("arguments", item.get("input")))
        yield {"role": "assistant", "content": None, "tool_calls": [given]}
    elif kind in ("function_call_output", "custom_tool_call_output"):
        yield {"role": "tool", "tool_call_id": item.get("call_id"), "content": text_of(item.get("output"))}
    elif kind == "reasoning":
        text = text_of(item.get("summary")) or text_of(item.get("content"))
        if text:
            yield {"role": "assistant", "content": None, "reasoning_content": text}
    elif item.get("role") == "tool":
        result = {"role": "tool", "content": text_of(item.get("content"))}
        named = item.get("tool_call_id") or item.get("tool_name") or item.get("name")
        yield result if named is None else {**result, "tool_call_id": named}
    else:
        yield from _turn(item)


def _turn(item: dict[str, Any]) -> Iterator[Message]:
    role = {"model": "assistant", "developer": "system", "function": "tool"}.get(str(item.get("role")))
    said = Said()
    for part in parts(item.get("content", item.get("parts"))):
        said.take(part)
    for given in item.get("tool_calls") or ():
        function = given.get("function") if isinstance(given, dict) else None
        if isinstance(function, dict):
            said.calls.append(call(given.get("id"), function.get("name"), function.get("arguments")))
    for key in ("reasoning_content", "reasoning", "thinking"):
        if isinstance(item.get(key), str):
            said.thoughts.append(item[key])
            break
    yield from said.results
    if said.spoke or not said.results:
        yield message(role or str(item.get("role") or "user"), said)


def _reply(row: Row, record: Record) -> Message | None:
    said = Said()
    for number, block in enumerate(blocks(row.exchange, record.capture)):
        if block.kind == "tool":
            name, _, rest = block.text.partition("(")
            said.calls.append(call(f"call_{number}", name, rest.removesuffix(")")))
        elif block.kind == "thinking":
            said.thoughts.append(block.text)
        elif block.kind == "text":
            said.texts.append(block.text)
    return message("assistant", said) if said.spoke else None
