"""A reply on its way to the wire, and the pieces that every API's module uses to build one."""

import json
from dataclasses import dataclass, field
from typing import Any

SSE = "text/event-stream; charset=utf-8"
JSON = "application/json"
CREATED = 1_767_225_600  # a fixed clock, so that the same request gets the same bytes


@dataclass(frozen=True)
class Reply:
    """Status, type and body; each of `events` is written, and flushed, by itself."""

    events: list[bytes]
    content_type: str = SSE
    status: int = 200
    headers: list[tuple[str, str]] = field(default_factory=list)


def dump(value: Any) -> bytes:
    """JSON as providers write it: compact, characters as they are."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def event(value: Any, name: str = "") -> bytes:
    """One SSE event."""
    head = f"event: {name}\n".encode() if name else b""
    return head + b"data: " + dump(value) + b"\n\n"


def document(value: Any, status: int = 200, headers: list[tuple[str, str]] | None = None) -> Reply:
    """A JSON document in four pieces, so that a cut or a pause falls inside it."""
    body = dump(value)
    step = len(body) // 4 + 1
    pieces = [body[start : start + step] for start in range(0, len(body), step)]
    return Reply(pieces, JSON, status, headers or [])


def halves(text: str) -> list[str]:
    """A text in two pieces: tool arguments come in fragments that are no JSON by themselves."""
    return [text[: len(text) // 2], text[len(text) // 2 :]]
