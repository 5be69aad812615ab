"""Bodies to damage: for each dialect messages in which something stands at every place that it looks at, framed."""

import base64
import json
import struct
from binascii import crc32
from collections.abc import Callable
from functools import cache
from typing import Any

from mitmeter.usage.dialect import Dialect
from mitmeter.usage.paths import EACH, path
from mitmeter.usage.registry import Match, discover

TEXTS = ("x", "completed", 'Hello \\ "wörld"', "[DONE]", "")
NUMBERS = (0, 1, 12, 2**53, 2**70, -1, 1.5, 1e300, "17", True, None)


@cache
def matches() -> tuple[Match, ...]:
    """Every dialect of every provider."""
    return tuple(Match(provider.name, dialect) for provider in discover() for dialect in provider.dialects)


def put(document: dict[str, Any], at: str, value: Any) -> None:
    """Put a value at a path, where nothing else is in its way."""
    around: Any = document
    steps = path(at)
    for step, following in zip(steps, (*steps[1:], None), strict=True):
        fresh: Any = value if following is None else [] if following == EACH else {}
        if step == EACH and isinstance(around, list):
            if not around or following is None:
                around.append(fresh)
            around = around[0]
        elif isinstance(around, dict):
            around = around.setdefault(step, fresh)
        else:
            return


def message(dialect: Dialect, chance: Callable[[Any], Any]) -> dict[str, Any]:
    """Return one message; `chance` picks one of several values."""
    document: dict[str, Any] = {}
    kinds = [kind for part in dialect.parts for kind in part.types]
    if kinds or dialect.ends:
        put(document, dialect.type_at, chance([*kinds, *dialect.ends]))
    for part in chance([dialect.parts, dialect.reply, ()]):
        put(document, part.at, chance(TEXTS) if part.kind != "arguments" else chance([*TEXTS, {"a": 1}]))
    for at in (*dialect.model, *dialect.finish, *dialect.service_tier, *dialect.response_id):
        put(document, at, chance([*TEXTS, None]))
    for at in chance([dialect.usage, (), dialect.usage[:1]]):
        for place in dialect.counts.places():
            put(document, f"{at}.{place}" if at else place, chance(NUMBERS))
    for clock in dialect.clocks:
        for place in clock.places():
            put(document, f"{clock.at}.{place}" if clock.at else place, chance(NUMBERS))
    for at in chance([(), (), dialect.errors]):
        put(document, at, chance([{"type": "t", "message": "m"}, "e", None, []]))
    return document


def frame(payload: bytes, name: bytes = b"event") -> bytes:
    """An AWS event-stream frame."""
    headers = b"\x0b:event-type\x07" + struct.pack(">H", len(name)) + name
    prelude = struct.pack(">II", 16 + len(headers) + len(payload), len(headers))
    body = prelude + struct.pack(">I", crc32(prelude)) + headers + payload
    return body + struct.pack(">I", crc32(body))


def part(piece: bytes) -> bytes:
    """A frame whose payload is a piece of another body."""
    return frame(piece, b"PayloadPart")


def sliced(text: bytes, size: int) -> list[bytes]:
    """A text in pieces."""
    return [text[at : at + size] for at in range(0, len(text), size)]


FRAMINGS: dict[str, Callable[[list[bytes]], bytes]] = {
    "text/event-stream": lambda texts: b"".join(b"data: %s\n\n" % text for text in texts) + b"data: [DONE]\n\n",
    "text/event-stream; charset=utf-8": lambda texts: b"".join(b"event: e\r\ndata:%s\r\n\r\n" % text for text in texts),
    "application/x-ndjson": lambda texts: b"".join(b"%s\n" % text for text in texts),
    "application/json": lambda texts: texts[0] if texts else b"",
    "application/json; array": lambda texts: b"[" + b"\n,\r\n".join(texts) + b"]",
    "application/vnd.amazon.eventstream": lambda texts: b"".join(map(frame, texts)),
    "application/vnd.amazon.eventstream; parts": lambda texts: b"".join(map(part, sliced(b"\n".join(texts), 50))),
}


def body(dialect: Dialect, content_type: str, chance: Callable[[Any], Any], number: int) -> bytes:
    """A body of so many messages."""
    texts = [json.dumps(message(dialect, chance)).encode() for _ in range(number)]
    if dialect.envelope is not None:
        texts = [json.dumps({dialect.envelope: base64.b64encode(text).decode()}).encode() for text in texts]
    return FRAMINGS[content_type](texts)


def said(dialect: Dialect, chance: Callable[[Any], Any]) -> tuple[bool, bytes]:
    """A message on a WebSocket, and whether the client sent it."""
    socket = dialect.socket
    assert socket is not None
    document = message(dialect, chance)
    kinds = [*socket.asks, *socket.begins, *dialect.ends, "error", *(socket.aside.ends if socket.aside else ())]
    if socket.by_member:
        document[chance(kinds)] = chance([{}, {"turnComplete": True}, None])
    else:
        document["type"] = chance(kinds)
    for at in (*socket.model, *socket.ends):
        put(document, at, chance([*TEXTS, True]))
    for at in socket.thread:
        put(document, at, chance(["a", "b", "c"]))
    return chance([True, False, False]), json.dumps(document).encode()
