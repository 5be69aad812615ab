"""Framing x coding x end x protocol: the client's bytes are the upstream's, and each exchange is one row."""

import contextlib
import itertools
import json
import socket
import threading
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import brotli  # type: ignore[import-untyped,unused-ignore]  # ships no types
import pytest
import zstandard

from harness import End, Mitm, Reply, capture, fetch, kept_body, rows, wait_rows
from harness.http2 import fetch2

SAID = ("eins ", "zwei ", "drei 東京")
IN, OUT = 7, 3


def compact(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def sse() -> list[bytes]:
    deltas: list[Any] = [{"choices": [{"index": 0, "delta": {"content": text}}]} for text in SAID]
    ends = {"choices": [], "usage": {"prompt_tokens": IN, "completion_tokens": OUT}}
    return [*(b"data: %b\r\n\r\n" % compact(one) for one in (*deltas, ends)), b"data: [DONE]\r\n\r\n"]


def ndjson() -> list[bytes]:
    deltas: list[Any] = [{"model": "m", "message": {"content": text}, "done": False} for text in SAID]
    ends = {"model": "m", "done": True, "prompt_eval_count": IN, "eval_count": OUT}
    return [compact(one) + b"\n" for one in (*deltas, ends)]


def array() -> list[bytes]:
    usage = {"promptTokenCount": IN, "candidatesTokenCount": OUT}
    parts = [{"candidates": [{"content": {"parts": [{"text": text}]}}], "usageMetadata": usage} for text in SAID]
    return [b"[" + compact(parts[0]), *(b"\n,\r\n" + compact(one) for one in parts[1:]), b"]\n"]


def frame(kind: str, payload: bytes) -> bytes:
    """A message of AWS's event-stream: prelude, headers, payload, two checksums."""
    headers = b""
    for name, value in ((":event-type", kind), (":message-type", "event"), (":content-type", "application/json")):
        headers += bytes([len(name)]) + name.encode() + b"\7" + len(value).to_bytes(2) + value.encode()
    size = 16 + len(headers) + len(payload)
    prelude = size.to_bytes(4) + len(headers).to_bytes(4)
    prelude += zlib.crc32(prelude).to_bytes(4)
    return prelude + headers + payload + zlib.crc32(prelude + headers + payload).to_bytes(4)


def eventstream() -> list[bytes]:
    deltas = [frame("contentBlockDelta", compact({"delta": {"text": text}, "contentBlockIndex": 0})) for text in SAID]
    usage = {"inputTokens": IN, "outputTokens": OUT, "totalTokens": IN + OUT}
    stop = frame("messageStop", compact({"stopReason": "end_turn"}))
    return [*deltas, stop, frame("metadata", compact({"usage": usage, "metrics": {"latencyMs": 5}}))]


def document() -> list[bytes]:
    body = compact({"content": [{"type": "text", "text": "".join(SAID) * 500}], "usage": counts()})
    return [body[:40], body[40:5000], body[5000:]]


def counts() -> dict[str, int]:
    return {"input_tokens": IN, "output_tokens": OUT}


FRAMINGS = {
    "sse": ("/v1/chat/completions", "text/event-stream", sse()),
    "ndjson": ("/api/chat", "application/x-ndjson", ndjson()),
    "array": ("/v1beta/models/gemini-2.5-pro:streamGenerateContent", "application/json", array()),
    "eventstream": ("/model/claude/converse-stream", "application/vnd.amazon.eventstream", eventstream()),
    "document": ("/v1/messages", "application/json", document()),
}
CODINGS = ("identity", "gzip", "br", "zstd")
ENDS = ("complete", "cut")
PROTOCOLS = ("http1", "http2")
CASES = ["-".join(case) for case in itertools.product(FRAMINGS, CODINGS, ENDS, PROTOCOLS)]


def coded(coding: str, parts: list[bytes]) -> list[bytes]:
    """The parts as a server sends them that flushes each of them."""
    match coding:
        case "gzip":
            packer = zlib.compressobj(wbits=31)
            return [packer.compress(part) + packer.flush(zlib.Z_SYNC_FLUSH) for part in parts] + [packer.flush()]
        case "br":
            press = brotli.Compressor()
            return [press.process(part) + press.flush() for part in parts] + [press.finish()]
        case "zstd":
            squeezer = zstandard.ZstdCompressor().compressobj()
            flush = zstandard.COMPRESSOBJ_FLUSH_BLOCK
            return [squeezer.compress(part) + squeezer.flush(flush) for part in parts] + [squeezer.flush()]
    return parts


def undone(coding: str, body: bytes) -> bytes:
    match coding:
        case "gzip":
            return zlib.decompressobj(31).decompress(body)
        case "br":
            return bytes(brotli.Decompressor().process(body))
        case "zstd":
            return zstandard.ZstdDecompressor().decompressobj().decompress(body)
    return body


def sent(case: str) -> list[bytes]:
    """The chunks of a case's body; what is cut ends before the parts do that say how much it was."""
    framing, coding, end, _ = case.split("-")
    parts = coded(coding, FRAMINGS[framing][2])
    return parts[:2] if end == "cut" else parts


def answer(peer: socket.socket) -> None:
    """Answers one request with the case that its User-Agent names."""
    with peer, contextlib.suppress(OSError):
        seen = b""
        while not (seen.endswith(b"{}") and b"\r\n\r\n" in seen):
            data = peer.recv(1 << 16)
            if not data:
                return
            seen += data
        case = seen.lower().partition(b"user-agent: ")[2].partition(b"\r\n")[0].decode()
        framing, coding, end, _ = case.split("-")
        named = "" if coding == "identity" else f"content-encoding: {coding}\r\n"
        head = f"HTTP/1.1 200 OK\r\ncontent-type: {FRAMINGS[framing][1]}\r\n{named}transfer-encoding: chunked\r\n\r\n"
        peer.sendall(head.encode())
        for part in filter(None, sent(case)):
            peer.sendall(b"%x\r\n%b\r\n" % (len(part), part))
        if end == "complete":
            peer.sendall(b"0\r\n\r\n")


@contextlib.contextmanager
def upstream() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    threading.Thread(target=answer, args=(server.accept()[0],), daemon=True).start()

        threading.Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1]


