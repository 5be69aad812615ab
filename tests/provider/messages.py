"""Anthropic's `/v1/messages` and `/v1/messages/count_tokens`."""

import json
from collections.abc import Iterator
from typing import Any

from provider.answer import Answer
from provider.reply import Reply, document, event, halves

ERROR_EVENT = event(
    {"type": "error", "error": {"type": "overloaded_error", "message": "Told to fail: 容量超過"}},
    "error",
)


def error(status: int, message: str) -> dict[str, Any]:
    """An error body."""
    known = {401: "authentication_error", 404: "not_found_error", 429: "rate_limit_error", 529: "overloaded_error"}
    kind = known.get(status, "invalid_request_error" if status < 500 else "api_error")
    return {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_standin"}


def _read(said: Answer) -> int:
    """Without `cache_control` nothing is cached here, unlike at OpenAI."""
    return said.prompt.cached if said.prompt.marked else 0


def _usage(said: Answer, output: int) -> dict[str, Any]:
    return {
        "input_tokens": said.prompt.total - _read(said) - said.prompt.written,
        "cache_creation_input_tokens": said.prompt.written,
        "cache_read_input_tokens": _read(said),
        "cache_creation": {"ephemeral_5m_input_tokens": said.prompt.written, "ephemeral_1h_input_tokens": 0},
        "output_tokens": output,
        "service_tier": "standard",
    }


def _final(said: Answer) -> dict[str, Any]:
    usage = _usage(said, said.output_tokens)
    if said.thinking:
        usage["output_tokens_details"] = {"thinking_tokens": said.reasoning_tokens}
    return usage


def _stop(said: Answer) -> str:
    if said.cut_short:
        return "max_tokens"
    return "tool_use" if said.call else "end_turn"


def _blocks(said: Answer) -> Iterator[tuple[dict[str, Any], list[dict[str, Any]]]]:
    """Each content block as it opens, with the deltas that fill it."""
    if said.thinking:
        deltas = [{"type": "thinking_delta", "thinking": word} for word in said.thinking]
        signed = {"type": "signature_delta", "signature": f"EqQB{said.ident}"}
        yield {"type": "thinking", "thinking": "", "signature": ""}, [*deltas, signed]
    yield {"type": "text", "text": ""}, [{"type": "text_delta", "text": word} for word in said.text]
    if said.call:
        opening = {"type": "tool_use", "id": f"toolu_{said.ident}", "name": said.call.name, "input": {}}
        yield opening, [{"type": "input_json_delta", "partial_json": text} for text in halves(said.call.arguments)]


def _stream(said: Answer, top: dict[str, Any]) -> Iterator[dict[str, Any]]:
    started = {**top, "content": [], "stop_reason": None, "stop_sequence": None, "usage": _usage(said, 1)}
    yield {"type": "message_start", "message": started}
    for index, (opening, deltas) in enumerate(_blocks(said)):
        yield {"type": "content_block_start", "index": index, "content_block": opening}
        if index == 0:
            yield {"type": "ping"}
        for delta in deltas:
            yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    ended = {"stop_reason": _stop(said), "stop_sequence": None}
    yield {"type": "message_delta", "delta": ended, "usage": _final(said)}
    yield {"type": "message_stop"}


def _content(said: Answer) -> list[dict[str, Any]]:
    content: list[dict[str, Any]] = []
    if said.thinking:
        content.append({"type": "thinking", "thinking": "".join(said.thinking), "signature": f"EqQB{said.ident}"})
    content.append({"type": "text", "text": "".join(said.text)})
    if said.call:
        given = json.loads(said.call.arguments)
        content.append({"type": "tool_use", "id": f"toolu_{said.ident}", "name": said.call.name, "input": given})
    return content


def messages(request: dict[str, Any], said: Answer) -> Reply:
    """`/v1/messages`."""
    top = {"id": f"msg_{said.ident}", "type": "message", "role": "assistant", "model": said.model}
    if request.get("stream"):
        return Reply([event(body, body["type"]) for body in _stream(said, top)])
    ended = {"stop_reason": _stop(said), "stop_sequence": None}
    return document({**top, "content": _content(said), **ended, "usage": _final(said)})


def count_tokens(_request: dict[str, Any], said: Answer) -> Reply:
    """`/v1/messages/count_tokens`."""
    return document({"input_tokens": said.prompt.total})
