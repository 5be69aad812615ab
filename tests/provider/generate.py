"""Gemini's `/v1beta/models/MODEL:generateContent` and `:streamGenerateContent`.

https://ai.google.dev/api/generate-content
"""

import json
import re
from typing import Any

from provider.answer import Answer
from provider.reply import Reply, document, event

PATH = re.compile(r"/v1(?:beta)?/models/(?P<model>[^/:]+):(?P<verb>streamGenerateContent|generateContent)")
ERROR = {"code": 503, "message": "Told to fail: 容量超過", "status": "UNAVAILABLE"}
ERROR_EVENT = event({"error": ERROR})
ROLES = {"model": "assistant", "function": "tool"}


def asked(path: str, request: dict[str, Any]) -> dict[str, Any]:
    """The request as the other APIs would write it, for `answer`."""
    found = PATH.fullmatch(path)
    if found is None:
        return request
    turns = [
        {"role": ROLES.get(turn.get("role"), "user"), "content": turn.get("parts", [])}
        for turn in request.get("contents", [])
    ]
    config = request.get("generationConfig") or {}
    return {
        "model": found["model"],
        "messages": turns,
        "system": request.get("systemInstruction"),
        "tools": [one for tool in request.get("tools", []) for one in tool.get("functionDeclarations", [])],
        "reasoning": config.get("thinkingConfig"),
        "max_tokens": config.get("maxOutputTokens"),
        "stream": found["verb"] == "streamGenerateContent",
    }


def _usage(said: Answer) -> dict[str, Any]:
    return {
        "promptTokenCount": said.prompt.total,
        "cachedContentTokenCount": said.prompt.cached,
        "candidatesTokenCount": said.output_tokens - said.reasoning_tokens,
        "thoughtsTokenCount": said.reasoning_tokens,
        "totalTokenCount": said.prompt.total + said.output_tokens,
    }


def _parts(said: Answer) -> list[dict[str, Any]]:
    parts: list[dict[str, Any]] = [{"text": word, "thought": True} for word in said.thinking]
    parts += [{"text": word} for word in said.text]
    if said.call:
        parts.append({"functionCall": {"name": said.call.name, "args": json.loads(said.call.arguments)}})
    return parts


def _response(said: Answer, parts: list[dict[str, Any]], *, final: bool) -> dict[str, Any]:
    candidate: dict[str, Any] = {"content": {"role": "model", "parts": parts}, "index": 0}
    if final:
        candidate["finishReason"] = "MAX_TOKENS" if said.cut_short else "STOP"
    usage = _usage(said) if final else {"promptTokenCount": said.prompt.total, "totalTokenCount": said.prompt.total}
    return {"candidates": [candidate], "usageMetadata": usage, "modelVersion": said.model, "responseId": said.ident}


def generate(request: dict[str, Any], said: Answer) -> Reply:
    """Either verb; a stream is SSE, as with `alt=sse`."""
    parts = _parts(said)
    if not request.get("stream"):
        return document(_response(said, parts, final=True))
    events = [event(_response(said, [part], final=False)) for part in parts[:-1]]
    return Reply([*events, event(_response(said, parts[-1:], final=True))])
