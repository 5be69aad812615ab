"""A raw WebSocket client that keeps every message with its time; the frames are wsproto's."""

import base64
import json
import os
import socket
import struct
import time
from typing import Any, Self

from wsproto.connection import Connection, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Ping, TextMessage
from wsproto.extensions import Extension, PerMessageDeflate

type Event = dict[str, Any]


class WebSocket:
    """Opens a connection. `status` and `headers` are the answer's, `messages` what has come: (perf_counter, text)."""

    def __init__(
        self,
        port: int,
        path: str,
        headers: dict[str, str] | None = None,
        *,
        deflate: bool = False,
        timeout: float = 20.0,
    ) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.messages: list[tuple[float, str]] = []
        self.code: int | None = None
        self.gone = False
        self._text = ""
        self._told = 0
        extension = PerMessageDeflate()
        sent = {"host": f"127.0.0.1:{port}", "upgrade": "websocket", "connection": "Upgrade"}
        sent |= {"sec-websocket-version": "13", "sec-websocket-key": base64.b64encode(os.urandom(16)).decode()}
        offer = extension.offer()
        sent |= {"sec-websocket-extensions": f"permessage-deflate; {offer}".rstrip("; ")} if deflate and offer else {}
        lines = [f"GET {path} HTTP/1.1", *(f"{name}: {value}" for name, value in (sent | (headers or {})).items())]
        self.sent_at = time.perf_counter()
        self._socket.sendall("\r\n".join([*lines, "", ""]).encode())
        rest = self._head()
        extensions: list[Extension] = []
        if agreed := self.headers.get("sec-websocket-extensions"):
            extension.finalize(agreed)
            extensions.append(extension)
        self._frames = Connection(ConnectionType.CLIENT, extensions)
        if self.status == 101 and rest:
            self._take(rest, time.perf_counter())

    def _head(self) -> bytes:
        data = b""
        while b"\r\n\r\n" not in data:
            more = self._socket.recv(1 << 16)
            if not more:
                raise ConnectionError("closed before any answer")
            data += more
        head, _, rest = data.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        self.status = int(first.split(" ")[1])
        self.headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        return rest

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.drop()

    def send(self, event: Event | bytes) -> None:
        """Sends one message: JSON as text, bytes as they are."""
        message = BytesMessage(event) if isinstance(event, bytes) else TextMessage(json.dumps(event))
        self._socket.sendall(self._frames.send(message))

    def until(self, kind: str, number: int = 1) -> list[Event]:
        """Reads until so many more messages of a type have come, or the other side is gone; returns what is new."""
        heard: list[Event] = []
        left = number
        while True:
            new = [json.loads(text) for _, text in self.messages[self._told :]]
            self._told = len(self.messages)
            heard += new
            left -= sum(event["type"] == kind for event in new)
            if left <= 0 or self.gone:
                return heard
            self._read()

    def forget(self) -> None:
        """Lets go of what has come."""
        self.messages.clear()
        self._told = 0

    def _read(self) -> None:
        try:
            data = self._socket.recv(1 << 18)
        except ConnectionError:
            data = b""
        at = time.perf_counter()
        if not data:
            self.gone = True
            return
        self._take(data, at)

    def _take(self, data: bytes, at: float) -> None:
        self._frames.receive_data(data)
        for event in self._frames.events():
            if isinstance(event, TextMessage):
                self._text += event.data
                if event.message_finished:
                    self.messages.append((at, self._text))
                    self._text = ""
            elif isinstance(event, Ping):
                self._socket.sendall(self._frames.send(event.response()))
            elif isinstance(event, CloseConnection):
                self.code, self.gone = event.code, True

    def close(self, code: int = 1000) -> None:
        """Closes in order, and waits for the other side's word."""
        self._socket.sendall(self._frames.send(CloseConnection(code)))
        while not self.gone:
            self._read()
        self._socket.close()

    def drop(self) -> None:
        """Hangs up by an RST, without a word."""
        if self._socket.fileno() != -1:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._socket.close()
