"""The clients of `bench proxy`: raw sockets that count bytes and note times, and a small HTTP/2 one."""

import asyncio
import re
import ssl
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import h2.config
import h2.connection
import h2.events

SENT = re.compile(rb'"sent":"([\d.]+)"')
END = b"\r\n0\r\n\r\n"
PATH = b"/v1/chat/completions"


@dataclass
class Seen:
    """What the clients of one load saw: seconds, and bytes of bodies."""

    requests: int = 0
    chunks: int = 0
    body: int = 0
    first: list[float] = field(default_factory=list)
    took: list[float] = field(default_factory=list)
    delays: list[float] = field(default_factory=list)


class Client(asyncio.Protocol):
    """One connection, one request at a time."""

    def __init__(self, seen: Seen) -> None:
        self.seen = seen
        self.done: asyncio.Future[None] | None = None
        self.left: int | None = None
        self.started = 0.0
        self.waits = True
        self.head = b""
        self.tail = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.wire = transport

    def connection_lost(self, error: Exception | None) -> None:
        if self.done is not None and not self.done.done():
            self.done.set_exception(ConnectionError("the proxy hung up"))

    async def ask(self, request: bytes) -> None:
        self.done = asyncio.get_running_loop().create_future()
        self.head, self.tail, self.left, self.waits = b"", b"", None, True
        self.started = time.monotonic()
        self.wire.write(request)
        await self.done
        self.seen.requests += 1
        self.seen.took.append(time.monotonic() - self.started)

    def data_received(self, data: bytes) -> None:
        now = time.monotonic()
        if self.head is not None and not self.head.endswith(b"\r\n\r\n"):
            top, mark, data = (self.head + data).partition(b"\r\n\r\n")
            self.head = top + mark
            if not mark:
                return
            length = re.search(rb"(?i)content-length: *(\d+)", top)
            self.left = int(length[1]) if length else None
        if not data:
            return
        if self.waits:
            self.waits = False
            self.seen.first.append(now - self.started)
        self.seen.body += len(data)
        self.seen.delays += [now - float(sent) for sent in SENT.findall(data)]
        if self.left is not None:
            self.left -= len(data)
        self.tail = (self.tail + data[-len(END) :])[-len(END) :]
        if self.left == 0 or (self.left is None and self.tail == END):
            assert self.done is not None
            self.done.set_result(None)


def post(what: str, body: bytes) -> bytes:
    head = b"POST %b HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nUser-Agent: bench\r\n"
    head += b"Authorization: Bearer sk-bench-0123456789\r\nAccept-Encoding: gzip, deflate, br, zstd\r\n"
    return head % PATH + f"X-Bench: {what}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


async def plain(
    port: int, what: str, bodies: Iterator[bytes], number: int, connections: int, pause: float = 0.0
) -> Seen:
    """Sends `number` requests over some connections, each after a pause of so many seconds."""
    seen = Seen()
    loop = asyncio.get_running_loop()
    left = iter(range(number))

    async def one() -> None:
        wire, client = await loop.create_connection(lambda: Client(seen), "127.0.0.1", port)
        for _ in left:
            if pause:
                await asyncio.sleep(pause)
            await client.ask(post(what, next(bodies)))
        wire.close()

    await asyncio.gather(*(one() for _ in range(connections)))
    return seen


async def second(port: int, what: str, bodies: Iterator[bytes], number: int) -> Seen:
    """Sends requests over one HTTP/2 connection, one after the other."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname="localhost")
    link = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True))
    link.initiate_connection()
    seen = Seen()
    for number_of in range(number):
        stream, body = 2 * number_of + 1, next(bodies)
        head = [(":method", "POST"), (":scheme", "https"), (":authority", "localhost"), (":path", PATH.decode())]
        head += [("x-bench", what), ("content-type", "application/json"), ("content-length", str(len(body)))]
        started, waits, ended = time.monotonic(), True, False
        link.send_headers(stream, head)
        link.send_data(stream, body, end_stream=True)
        while not ended:
            writer.write(link.data_to_send())
            for event in link.receive_data(await reader.read(1 << 16)):
                ended = ended or isinstance(event, h2.events.StreamEnded)
                if isinstance(event, h2.events.DataReceived):
                    if waits:
                        waits = False
                        seen.first.append(time.monotonic() - started)
                    seen.body += len(event.data or b"")
                    link.acknowledge_received_data(event.flow_controlled_length or 0, stream)
        seen.requests += 1
        seen.took.append(time.monotonic() - started)
    writer.close()
    return seen
