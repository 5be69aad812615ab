"""OpenAI's `/v1/responses`."""

import itertools
from collections.abc import Iterator
from typing import Any

from provider.answer import Answer
from provider.reply import CREATED, Reply, document, event, halves

ERROR_EVENT = event(
    {"type": "error", "code": "server_error", "message": "Told to fail: 容量超過", "param": None},
    "error",
)


def _usage(said: Answer) -> dict[str, Any]:
    return {
        "input_tokens": said.prompt.total,
        "input_tokens_details": {"cached_tokens": said.prompt.cached},
        "output_tokens": said.output_tokens,
        "output_tokens_details": {"reasoning_tokens": said.reasoning_tokens},
        "total_tokens": said.prompt.total + said.output_tokens,
    }


def _reasoning(said: Answer) -> dict[str, Any]:
    summary = [{"type": "summary_text", "text": "".join(said.thinking)}]
    return {"id": f"rs_{said.ident}", "type": "reasoning", "summary": summary}


def _message(said: Answer) -> dict[str, Any]:
    content = [{"type": "output_text", "annotations": [], "text": "".join(said.text)}]
    return {
        "id": f"msg_{said.ident}",
        "type": "message",
        "status": "completed",
        "role": "assistant",
        "content": content,
    }


def _call(said: Answer) -> dict[str, Any]:
    assert said.call
    named = {"call_id": f"call_{said.ident}", "name": said.call.name, "arguments": said.call.arguments}
    return {"id": f"fc_{said.ident}", "type": "function_call", "status": "completed", **named}


def _items(said: Answer) -> list[dict[str, Any]]:
    items = [_reasoning(said)] if said.thinking else []
    items.append(_message(said))
    return [*items, _call(said)] if said.call else items


def _response(said: Answer, status: str, *, final: bool) -> dict[str, Any]:
    return {
        "id": f"resp_{said.ident}",
        "object": "response",
        "created_at": CREATED,
        "status": status,
        "error": None,
        "incomplete_details": {"reason": "max_output_tokens"} if status == "incomplete" else None,
        "model": said.model,
        "output": _items(said) if final else [],
        "service_tier": "default" if final else "auto",
        "usage": _usage(said) if final else None,
    }


def _parts(said: Answer, index: int, item: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The events inside one output item."""
    at = {"item_id": item["id"], "output_index": index}
    match item["type"]:
        case "reasoning":
            for word in said.thinking:
                yield {"type": "response.reasoning_summary_text.delta", **at, "summary_index": 0, "delta": word}
            whole = item["summary"][0]["text"]
            yield {"type": "response.reasoning_summary_text.done", **at, "summary_index": 0, "text": whole}
        case "message":
            empty = {"type": "output_text", "annotations": [], "text": ""}
            yield {"type": "response.content_part.added", **at, "content_index": 0, "part": empty}
            for word in said.text:
                yield {"type": "response.output_text.delta", **at, "content_index": 0, "delta": word}
            whole = item["content"][0]
            yield {"type": "response.output_text.done", **at, "content_index": 0, "text": whole["text"]}
            yield {"type": "response.content_part.done", **at, "content_index": 0, "part": whole}
        case "function_call":
            for fragment in halves(item["arguments"]):
                yield {"type": "response.function_call_arguments.delta", **at, "delta": fragment}
            yield {"type": "response.function_call_arguments.done", **at, "arguments": item["arguments"]}


def _stream(said: Answer, status: str) -> Iterator[dict[str, Any]]:
    for name in ("created", "in_progress"):
        yield {"type": f"response.{name}", "response": _response(said, "in_progress", final=False)}
    for index, item in enumerate(_items(said)):
        opened = {key: value for key, value in item.items() if key not in {"summary", "content", "arguments", "status"}}
        yield {"type": "response.output_item.added", "output_index": index, "item": opened}
        yield from _parts(said, index, item)
        yield {"type": "response.output_item.done", "output_index": index, "item": item}
    yield {"type": f"response.{status}", "response": _response(said, status, final=True)}


def responses(request: dict[str, Any], said: Answer) -> Reply:
    """`/v1/responses`."""
    status = "incomplete" if said.cut_short else "completed"
    if not request.get("stream"):
        return document(_response(said, status, final=True))
    numbered = zip(_stream(said, status), itertools.count(), strict=False)
    return Reply([event({**body, "sequence_number": number}, body["type"]) for body, number in numbered])
