"""What hostile servers and clients send, through a real mitmdump: bounded, escaped, a row each, and the client's bytes
those of mitmproxy without the addon.
"""

import gzip
import json
import re
import socket
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import brotli  # type: ignore[import-untyped,unused-ignore]  # ships no types
import pytest
import zstandard

from harness import Mitm
from harness.rows import rows_of, told

MIB = 1 << 20
CHAT = b"/v1/chat/completions"
ASKED = b'{"model":"m","messages":[]}'
FORGED = "evil\x1b[31m\x07\u202e\r\nmeter #9 forged\u2028\x9b2J\x00"
USAGE = b'{"model":"m","choices":[],"usage":{"prompt_tokens":4,"completion_tokens":5}}'
SSE, JSON = b"text/event-stream", b"application/json"
SPARE = 320 * MIB

type Bytes = Callable[[], Iterator[bytes]]


def head(kind: bytes = SSE, *more: bytes, status: bytes = b"200 OK") -> bytes:
    lines = (b"HTTP/1.1 " + status, b"Content-Type: " + kind, b"Connection: close", *more)
    return b"\r\n".join(lines) + b"\r\n\r\n"


def said(*parts: bytes, kind: bytes = SSE, more: tuple[bytes, ...] = (), status: bytes = b"200 OK") -> Bytes:
    return lambda: iter((head(kind, *more, status=status), *parts))


