"""The upstream of `bench proxy`, a process of its own: replies made beforehand, written at the pace that is asked for.

The header `x-bench` says what: `json`, `sse N`, `gzip N`, `zstd N` (N events at once), `paced N GAP_MS FIRST_MS` (each
event carries the time at which it was sent), `bytes N`. Prints its port.
"""

import asyncio
import json
import sys
import zlib
from functools import cache
from random import Random

import zstandard

WORDS = "".join(Random(1).choices("etaoinshrdlucmfwypvbgkjqxz ", k=50_000)).split()
BLOCK = bytes(1 << 16)
WANTED = b"x-bench: "


def event(choice: dict[str, object], **more: object) -> bytes:
    base = {"id": "chatcmpl-AbCdEfGhIjKlMnOpQrStUvWx", "object": "chat.completion.chunk", "created": 1767225600}
    told = {**base, "model": "gpt-4o-2024-08-06", "system_fingerprint": "fp_44709d6fcb", "choices": [choice], **more}
    return b"data: " + json.dumps(told, separators=(",", ":")).encode() + b"\n\n"


def token(index: int, **more: object) -> bytes:
    delta = {"content": " " + WORDS[index % len(WORDS)]}
    return event({"index": 0, "delta": delta, "logprobs": None, "finish_reason": None}, **more)


def events(number: int) -> list[bytes]:
    usage = {"prompt_tokens": 500, "completion_tokens": number, "total_tokens": 500 + number}
    last = {"index": 0, "delta": {}, "logprobs": None, "finish_reason": "stop"}
    return [*map(token, range(number - 2)), event(last, usage=usage), b"data: [DONE]\n\n"]


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def head(kind: str, coding: str = "", length: int | None = None) -> bytes:
    size = "transfer-encoding: chunked" if length is None else f"content-length: {length}"
    code = f"content-encoding: {coding}\r\n" if coding else ""
    return f"HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\n{code}{size}\r\n\r\n".encode()


@cache
def whole(what: str, number: int) -> bytes:
    """A reply that is written at once."""
    if what == "json":
        usage = {"prompt_tokens": 12, "completion_tokens": 9, "total_tokens": 21}
        message = {"role": "assistant", "content": " ".join(WORDS[:9]), "refusal": None}
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
        reply = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1767225600, "model": "gpt-4o-2024-08-06"}
        body = json.dumps({**reply, "choices": [choice], "usage": usage}).encode()
        return head("application/json", length=len(body)) + body
    parts = events(number)
    if what == "gzip":
        packer = zlib.compressobj(wbits=31)
        parts = [packer.compress(part) + packer.flush(zlib.Z_SYNC_FLUSH) for part in parts] + [packer.flush()]
    elif what == "zstd":
        squeezer = zstandard.ZstdCompressor().compressobj()
        flush = zstandard.COMPRESSOBJ_FLUSH_BLOCK
        parts = [squeezer.compress(part) + squeezer.flush(flush) for part in parts] + [squeezer.flush()]
    coding = "" if what == "sse" else what
    return head("text/event-stream", coding) + b"".join(map(chunk, parts)) + b"0\r\n\r\n"


class Peer(asyncio.Protocol):
    """One connection; requests come one after the other."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.wire = transport
        self.room = asyncio.Event()
        self.room.set()
        self.seen = bytearray()
        self.length = -1
        self.task: asyncio.Task[None] | None = None

    def connection_lost(self, error: Exception | None) -> None:
        if self.task is not None:
            self.task.cancel()

    def pause_writing(self) -> None:
        self.room.clear()

    def resume_writing(self) -> None:
        self.room.set()

    def data_received(self, data: bytes) -> None:
        self.seen += data
        if self.length < 0:
            end = self.seen.find(b"\r\n\r\n")
            if end < 0:
                return
            top = bytes(self.seen[:end]).lower() + b"\r\n"
            self.wanted = top.partition(WANTED)[2].partition(b"\r\n")[0].decode().split()
            self.length = end + 4 + int(top.partition(b"content-length: ")[2].partition(b"\r\n")[0] or 0)
        if len(self.seen) >= self.length:
            del self.seen[: self.length]
            self.length = -1
            self.reply(self.wanted[0], [int(word) for word in self.wanted[1:]])

    def reply(self, what: str, numbers: list[int]) -> None:
        if what == "paced":
            self.task = asyncio.ensure_future(self.paced(*numbers))
        elif what == "bytes":
            self.task = asyncio.ensure_future(self.bytes(*numbers))
        else:
            self.wire.write(whole(what, *(numbers or [0])))

    async def paced(self, number: int, gap_ms: int, first_ms: int) -> None:
        clock = asyncio.get_running_loop().time
        self.wire.write(head("text/event-stream"))
        due = clock() + first_ms / 1000
        for index in range(number):
            await asyncio.sleep(max(0.0, due - clock()))
            self.wire.write(chunk(token(index, sent=f"{clock():.6f}")))
            due += gap_ms / 1000
        self.wire.write(chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n")

    async def bytes(self, number: int) -> None:
        self.wire.write(head("application/octet-stream", length=number))
        for _ in range(number // len(BLOCK)):
            await self.room.wait()
            self.wire.write(BLOCK)


async def main() -> None:
    server = await asyncio.get_running_loop().create_server(Peer, "127.0.0.1", 0, backlog=1024)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