@dataclass(frozen=True)
class Run:
    """The reply through the proxy, a direct one, and what was metered."""

    through: Reply
    direct: Reply
    rows: list[dict[str, Any]]
    body: bytes | None


def ask(port: int, case: str, protocol: str) -> Reply:
    path = FRAMINGS[case.split("-")[0]][0]
    headers = {"user-agent": case, "accept-encoding": "gzip, br, zstd"}
    return fetch2(port, path, {}, headers) if protocol == "http2" else fetch(port, path, {}, headers)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Run]]:
    directory: Path = tmp_path_factory.mktemp("framings")
    with upstream() as port, Mitm(f"http://127.0.0.1:{port}", directory) as proxy, ThreadPoolExecutor(4) as pool:
        through = {case: pool.submit(ask, proxy.port, case, case.rpartition("-")[2]) for case in CASES}
        direct = {case: pool.submit(ask, port, case, "http1") for case in CASES}
        replies = {case: (through[case].result(), direct[case].result()) for case in CASES}
        wait_rows(proxy.meter_dir, len(CASES), 20)
        found: dict[str, list[dict[str, Any]]] = {case: [] for case in CASES}
        for row in rows(proxy.meter_dir):
            found[row["client"]["agent"]].append(row)
        bodies = {
            case: kept_body(capture(proxy.meter_dir, found[case][0]), "response") for case in CASES if found[case]
        }
        assert "Traceback" not in proxy.output
        yield {case: Run(*replies[case], found[case], bodies.get(case)) for case in CASES}


named = pytest.mark.parametrize("case", CASES)


@named
def test_the_client_gets_the_same(runs: dict[str, Run], case: str) -> None:
    run, whole = runs[case], "-complete-" in case
    assert run.through.status == run.direct.status == 200
    assert (run.through.end is End.COMPLETE) is (run.direct.end is End.COMPLETE) is whole
    assert sha256(run.through.body).digest() == sha256(run.direct.body).digest()
    assert run.through.body == b"".join(sent(case))


@named
def test_one_row(runs: dict[str, Run], case: str) -> None:
    run = runs[case]
    framing, coding, end, _ = case.split("-")
    assert len(run.rows) == 1
    row = run.rows[0]
    # Gemini's array says its counts in each element, and a document's coding may end with the cut.
    known = end == "complete" or framing == "array"
    assert row["outcome"] == ("complete" if end == "complete" else "upstream_aborted")
    if known:
        assert (row["usage"]["input_tokens"], row["usage"]["output_tokens"]) == (IN, OUT)
    assert row["sizes"]["response_bytes"] == len(run.through.body)
    assert run.body == undone(coding, run.through.body)
