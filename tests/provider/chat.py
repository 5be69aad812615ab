"""OpenAI's `/v1/chat/completions`, `/v1/completions` and `/v1/embeddings`."""

from typing import Any

from provider.answer import Answer
from provider.reply import CREATED, Reply, document, dump, event, halves
from provider.tokens import count

ERROR = {
    "message": "Told to fail: 容量超過",
    "type": "server_error",
    "param": None,
    "code": "overloaded",
}
ERROR_EVENT = event({"error": ERROR})
DONE = b"data: [DONE]\n\n"


def error(status: int, message: str) -> dict[str, Any]:
    """An error body."""
    kind = {429: "rate_limit_exceeded", 401: "invalid_api_key"}.get(status, "stand_in")
    return {"error": {"message": message, "type": "requests", "param": None, "code": kind}}


def _usage(said: Answer) -> dict[str, Any]:
    return {
        "prompt_tokens": said.prompt.total,
        "completion_tokens": said.output_tokens,
        "total_tokens": said.prompt.total + said.output_tokens,
        "prompt_tokens_details": {"cached_tokens": said.prompt.cached, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": said.reasoning_tokens, "audio_tokens": 0},
    }


def _finish(said: Answer) -> str:
    if said.cut_short:
        return "length"
    return "tool_calls" if said.call else "stop"


def _message(said: Answer) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": "".join(said.text), "refusal": None}
    if said.thinking:
        message["reasoning_content"] = "".join(said.thinking)
    if said.call:
        function = {"name": said.call.name, "arguments": said.call.arguments}
        message["tool_calls"] = [{"id": f"call_{said.ident}", "type": "function", "function": function}]
    return message


def _deltas(said: Answer) -> list[dict[str, Any]]:
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": "", "refusal": None}]
    deltas += [{"reasoning_content": word} for word in said.thinking]
    deltas += [{"content": word} for word in said.text]
    if said.call:
        opening = {
            "id": f"call_{said.ident}",
            "type": "function",
            "function": {"name": said.call.name, "arguments": ""},
        }
        deltas.append({"tool_calls": [{"index": 0, **opening}]})
        for fragment in halves(said.call.arguments):
            deltas.append({"tool_calls": [{"index": 0, "function": {"arguments": fragment}}]})
    return deltas


def _reply(request: dict[str, Any], said: Answer, kind: str, choices: list[dict[str, Any]], whole: Any) -> Reply:
    top: dict[str, Any] = {
        "id": f"{kind}-{said.ident}",
        "created": CREATED,
        "model": said.model,
        "service_tier": "default",
    }
    name = "chat.completion" if kind == "chatcmpl" else "text_completion"
    if not request.get("stream"):
        return document({**top, "object": name, "choices": [whole], "usage": _usage(said)})
    top["object"] = f"{name}.chunk" if kind == "chatcmpl" else name
    counted = bool((request.get("stream_options") or {}).get("include_usage"))
    unknown: dict[str, Any] = {"usage": None} if counted else {}
    events = [event({**top, "choices": [choice], **unknown}) for choice in choices]
    if counted:
        events.append(event({**top, "choices": [], "usage": _usage(said)}))
    return Reply([*events, DONE])


def chat(request: dict[str, Any], said: Answer) -> Reply:
    """`/v1/chat/completions`."""
    choices: list[dict[str, Any]] = [
        {"index": 0, "delta": delta, "logprobs": None, "finish_reason": None} for delta in _deltas(said)
    ]
    choices.append({"index": 0, "delta": {}, "logprobs": None, "finish_reason": _finish(said)})
    whole: dict[str, Any] = {"index": 0, "message": _message(said), "logprobs": None, "finish_reason": _finish(said)}
    return _reply(request, said, "chatcmpl", choices, whole)


def completions(request: dict[str, Any], said: Answer) -> Reply:
    """`/v1/completions`."""
    texts = [*said.text, ""]
    ends = [None] * len(said.text) + [_finish(said)]
    choices = [
        {"index": 0, "text": text, "logprobs": None, "finish_reason": end}
        for text, end in zip(texts, ends, strict=True)
    ]
    whole = {"index": 0, "text": "".join(said.text), "logprobs": None, "finish_reason": _finish(said)}
    return _reply(request, said, "cmpl", choices, whole)


def embeddings(request: dict[str, Any], said: Answer) -> Reply:
    """`/v1/embeddings`: vectors of four numbers."""
    given = request.get("input") or ""
    texts = given if isinstance(given, list) else [given]
    data = [
        {"object": "embedding", "index": index, "embedding": [round(len(dump(text)) / 1000, 3), 0.5, -0.25, 0.125]}
        for index, text in enumerate(texts)
    ]
    tokens = count(given)
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return document({"object": "list", "data": data, "model": said.model, "usage": usage})
