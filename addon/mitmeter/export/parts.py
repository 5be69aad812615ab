"""The parts of a message as the chat format writes them. Pure."""

import json
from typing import Any

from mitmeter.usage.turns import Piece


def text_of(content: Any) -> str:
    """Return a content as text: its texts, and what is none as JSON."""
    if content is None or isinstance(content, str):
        return content or ""
    texts = []
    for part in content if isinstance(content, list) else (content,):
        text = part.get("text") if isinstance(part, dict) else part
        texts.append(text if isinstance(text, str) else json.dumps(part, ensure_ascii=False))
    return "\n".join(texts)


def call(one: Piece) -> dict[str, Any]:
    """Return the call of a tool; its arguments are JSON as text, as they are in the chat format."""
    given = one.content
    arguments = given if isinstance(given, str) else json.dumps({} if given is None else given, ensure_ascii=False)
    return {"id": one.call, "type": "function", "function": {"name": one.name, "arguments": arguments}}


def message(role: str, pieces: list[Piece]) -> dict[str, Any]:
    """Return a message; its content is text, None where it has none, or parts where some are not text."""
    texts = [text_of(one.content) for one in pieces if one.kind == "text"]
    thoughts = [text for one in pieces if one.kind == "thinking" and (text := text_of(one.content))]
    calls = [call(one) for one in pieces if one.kind == "tool"]
    others = [one.sent for one in pieces if one.kind not in ("text", "thinking", "tool")]
    content: Any = "\n".join(texts) if texts else None
    if others:
        content = [*({"type": "text", "text": text} for text in texts), *others]
    told: dict[str, Any] = {"role": role, "content": "" if content is None and not calls else content}
    if thoughts:
        told["reasoning_content"] = "\n".join(thoughts)
    if calls:
        told["tool_calls"] = calls
    return told
