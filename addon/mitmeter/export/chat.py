"""An exchange as a conversation for fine-tuning: system, user, assistant and tool messages, in the chat format.

What is neither text nor a tool's is kept as it was sent, as a part. Pure.
"""

import json
from collections.abc import Iterable
from typing import Any

from mitmeter.archive.record import Record
from mitmeter.conversation import WHOLE, read_turns, reader, reply_of
from mitmeter.export.parts import message, text_of
from mitmeter.store.rows import Row
from mitmeter.usage.block import Block
from mitmeter.usage.turns import Piece, Said

type Message = dict[str, Any]

TOOLS = ("tools", "toolConfig", "functions")
CONTINUES = "previous_response_id"


def conversation(row: Row, record: Record) -> dict[str, Any] | None:
    """Return the messages as the model saw them and its reply; None where either is missing."""
    capture = record.capture
    dialect = reader(row.exchange, capture)
    if dialect is None:
        return None
    seen = [one for said in read_turns(dialect, capture.request_body or b"")[0] for one in _messages(said)]
    answered = _reply(reply_of(row.exchange, capture, WHOLE)[0])
    if not seen or answered is None:
        return None
    asked = _document(capture.request_body)
    asked = asked["request"] if isinstance(asked.get("request"), dict) else asked
    told: dict[str, Any] = {"messages": [*seen, answered]}
    if tools := next((asked[name] for name in TOOLS if asked.get(name)), None):
        told["tools"] = tools
    if asked.get(CONTINUES):
        told[CONTINUES] = asked[CONTINUES]
    return {**told, "model": row.exchange.model, "finish": row.exchange.finish, "id": row.id}


def _document(body: bytes | None) -> dict[str, Any]:
    try:
        found = json.loads(body or b"")
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _messages(said: Said) -> Iterable[Message]:
    """Yield the messages that one turn comes to: a user's may hold results of several tools."""
    results = [one for one in said.pieces if one.kind == "tool_result"]
    for one in results:
        result = {"role": "tool", "content": text_of(one.content)}
        yield result if one.call is None else {**result, "tool_call_id": one.call}
    if said.pieces != results:
        yield message(said.role, [one for one in said.pieces if one.kind != "tool_result"])


def _reply(blocks: Iterable[Block]) -> Message | None:
    pieces = [
        Piece(block.kind, block.text, None, name=block.name, call=f"call_{number}" if block.kind == "tool" else None)
        for number, block in enumerate(blocks)
        if block.kind in ("text", "thinking", "tool")
    ]
    return message("assistant", pieces) if pieces else None
