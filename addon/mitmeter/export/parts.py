"""The parts of a message, in each way that APIs write them, as the chat format does. Pure."""

import json
from typing import Any

from msgspec import Struct


class Said(Struct):
    """What the parts of one message come to."""

    texts: list[str] = []
    thoughts: list[str] = []
    calls: list[dict[str, Any]] = []
    results: list[dict[str, Any]] = []
    others: list[dict[str, Any]] = []

    @property
    def spoke(self) -> bool:
        """Whether there is more than results of tools."""
        return bool(self.texts or self.thoughts or self.calls or self.others)

    def take(self, part: Any) -> None:
        """Take the next part."""
        if isinstance(part, str):
            self.texts.append(part)
        elif isinstance(part, dict) and not self._tool(part):
            self._say(part)

    def _tool(self, part: dict[str, Any]) -> bool:
        used = part.get("toolUse") or part.get("functionCall") or (part if part.get("type") == "tool_use" else None)
        if isinstance(used, dict):
            given = used.get("input", used.get("args"))
            self.calls.append(call(used.get("toolUseId", used.get("id")), used.get("name"), given))
            return True
        result = part.get("toolResult") or part.get("functionResponse")
        result = result or (part if part.get("type") == "tool_result" else None)
        if not isinstance(result, dict):
            return False
        ident = result.get("tool_use_id") or result.get("toolUseId") or result.get("id") or result.get("name")
        content = text_of(result.get("content", result.get("response")))
        self.results.append({"role": "tool", "tool_call_id": ident, "content": content})
        return True

    def _say(self, part: dict[str, Any]) -> None:
        text, kind = part.get("text"), part.get("type")
        thought = part.get("thinking") if kind == "thinking" else _reasoning(part)
        if isinstance(thought, str):
            self.thoughts.append(thought)
        elif isinstance(text, str) and part.get("thought") is True:
            self.thoughts.append(text)
        elif isinstance(text, str) and kind in (None, "text", "input_text", "output_text"):
            self.texts.append(text)
        else:
            self.others.append(part)


def _reasoning(part: dict[str, Any]) -> Any:
    held = part.get("reasoningContent")
    inner = held.get("reasoningText") if isinstance(held, dict) else None
    return inner.get("text") if isinstance(inner, dict) else None


def parts(content: Any) -> list[Any]:
    """Return the parts of a message's content, which may be text alone."""
    if isinstance(content, str):
        return [content]
    if isinstance(content, dict):
        return parts(content["parts"]) if "parts" in content else [content]
    return content if isinstance(content, list) else []


def text_of(content: Any) -> str:
    """Return a content as text: its texts, and what is none as JSON."""
    texts = []
    for part in parts(content):
        text = part.get("text") if isinstance(part, dict) else part
        texts.append(text if isinstance(text, str) else json.dumps(part, ensure_ascii=False))
    return "\n".join(texts)


def call(ident: Any, name: Any, given: Any) -> dict[str, Any]:
    """Return the call of a tool; its arguments are JSON as text, as they are in the chat format."""
    arguments = given if isinstance(given, str) else json.dumps({} if given is None else given, ensure_ascii=False)
    return {"id": ident, "type": "function", "function": {"name": name, "arguments": arguments}}


def message(role: str, said: Said) -> dict[str, Any]:
    """Return a message; its content is text, None where it has none, or parts where some are not text."""
    content: Any = "\n".join(said.texts) if said.texts else None
    if said.others:
        content = [*({"type": "text", "text": text} for text in said.texts), *said.others]
    told: dict[str, Any] = {"role": role, "content": "" if content is None and not said.calls else content}
    if said.thoughts:
        told["reasoning_content"] = "\n".join(said.thoughts)
    if said.calls:
        told["tool_calls"] = said.calls
    return told