def lines(one: bytes, size: int) -> Bytes:
    """A stream of so many bytes of one line, and then a message with usage."""

    def parts() -> Iterator[bytes]:
        block = one * (MIB // len(one))
        yield head()
        yield from (block for _ in range(size // len(block)))
        yield b"\n\ndata: " + USAGE + b"\n\n"

    return parts


def bombs() -> Iterator[tuple[str, Bytes]]:
    compressor = zstandard.ZstdCompressor(level=3).compressobj()
    zeros = b" " * MIB
    packed = {
        "gzip": gzip.compress(zeros * 300, 9),
        "deflate": zlib.compress(zeros * 300, 9),
        "br": brotli.compress(zeros * 300, quality=5),
        "zstd": b"".join([compressor.compress(zeros) for _ in range(300)]) + compressor.flush(),
    }
    for coding, body in packed.items():
        yield f"bomb {coding}", said(body, more=(b"Content-Encoding: " + coding.encode(),))


def document(value: Any) -> bytes:
    return json.dumps(value).encode()


USUAL = said(b"data: ", USAGE, b"\n\n")


@dataclass(frozen=True)
class Case:
    """What the server answers, and what the client sends."""

    answer: Bytes = USUAL
    path: bytes = CHAT
    headers: tuple[bytes, ...] = ()
    body: bytes = ASKED


FORGED_ERROR = {"error": {"message": FORGED, "type": FORGED, "code": FORGED}}
FORGED_REPLY = {
    "id": FORGED,
    "model": FORGED,
    "service_tier": FORGED,
    "choices": [{"finish_reason": FORGED, "message": {"content": f"<script>alert(1)</script>{FORGED}"}}],
    "usage": {"prompt_tokens": 4, "completion_tokens": 5, FORGED: FORGED},
}
CASES: dict[str, Case] = {
    "a line of 100 MB": Case(lines(b"x", 100 * MIB)),
    "100 MB of empty lines": Case(lines(b"\n", 100 * MIB)),
    "20 MB of tiny events": Case(lines(b"data:1\n\n", 20 * MIB)),
    "100 MB of comments": Case(lines(b": ping\n", 100 * MIB)),
    "20,000 header lines": Case(said(USAGE, kind=JSON, more=tuple(b"X-%d: %d" % (at, at) for at in range(20_000)))),
    "a header of 10 MB": Case(said(USAGE, kind=JSON, more=(b"X-Long: " + b"a" * 10 * MIB,))),
    "a rate limit of 1 MB": Case(said(USAGE, kind=JSON, more=(b"X-Ratelimit-Limit: " + b"1" * MIB,))),
    "headers of 10 MB from the client": Case(headers=tuple(b"X-%d: %s" % (at, b"a" * 1000) for at in range(10_000))),
    "a deep answer": Case(said(b"[" * 2 * MIB, kind=JSON)),
    "a deep answer of objects": Case(said(b'{"usage":' * 200_000 + b"1" + b"}" * 200_000, kind=JSON)),
    "a deep event": Case(said(b"data: " + b'{"choices":[' * 100_000 + b"\n\n")),
    "a deep request": Case(body=b'{"model":"m","messages":' + b"[" * MIB + b"]" * MIB + b"}"),
    **{name: Case(answer) for name, answer in bombs()},
    "no text": Case(said(b'data: {"model":"\xff\xfe\xc3","choices":[]}\n\n\xff\xff\n\n')),
    "no text in an error": Case(said(b'{"error":"\xff\xfe"}', kind=JSON, status=b"400 \xff\xfe")),
    "no text in headers": Case(said(USAGE, kind=JSON, more=(b"X-A: \xff\xfe", b"\xff: 1")), headers=(b"X-\xfe: \xff",)),
    "no text in the path": Case(path=b"/\xff\xfe" + CHAT),
    "signs in a reply": Case(said(document(FORGED_REPLY), kind=JSON)),
    "signs in an error": Case(said(document(FORGED_ERROR), kind=JSON, status=b"500 \x1b[2J")),
    "signs in an event": Case(said(b"data: " + document(FORGED_ERROR) + b"\n\n")),
    "signs in the path": Case(path=b"/\x1b[2J%1b%0ameter%20%239" + CHAT),
    "signs in the request": Case(body=document({"model": FORGED}), headers=(b"X-Forwarded-For: \x1b[2J\x07",)),
    "signs in headers": Case(said(USAGE, kind=b"application/json; \x1b[31m", more=(b"Retry-After: \x1b[2J",))),
    "a type of 1 MB": Case(said(USAGE, kind=b"application/json;" + b"x" * MIB)),
}


def received(connection: socket.socket) -> bytes:
    """A request up to the end of its body, told by its Content-Length; returns its head."""
    data = bytearray()
    while (end := data.find(b"\r\n\r\n", max(0, len(data) - (2 << 20)))) < 0:
        block = connection.recv(1 << 20)
        if not block:
            return bytes(data)
        data += block
    length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", data[:end])
    missing = int(length[1]) - (len(data) - end - 4) if length else 0
    while missing > 0 and (block := connection.recv(1 << 20)):
        missing -= len(block)
    return bytes(data[:end])


@contextmanager
def upstream() -> Iterator[str]:
    """A server that answers each request with what the case of its User-Agent says, and closes."""
    listener = socket.create_server(("127.0.0.1", 0))

    def answer(connection: socket.socket) -> None:
        with connection:
            agent = re.search(rb"(?i)user-agent: ([^\r]*)", received(connection))
            try:
                for part in CASES[agent[1].decode() if agent else ""].answer():
                    connection.sendall(part)
                connection.shutdown(socket.SHUT_WR)
            except OSError:
                return

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=answer, args=(connection,), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.close()


def ask(port: int, name: str) -> tuple[str, int]:
    """The digest and the number of the bytes that the client gets."""
    case = CASES[name]
    given = (b"Host: h", b"User-Agent: " + name.encode(), b"Content-Length: %d" % len(case.body), *case.headers)
    request = b"POST " + case.path + b" HTTP/1.1\r\n" + b"\r\n".join(given) + b"\r\n\r\n" + case.body
    digest, size = sha256(), 0
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        connection.sendall(request)
        while block := connection.recv(1 << 20):
            digest.update(block)
            size += len(block)
    return digest.hexdigest(), size


def peak(proxy: Mitm) -> int:
    """The most memory that a process has had, in bytes."""
    assert proxy.process is not None
    status = Path(f"/proc/{proxy.process.pid}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) << 10  # type: ignore[index]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Mitm, Mitm]]:
    """The same proxy with the addon and without."""
    directory = tmp_path_factory.mktemp("hostile")
    options = {"stream_large_bodies": "1", "flow_detail": "0", "validate_inbound_headers": "false"}
    with (
        upstream() as url,
        Mitm(url, directory / "with", options=options) as metered,
        Mitm(url, directory / "bare", options=options, script=None) as bare,
    ):
        yield metered, bare


@pytest.mark.parametrize("name", CASES)
def test_the_client_gets_what_it_gets_without_us_and_there_is_a_row(runs: tuple[Mitm, Mitm], name: str) -> None:
    metered, bare = runs
    assert ask(metered.port, name) == ask(bare.port, name)
    [row] = rows_of(metered.meter_dir, name, seconds=60)
    assert row["outcome"] in ("complete", "error", "upstream_aborted", "client_aborted"), row
    assert row["path"].endswith("/v1/chat/completions") or row["provider"] is None
    assert len(json.dumps({**row, "content_type": None})) < 100_000


def test_what_is_shown_is_escaped_and_memory_bounded(runs: tuple[Mitm, Mitm]) -> None:
    metered, bare = runs
    shown = [told(metered.meter_dir, *command) for command in (("ls",), ("ls", "--json"), ("stats",))]
    idents = [json.loads(line)["id"] for line in shown[1].splitlines()]
    shown += [told(metered.meter_dir, "show", str(ident)) for ident in idents]
    for text in (*shown, metered.output):
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e\u2028]", text)
        assert not re.search(r"(?m)^meter #9", text), "nobody forges a line"
    assert peak(metered) < peak(bare) + SPARE
