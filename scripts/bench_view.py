"""What it costs to look: the content view of long requests and streams, as ratios to plain JSON in the same run."""

import json
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from mitmproxy import http
from mitmproxy.contentviews import Metadata
from mitmproxy.test import tflow

from mitmeter import flows
from mitmeter.view import NOTES, ExchangeView, row_of

VIEW = ExchangeView()
CHAT = "https://api.openai.com/v1/chat/completions"
MESSAGES = "https://api.anthropic.com/v1/messages"
MEGABYTE = 1_000_000


def turns(size: int) -> dict[str, Any]:
    """An agent's request: text, thinking, a call and its result, over and over."""
    said: list[dict[str, Any]] = []
    while len(said) * 700 < size:
        call = {"type": "tool_use", "id": "c", "name": "read", "input": {"path": "a" * 300}}
        said += [
            {"role": "user", "content": [{"type": "text", "text": "word " * 140}]},
            {"role": "assistant", "content": [{"type": "thinking", "thinking": "hm " * 80}, call]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c", "content": "a line\n" * 130}]},
        ]
    return {"system": "S" * 1000, "messages": [*said, {"role": "user", "content": "and now?"}]}


def stream(size: int, event: Callable[[int], dict[str, Any]]) -> bytes:
    """Events of a reply."""
    made: list[bytes] = []
    total = 0
    while total < size:
        made.append(b"data: " + json.dumps(event(len(made))).encode() + b"\n\n")
        total += len(made[-1])
    return b"".join(made)


def chat_event(number: int) -> dict[str, Any]:
    choice = {"index": 0, "delta": {"content": f" token{number}"}, "finish_reason": None}
    return {
        "id": "chatcmpl-0123456789",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "m",
        "choices": [choice],
    }


def messages_event(number: int) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": f" token{number}"}}


def cases() -> Iterator[tuple[str, str, str, bytes]]:
    """Yield name, side, URL and body."""
    one = {"messages": [{"role": "user", "content": "A word, w\u00f6rd. " * (2 * MEGABYTE // 14)}]}
    yield "2 MB request, 2,900 turns", "request", MESSAGES, json.dumps(turns(2 * MEGABYTE)).encode()
    yield "2 MB request, one text", "request", CHAT, json.dumps(one).encode()
    yield "1 MB stream, chat", "response", CHAT, stream(MEGABYTE, chat_event)
    yield "1 MB stream, messages", "response", MESSAGES, stream(MEGABYTE, messages_event)


def flow(side: str, url: str, body: bytes) -> tuple[bytes, Metadata]:
    made = tflow.tflow()
    asked, answered = (body, b"") if side == "request" else (b"{}", body)
    made.request = http.Request.make("POST", url, asked, http.Headers(content_type="application/json"))
    made.response = http.Response.make(200, answered, http.Headers(content_type="text/event-stream"))
    match = flows.match(made)
    assert match is not None
    made.metadata[NOTES] = row_of(made, match, answered)
    return body, Metadata(flow=made, http_message=made.request if side == "request" else made.response)


def plain(body: bytes) -> None:
    """What a view of JSON does: read it, and write it with line ends."""
    for line in body.split(b"\n\n"):
        text = line.removeprefix(b"data: ")
        if text:
            json.dumps(json.loads(text), indent=4, ensure_ascii=False)


def milliseconds(work: Callable[[], object], times: int = 7) -> float:
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        taken.append(time.perf_counter() - began)
    return min(taken) * 1000


def main() -> None:
    sys.stdout.write(f"{'view of':<28}{'bytes':>10}{'view ms':>10}{'json ms':>10}{'ratio':>8}\n")
    for name, side, url, body in cases():
        data, metadata = flow(side, url, body)
        seen, told = milliseconds(partial(VIEW.prettify, data, metadata)), milliseconds(partial(plain, body))
        sys.stdout.write(f"{name:<28}{len(body):>10,}{seen:>10.1f}{told:>10.1f}{seen / told:>8.2f}\n")


if __name__ == "__main__":
    main()
