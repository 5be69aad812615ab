"""The sockets: reads a request, picks a reply, writes it at the pace and with the faults that were asked for."""

import asyncio
import json
import socket
import struct
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Self

from provider import chat, generate, messages, responses, websocket
from provider.answer import Answer, answer
from provider.reply import Reply, document
from provider.shape import encoded, split
from provider.steer import Steer, steer

type Api = Callable[[dict[str, Any], Answer], Reply]

APIS: dict[str, tuple[Api, bytes]] = {
    "/v1/chat/completions": (chat.chat, chat.ERROR_EVENT),
    "/v1/completions": (chat.completions, chat.ERROR_EVENT),
    "/v1/embeddings": (chat.embeddings, chat.ERROR_EVENT),
    "/v1/responses": (responses.responses, responses.ERROR_EVENT),
    "/v1/messages": (messages.messages, messages.ERROR_EVENT),
    "/v1/messages/count_tokens": (messages.count_tokens, messages.ERROR_EVENT),
}
REASONS = {200: "OK", 204: "No Content", 400: "Bad Request", 401: "Unauthorized", 404: "Not Found", 502: "Bad Gateway"}
BODY_LIMIT = 64 << 20
COOKIE = "session=stand-in-cookie-9e107d9d"


@dataclass(frozen=True)
class Seen:
    """A request as it arrived. `headers` keeps order, case and repetition; `find` reads one of them."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes

    @property
    def path(self) -> str:
        """The target without its query."""
        return self.target.partition("?")[0]

    def find(self, name: str) -> str | None:
        """The first value of a header, or None."""
        return next((value for key, value in self.headers if key.lower() == name), None)


class Closed(Exception):
    """The connection is to end here."""


async def _request(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Seen | None:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    first, *lines = head.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
    method, target, _ = first.split(" ", 2)
    headers = [(name, value.strip()) for name, _, value in (line.partition(":") for line in lines)]
    known = {name.lower(): value for name, value in headers}
    if known.get("expect", "").lower() == "100-continue":
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    if "chunked" in known.get("transfer-encoding", "").lower():
        body = b""
        while size := int((await reader.readuntil(b"\r\n")).partition(b";")[0], 16):
            body += (await reader.readexactly(size + 2))[:-2]
        await reader.readuntil(b"\r\n")
    else:
        body = await reader.readexactly(int(known.get("content-length", 0)))
    return Seen(method, target, headers, body)


def _failure(seen: Seen, status: int, message: str) -> Reply:
    shape = messages.error if seen.path.startswith("/v1/messages") else chat.error
    headers = [("retry-after", "2")] if status in {429, 503, 529} else []
    return document(shape(status, message), status, headers)


def _choose(seen: Seen, wish: Steer) -> Reply:
    """The reply to a request, faults inside the reply included."""
    if wish.fault == "status":
        return _failure(seen, wish.at, f"Told to answer {wish.at}: 待って")
    if wish.fault == "html":
        page = f"<html><head><title>{wish.at}</title></head><body><h1>{wish.at} – nginx</h1></body></html>\n"
        return Reply([page.encode()], "text/html", wish.at)
    if seen.path == "/v1/models":
        return document({"object": "list", "data": [{"id": "stand-in", "object": "model", "owned_by": "mitmeter"}]})
    if seen.path not in APIS and not generate.PATH.fullmatch(seen.path):
        return _failure(seen, 404, f"The stand-in has no {seen.path}")
    try:
        request = json.loads(seen.body or b"{}")
    except ValueError:
        return _failure(seen, 400, "The body is no JSON")
    api, error_event = APIS.get(seen.path, (generate.generate, generate.ERROR_EVENT))
    request = generate.asked(seen.path, request)
    reply = api(request, answer(request, seen.body, wish.words, wish.say))
    events = reply.events
    if not wish.done and events[-1] == chat.DONE:
        events = events[:-1]
    if wish.fault == "error-event":
        events = [*events[: wish.at], error_event]
    if reply.content_type != "application/json":
        events = [event.replace(b"\n", wish.eol) for event in events]
    return Reply(events, reply.content_type, reply.status, reply.headers)


def _head(reply: Reply, wish: Steer, size: int | None) -> bytes:
    lines = [f"HTTP/1.1 {reply.status} {REASONS.get(reply.status, 'Stand-in')}", f"content-type: {reply.content_type}"]
    lines += [f"{name}: {value}" for name, value in reply.headers]
    if wish.cookie:
        lines.append(f"set-cookie: {COOKIE}; HttpOnly")
    if wish.coding:
        lines.append(f"content-encoding: {wish.coding}")
    lines.append("transfer-encoding: chunked" if size is None else f"content-length: {size}")
    return "\r\n".join([*lines, "x-request-id: req_standin", "", ""]).encode("latin-1")


def _reset(writer: asyncio.StreamWriter) -> None:
    sock: socket.socket = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def _fail_at(wish: Steer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Ends the connection in the way that was asked for; never returns."""
    if wish.fault == "hang":
        await reader.read()
    elif wish.fault == "reset":
        # A reset throws away what the other side has not read yet, which would make the cut fall anywhere.
        await asyncio.sleep(0.05)
        _reset(writer)
    raise Closed


