"""A raw HTTP/1.1 client that keeps the exact bytes of a reply, when each came, and how the reply ended."""

import json
import socket
import struct
import time
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Self

type Headers = dict[str, str] | list[tuple[str, str]]


class End(StrEnum):
    """How a reply ended, as the client saw it."""

    COMPLETE = "complete"
    CLOSED = "closed"
    RESET = "reset"
    CUT = "cut"
    TIMEOUT = "timeout"
    NO_HEADERS = "no_headers"


@dataclass
class Reply:
    """A reply. Times are `time.perf_counter()`; `chunks` are the de-chunked parts of the body as they arrived."""

    sent_at: float
    status: int = 0
    reason: str = ""
    headers: list[tuple[str, str]] = field(default_factory=list)
    headers_at: float | None = None
    chunks: list[tuple[float, bytes]] = field(default_factory=list)
    ended_at: float | None = None
    end: End = End.NO_HEADERS
    trailers: list[tuple[str, str]] = field(default_factory=list)

    @property
    def body(self) -> bytes:
        """The body without its chunked framing; a content coding is still on it."""
        return b"".join(data for _, data in self.chunks)

    @property
    def first_byte_ms(self) -> float | None:
        """From the request sent to the first byte of the body."""
        return (self.chunks[0][0] - self.sent_at) * 1000 if self.chunks else None

    @property
    def arrivals_ms(self) -> list[float]:
        """When each chunk came, from the request sent."""
        return [(at - self.sent_at) * 1000 for at, _ in self.chunks]

    def header(self, name: str) -> str | None:
        """The first value of a header, or None."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)

    def json(self) -> Any:
        """The body as JSON (it must have no content coding)."""
        return json.loads(self.body)

    def events(self) -> list[Any]:
        """The JSON of every `data:` line of an event stream that ends its lines with LF, `[DONE]` left out."""
        lines = (line[5:].strip() for line in self.body.decode().split("\n") if line.startswith("data:"))
        return [json.loads(line) for line in lines if line and line != "[DONE]"]


def _reached(reply: Reply, limit: int | bytes | None) -> bool:
    if isinstance(limit, bytes):
        return reply.body.endswith(limit)
    return limit is not None and sum(len(data) for _, data in reply.chunks) >= limit


class _Ended(Exception):
    def __init__(self, end: End) -> None:
        self.end = end


class Connection:
    """One connection, on which any number of requests can follow each other."""

    def __init__(self, port: int, host: str = "127.0.0.1", timeout: float = 30.0) -> None:
        self._host = f"{host}:{port}"
        self._socket = socket.create_connection((host, port), timeout)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self, *, reset: bool = False) -> None:
        """Ends the connection, with `reset` by an RST instead of a FIN."""
        if reset and self._socket.fileno() != -1:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._socket.close()

    def _receive(self) -> float:
        """Reads once into the buffer and tells when."""
        try:
            data = self._socket.recv(1 << 18)
        except TimeoutError:
            raise _Ended(End.TIMEOUT) from None
        except ConnectionError:
            raise _Ended(End.RESET) from None
        if not data:
            raise _Ended(End.CLOSED)
        self._buffer += data
        return time.perf_counter()

    def _until(self, mark: bytes) -> bytes:
        while mark not in self._buffer:
            self._receive()
        taken, _, self._buffer = self._buffer.partition(mark)
        return taken

    def _head(self, reply: Reply) -> None:
        while True:
            first, *lines = self._until(b"\r\n\r\n").decode("latin-1").split("\r\n")
            _, status, *reason = first.split(" ", 2)
            if not status.startswith("1") or status == "101":
                break
        reply.headers_at = time.perf_counter()
        reply.status, reply.reason = int(status), "".join(reason)
        reply.headers = [(name, value.strip()) for name, _, value in (line.partition(":") for line in lines)]

    def _take(self, reply: Reply, size: int, limit: int | bytes | None) -> None:
        """Moves `size` bytes of body from the wire into the reply, part by part."""
        at = time.perf_counter()
        while size:
            if not self._buffer:
                at = self._receive()
            part, self._buffer = self._buffer[:size], self._buffer[size:]
            size -= len(part)
            reply.chunks.append((at, part))
            if _reached(reply, limit):
                raise _Ended(End.CUT)

    def _body(self, reply: Reply, method: str, limit: int | bytes | None) -> None:
        if method == "HEAD" or reply.status in {204, 304}:
            return
        if "chunked" in (reply.header("transfer-encoding") or "").lower():
            while size := int(self._until(b"\r\n").partition(b";")[0], 16):
                self._take(reply, size, limit)
                self._until(b"\r\n")
            while self._until(b"\r\n"):
                pass
        elif (length := reply.header("content-length")) is not None:
            self._take(reply, int(length), limit)
        else:
            try:
                while True:
                    self._take(reply, len(self._buffer) or 1, limit)
            except _Ended as ended:
                if ended.end is not End.CLOSED:
                    raise

    def request(
        self,
        method: str,
        path: str,
        headers: Headers | None = None,
        body: bytes | str | dict[str, Any] | None = None,
        *,
        cut_after: int | bytes | None = None,
        reset: bool = False,
    ) -> Reply:
        """Sends a request and reads the reply; after `cut_after` bytes of body, or at these bytes, it hangs up
        (with `reset` by an RST).

        A dict is sent as JSON. Host and Content-Length are added unless given.
        """
        sent = list(headers.items()) if isinstance(headers, dict) else list(headers or [])
        given = {name.lower() for name, _ in sent}
        if isinstance(body, dict):
            body = json.dumps(body, ensure_ascii=False)
            sent += [] if "content-type" in given else [("content-type", "application/json")]
        payload = body.encode() if isinstance(body, str) else body
        sent += [] if "host" in given else [("host", self._host)]
        if payload is not None and not given & {"content-length", "transfer-encoding"}:
            sent.append(("content-length", str(len(payload))))
        head = "".join([f"{method} {path} HTTP/1.1\r\n", *(f"{name}: {value}\r\n" for name, value in sent), "\r\n"])
        reply = Reply(time.perf_counter())
        try:
            self._socket.sendall(head.encode("latin-1") + (payload or b""))
            self._head(reply)
            self._body(reply, method, cut_after)
            reply.end = End.COMPLETE
        except _Ended as ended:
            reply.end = ended.end if reply.status else End.NO_HEADERS
            if ended.end is not End.TIMEOUT:
                self.close(reset=reset)
        except ConnectionError:
            reply.end = End.RESET if reply.status else End.NO_HEADERS
        reply.ended_at = time.perf_counter()
        return reply


def fetch(
    port: int,
    path: str,
    body: bytes | str | dict[str, Any] | None = None,
    headers: Headers | None = None,
    *,
    method: str = "POST",
    cut_after: int | bytes | None = None,
    reset: bool = False,
    timeout: float = 30.0,
) -> Reply:
    """One request on a connection of its own; see `Connection.request`."""
    with Connection(port, timeout=timeout) as connection:
        return connection.request(method, path, headers, body, cut_after=cut_after, reset=reset)
