"""HTTP/2 over TLS: a small client, for one request on a connection of its own, and an upstream that says one thing."""

import contextlib
import json
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import h2.config
import h2.connection
import h2.events
from h2.errors import ErrorCodes
from mitmproxy.certs import CertStore

from harness.client import End, Reply


def fetch2(
    port: int, path: str, body: dict[str, Any], headers: dict[str, str], *, reset_after: int | None = None
) -> Reply:
    """Posts JSON and reads the reply; after `reset_after` bytes of body it resets the stream and stays connected."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    with (
        socket.create_connection(("127.0.0.1", port), 10) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as wire,
    ):
        if wire.selected_alpn_protocol() != "h2":
            raise RuntimeError("the proxy speaks no HTTP/2")
        connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True, header_encoding="utf-8"))
        connection.initiate_connection()
        payload = json.dumps(body).encode()
        pseudo = [(":method", "POST"), (":scheme", "https"), (":authority", "localhost"), (":path", path)]
        own = [("content-type", "application/json"), ("content-length", str(len(payload))), *headers.items()]
        connection.send_headers(1, pseudo + own)
        connection.send_data(1, payload, end_stream=True)
        reply = Reply(time.perf_counter())
        wire.sendall(connection.data_to_send())
        while reply.ended_at is None:
            data = wire.recv(1 << 16)
            if not data:
                reply.end, reply.ended_at = End.CLOSED, time.perf_counter()
            for event in connection.receive_data(data) if data else []:
                _take(connection, reply, event)
            if reset_after is not None and reply.ended_at is None and len(reply.body) >= reset_after:
                connection.reset_stream(1, ErrorCodes.CANCEL)
                reply.end, reply.ended_at = End.CUT, time.perf_counter()
            wire.sendall(connection.data_to_send())
        if reset_after is not None:
            time.sleep(0.3)  # the connection outlives the stream, as a browser's does
        return reply


def _take(connection: h2.connection.H2Connection, reply: Reply, event: h2.events.Event) -> None:
    now = time.perf_counter()
    match event:
        case h2.events.ResponseReceived():
            told = [(str(name), str(value)) for name, value in event.headers or []]
            reply.headers_at, reply.status = now, int(dict(told)[":status"])
            reply.headers = [(name, value) for name, value in told if not name.startswith(":")]
        case h2.events.DataReceived():
            reply.chunks.append((now, event.data or b""))
            connection.acknowledge_received_data(event.flow_controlled_length or 0, 1)
        case h2.events.TrailersReceived():
            reply.trailers = [(str(name), str(value)) for name, value in event.headers or []]
        case h2.events.StreamEnded():
            reply.end, reply.ended_at = End.COMPLETE, now
        case h2.events.StreamReset():
            reply.end, reply.ended_at = End.RESET, now


@contextlib.contextmanager
def saying2(folder: Path, parts: Sequence[bytes], trailers: Sequence[tuple[str, str]]) -> Iterator[str]:
    """An upstream that answers each request with an event stream in these parts, and trailers."""
    CertStore.from_store(folder, "mitmproxy", 2048)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "mitmproxy-ca.pem")
    context.set_alpn_protocols(["h2"])
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    _answer(context, server.accept()[0], parts, trailers)

        threading.Thread(target=serve, daemon=True).start()
        yield f"https://127.0.0.1:{server.getsockname()[1]}"


def _answer(
    context: ssl.SSLContext, plain: socket.socket, parts: Sequence[bytes], trailers: Sequence[tuple[str, str]]
) -> None:
    with contextlib.suppress(OSError), context.wrap_socket(plain, server_side=True) as wire:
        connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        connection.initiate_connection()
        wire.sendall(connection.data_to_send())
        while data := wire.recv(1 << 16):
            for event in connection.receive_data(data):
                if isinstance(event, h2.events.StreamEnded):
                    stream = event.stream_id
                    connection.send_headers(stream, [(":status", "200"), ("content-type", "text/event-stream")])
                    for part in parts:
                        connection.send_data(stream, part)
                        wire.sendall(connection.data_to_send())
                        time.sleep(0.02)
                    connection.send_headers(stream, list(trailers), end_stream=True)
            wire.sendall(connection.data_to_send())