async def _write(reply: Reply, wish: Steer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    pieces = encoded(reply.events, wish.coding)
    sized = wish.length or reply.content_type != "text/event-stream; charset=utf-8"
    writer.write(_head(reply, wish, sum(map(len, pieces)) if sized else None))
    breaks = wish.at if wish.fault in {"cut", "reset", "hang"} else None
    await writer.drain()
    for index, piece in enumerate(pieces):
        if pause := wish.first if index == 0 else wish.gap:
            await asyncio.sleep(pause)
        if index == breaks:
            await _fail_at(wish, reader, writer)
        for part in split(piece, wish.split):
            writer.write(part if sized else b"%x\r\n%b\r\n" % (len(part), part))
            await writer.drain()
            if wish.split:
                await asyncio.sleep(0)
    if breaks is not None:
        await _fail_at(wish, reader, writer)
    if not sized:
        writer.write(b"0\r\n\r\n")
    await writer.drain()


async def _socket(seen: Seen, wish: Steer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    head, extensions = websocket.handshake({name.lower(): value for name, value in seen.headers})
    writer.write(head)
    if await websocket.Session(reader, writer, wish, extensions).run(seen.target):
        await _fail_at(wish, reader, writer)
    raise Closed


@dataclass
class Wire:
    """One listener's connections, and the requests they brought (the newest 10,000)."""

    requests: deque[Seen] = field(default_factory=lambda: deque(maxlen=10_000))

    async def respond(self, seen: Seen, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answers one request."""
        if seen.path == "/requests":
            listed = [{"method": one.method, "target": one.target, "headers": one.headers} for one in self.requests]
            return await _write(document(listed), Steer(), reader, writer)
        self.requests.append(seen)
        try:
            wish = steer({name.lower(): value for name, value in seen.headers})
        except ValueError as wrong:
            return await _write(_failure(seen, 500, f"The stand-in cannot do that: {wrong}"), Steer(), reader, writer)
        if wish.fault == "silent":
            await reader.read()
        if wish.fault in {"silent", "no-headers"}:
            raise Closed
        if (seen.find("upgrade") or "").lower() == "websocket" and wish.fault != "status":
            return await _socket(seen, wish, reader, writer)
        if wish.fault == "204":
            writer.write(b"HTTP/1.1 204 No Content\r\nx-request-id: req_standin\r\n\r\n")
            return await writer.drain()
        reply = _choose(seen, wish)
        if seen.method == "HEAD":
            writer.write(_head(reply, wish, sum(map(len, reply.events))))
            return await writer.drain()
        return await _write(reply, wish, reader, writer)

    async def connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serves a connection until one side has enough."""
        writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            while (seen := await _request(reader, writer)) is not None:
                await self.respond(seen, reader, writer)
                if (seen.find("connection") or "").lower() == "close":
                    break
        except (Closed, ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


async def serve(port: int = 0, wire: Wire | None = None) -> asyncio.Server:
    """Listens on loopback."""
    return await asyncio.start_server((wire or Wire()).connection, "127.0.0.1", port, limit=BODY_LIMIT)


class Provider:
    """The stand-in in a thread of its own; `requests` is what it has been sent."""

    def __init__(self, port: int = 0) -> None:
        self.port = port
        self._wire = Wire()
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="provider", daemon=True)

    @property
    def requests(self) -> list[Seen]:
        """What arrived, oldest first."""
        return list(self._wire.requests)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(serve(self.port, self._wire))
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        self._loop.run_forever()
        server.close()
        pending = asyncio.all_tasks(self._loop)
        for task in pending:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*pending, return_exceptions=True))
        self._loop.close()

    def __enter__(self) -> Self:
        self._thread.start()
        if not self._ready.wait(10):
            raise RuntimeError("the stand-in provider did not start")
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
