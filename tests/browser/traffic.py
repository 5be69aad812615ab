"""What a client sends through the proxy so that the page has something to show."""

import threading
from typing import Any
from urllib.parse import quote

from harness import Reply, fetch

KEY = "sk-ant-planted-0123456789abcdefghijklmnop"
PACED = {"x-pace-first": "1500", "x-pace-gap": "60", "x-shape": "words=40"}
TOOL = {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]}
REPLY = "The file has one function."


def chat(model: str = "gpt-5-mini", text: str = "Run the tests", **more: Any) -> dict[str, Any]:
    """A streamed request to chat completions."""
    asked = {"model": model, "stream": True, "stream_options": {"include_usage": True}}
    return {**asked, "messages": [{"role": "user", "content": text}], **more}


CHAT = chat(
    reasoning_effort="low",
    tools=[{"type": "function", "function": {"name": "run_tests", "parameters": TOOL}}],
    messages=[
        {"role": "system", "content": "You are careful."},
        {"role": "user", "content": "Read geometry.py"},
        {"role": "assistant", "content": "It has one function."},
        {"role": "user", "content": "Run the tests"},
    ],
)
MESSAGES: dict[str, Any] = {
    "model": "claude-sonnet-4-5",
    "max_tokens": 200,
    "stream": True,
    "thinking": {"type": "enabled", "budget_tokens": 1024},
    "system": "You are careful.",
    "tools": [{"name": "read_file", "input_schema": TOOL}],
    "messages": [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "Please read geometry.py"},
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}},
            ],
        }
    ],
}
RESPONSES: dict[str, Any] = {
    "model": "gpt-5",
    "stream": True,
    "reasoning": {"effort": "low"},
    "instructions": "You are careful.",
    "input": "Please name geometry.py",
    "tools": [{"type": "function", "name": "rename_file", "parameters": TOOL}],
}
GEMINI: dict[str, Any] = {
    "systemInstruction": {"parts": [{"text": "You are careful."}]},
    "contents": [{"role": "user", "parts": [{"text": "Please draw geometry.py"}]}],
    "generationConfig": {"thinkingConfig": {"includeThoughts": True}},
    "tools": [{"functionDeclarations": [{"name": "draw_file", "parameters": TOOL}]}],
}
STREAMS: dict[str, tuple[str, dict[str, Any]]] = {
    "chat": ("/v1/chat/completions", CHAT),
    "messages": ("/v1/messages", MESSAGES),
    "responses": ("/v1/responses", RESPONSES),
    "gemini": ("/v1beta/models/gemini-2.5-pro:streamGenerateContent?alt=sse", GEMINI),
}


def ask(port: int, name: str, headers: dict[str, str] | None = None, say: str = REPLY) -> Reply:
    """One of the streams; what it says, and the key that it is asked with, are ours."""
    path, body = STREAMS[name]
    # What comes in the same millisecond makes no timeline.
    steering = {"x-say": quote(say), "x-pace-gap": "3", "connection": "close"}
    return fetch(port, path, body, {"x-api-key": KEY, **steering, **(headers or {})})


def begin(port: int, path: str, body: dict[str, Any], headers: dict[str, str]) -> threading.Thread:
    """A request whose answer takes its time, on a thread of its own."""
    thread = threading.Thread(target=fetch, args=(port, path, body, headers))
    thread.start()
    return thread
