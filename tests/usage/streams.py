"""Messages of streams, as the APIs write them, and the dialects that read them on an unclaimed host."""

import json
from collections.abc import Iterable
from typing import Any

from mitmeter.exchange import Message
from mitmeter.usage.dialect import Dialect
from mitmeter.usage.reading import Reading
from mitmeter.usage.registry import find


def dialect(path: str, host: str = "host.invalid") -> Dialect:
    match = find("POST", host, path)
    assert match is not None
    return match.dialect


CHAT = dialect("/v1/chat/completions")
TEXT = dialect("/v1/completions")
MESSAGES = dialect("/v1/messages")
RESPONSES = dialect("/v1/responses")
ENGINE = dialect("/completion")

ROLE = '{"choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}],"usage":null}'
START = (
    '{"type":"message_start","message":{"id":"m","model":"c","content":[],"stop_reason":null,'
    '"usage":{"input_tokens":9,"output_tokens":1}}}'
)


def delta(**members: Any) -> str:
    return json.dumps({"choices": [{"index": 0, "delta": members, "finish_reason": None}]})


def block(kind: str, **members: Any) -> str:
    return json.dumps({"type": "content_block_delta", "index": 0, "delta": {"type": kind, **members}})


def event(kind: str, **members: Any) -> str:
    return json.dumps({"type": kind, **members})


def messages(payloads: Iterable[str]) -> list[Message]:
    """Messages that end at 1, 2, 3 …"""
    return [Message(payload.encode(), b"", at) for at, payload in enumerate(payloads, 1)]


def read(reader: Dialect, payloads: Iterable[str]) -> Reading:
    reading = Reading(reader, streaming=True)
    reading.feed(messages(payloads))
    reading.close()
    return reading
