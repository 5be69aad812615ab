"""The stand-in's Realtime API: a session on a WebSocket (RFC 6455), one response for each `response.create`.

The frames are wsproto's. Response number n has read 100 n tokens, 100 (n - 1) of them from the cache, and each word of
its reply is a token. `x-pace-…`, `x-fault: cut|reset|hang|status` and `x-shape: words=N` steer it as they do elsewhere.
"""

import asyncio
import base64
import hashlib
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

from wsproto.connection import Connection, ConnectionType
from wsproto.events import CloseConnection, Ping, TextMessage
from wsproto.extensions import Extension, PerMessageDeflate

from provider.steer import Steer

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
DEFLATE = "permessage-deflate"

type Event = dict[str, Any]


def accept_key(key: str) -> str:
    """The answer to a Sec-WebSocket-Key (RFC 6455, 4.2.2)."""
    return base64.b64encode(hashlib.sha1(key.encode() + GUID).digest()).decode()


def handshake(headers: dict[str, str]) -> tuple[bytes, list[Extension]]:
    """The head of the answer, and the extensions that it agrees to. `headers` are the request's, by lower-case name."""
    lines = ["HTTP/1.1 101 Switching Protocols", "upgrade: websocket", "connection: Upgrade"]
    lines.append(f"sec-websocket-accept: {accept_key(headers.get('sec-websocket-key', ''))}")
    if protocols := headers.get("sec-websocket-protocol"):
        lines.append(f"sec-websocket-protocol: {protocols.partition(',')[0].strip()}")
    extensions: list[Extension] = []
    if DEFLATE in (offer := headers.get("sec-websocket-extensions", "")):
        deflate = PerMessageDeflate()
        agreed = deflate.accept(offer)
        lines.append(
            f"sec-websocket-extensions: {DEFLATE}" + (f"; {agreed}" if isinstance(agreed, str) and agreed else "")
        )
        extensions.append(deflate)
    return "\r\n".join([*lines, "", ""]).encode(), extensions


def greeting(target: str) -> Event:
    """What a session begins with."""
    model = parse_qs(urlsplit(target).query).get("model", ["stand-in-realtime"])[0]
    return {"type": "session.created", "session": {"id": "sess_1", "object": "realtime.session", "model": model}}


def usage(number: int, words: int) -> Event:
    """What response `number` took."""
    read, cached = 100 * number, 100 * (number - 1)
    return {
        "total_tokens": read + words,
        "input_tokens": read,
        "output_tokens": words,
        "input_token_details": {"text_tokens": read, "audio_tokens": 0, "cached_tokens": cached},
        "output_token_details": {"text_tokens": words, "audio_tokens": 0},
    }


def response(number: int, words: int) -> Iterator[Event]:
    """The events of response `number`."""
    name = f"resp_{number}"
    place = {"response_id": name, "item_id": f"item_{number}", "output_index": 0}
    yield {"type": "response.created", "response": {"id": name, "status": "in_progress", "usage": None}}
    yield {"type": "response.output_item.added", **place, "item": {"id": f"item_{number}", "type": "message"}}
    for word in range(words):
        yield {"type": "response.output_text.delta", **place, "content_index": 0, "delta": f"word{word} "}
    done = {"id": name, "object": "realtime.response", "status": "completed", "usage": usage(number, words)}
    yield {"type": "response.done", "response": done}
    yield {"type": "rate_limits.updated", "rate_limits": [{"name": "requests", "remaining": 99}]}


class Session:
    """One connection after its handshake."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, wish: Steer, extensions: list[Extension]
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._wish = wish
        self._frames = Connection(ConnectionType.SERVER, extensions)
        self._responses = 0

    async def send(self, event: Event) -> None:
        """Writes one message."""
        self._writer.write(self._frames.send(TextMessage(json.dumps(event))))
        await self._writer.drain()

    async def run(self, target: str) -> bool:
        """Serves until the client leaves; True if the connection is to end as the fault says, without a close frame."""
        await self.send(greeting(target))
        text = ""
        while data := await self._reader.read(1 << 16):
            self._frames.receive_data(data)
            for event in self._frames.events():
                if isinstance(event, Ping | CloseConnection):
                    self._writer.write(self._frames.send(event.response()))
                if isinstance(event, CloseConnection):
                    return False
                if isinstance(event, TextMessage):
                    text += event.data
                    if event.message_finished:
                        message, text = json.loads(text), ""
                        if message["type"] == "response.create" and await self._respond():
                            return True
        return False

    async def _respond(self) -> bool:
        wish = self._wish
        self._responses += 1
        for index, event in enumerate(response(self._responses, wish.words)):
            if pause := wish.first if index == 0 else wish.gap:
                await asyncio.sleep(pause)
            if wish.fault and index == wish.at:
                return True
            await self.send(event)
        return False
