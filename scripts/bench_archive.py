"""What the archive costs on disk and in CPU for agents that resend their history, and how fast a capture is read.

`scripts/bench archive [sessions]`: one session of 60 streamed turns, then that many (64) interleaved.
"""

import gzip
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from random import Random

import zstandard
from click import echo
from msgspec import Struct, to_builtins

from mitmeter.archive.record import encode
from mitmeter.archive.segments import SegmentReader, SegmentWriter, scan
from mitmeter.exchange import Answer, Exchange, Opening, Outcome, Place
from mitmeter.recorder import Recorder
from mitmeter.redact import Redacted
from mitmeter.usage.registry import find

TURNS = 60
SYSTEM_WORDS, RESULT_WORDS, REPLY_WORDS = 6000, 500, 150
READS = 200
BOUNDED = 8
SECRET = b"x" * 32
HOST, PATH = "api.anthropic.com", "/v1/messages"


class Turn(Struct):
    """One exchange, as it was on the wire and as it is archived."""

    wire_bytes: int
    bodies: tuple[bytes, bytes]
    exchange: Exchange
    redacted: Redacted


def vocabulary(chance: Random) -> tuple[list[str], list[float]]:
    syllables = [a + b for a in "bcdfghlmnprstvw" for b in ("a", "e", "i", "o", "u", "ar", "en", "is", "or", "al")]
    words = ["".join(chance.choices(syllables, k=chance.choice((1, 1, 2, 2, 2, 3, 4)))) for _ in range(8000)]
    return words, [1 / (rank + 3) for rank in range(len(words))]


def said(chance: Random, words: tuple[list[str], list[float]], number: int) -> list[str]:
    return [
        word + chance.choice(("", "", "", "", "", "", ",", ".", "\n"))
        for word in chance.choices(words[0], weights=words[1], k=number)
    ]


def dumps(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def events(chance: Random, reply: list[str], tool: str, given: str, seen: int) -> list[bytes]:
    usage = {"input_tokens": seen, "cache_read_input_tokens": seen - 500, "output_tokens": 1}
    ident = f"msg_{chance.getrandbits(96):024x}"
    told: list[dict[str, object]] = [
        {"type": "message_start", "message": {"id": ident, "type": "message", "role": "assistant", "usage": usage}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    ]
    told += [
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": f" {word}"}}
        for word in reply
    ]
    told += [
        {"type": "content_block_stop", "index": 0},
        {"type": "content_block_start", "index": 1, "content_block": {"type": "tool_use", "id": tool, "name": "read"}},
        {"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": given}},
        {"type": "content_block_stop", "index": 1},
        {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": len(reply) + 20}},
        {"type": "message_stop"},
    ]
    return [f"event: {event['type']}\ndata: {dumps(event)}\n\n".encode() for event in told]


def session(seed: int) -> Iterator[Turn]:
    chance = Random(seed)
    words = vocabulary(Random(0))
    # The system prompt and the tools are the same in each session of an agent, what is said is not.
    system = " ".join(said(Random(1), words, SYSTEM_WORDS))
    history: list[dict[str, object]] = [{"role": "user", "content": " ".join(said(chance, words, 100))}]
    started = 1_790_000_000.0 + seed
    for _ in range(TURNS):
        body = dumps({"model": "claude", "max_tokens": 32000, "system": system, "messages": history, "stream": True})
        reply = said(chance, words, REPLY_WORDS)
        tool = f"toolu_{chance.getrandbits(96):024x}"
        given = dumps({"path": f"/src/{chance.choice(words[0])}/{chance.choice(words[0])}.py"})
        stream = events(chance, reply, tool, given, len(body) // 4)
        started += 5 + chance.random() * 10
        yield turn(f"{chance.getrandbits(128):032x}", started, body.encode(), stream, chance)
        used = {"type": "tool_use", "id": tool, "name": "read", "input": json.loads(given)}
        history.append({"role": "assistant", "content": [{"type": "text", "text": " " + " ".join(reply)}, used]})
        result = " ".join(said(chance, words, RESULT_WORDS))
        history.append({"role": "user", "content": [{"type": "tool_result", "tool_use_id": tool, "content": result}]})


def turn(flow_id: str, started: float, body: bytes, stream: list[bytes], chance: Random) -> Turn:
    asked = (
        *(("host", HOST), ("content-type", "application/json"), ("authorization", "Bearer sk-ant-secret")),
        *(("anthropic-version", "2023-06-01"), ("user-agent", "agent/1.2.3"), ("content-length", str(len(body)))),
    )
    told = (
        *(("content-type", "text/event-stream"), ("request-id", f"req_{chance.getrandbits(96):024x}")),
        *(("date", time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(started))), ("server", "cloudflare")),
        *(("cf-ray", f"{chance.getrandbits(64):016x}-FRA"), ("transfer-encoding", "chunked")),
    )
    opening = Opening(
        flow_id=flow_id,
        started=started,
        zero=0.0,
        method="POST",
        url=f"https://{HOST}{PATH}",
        headers=asked,
        body=body,
    )
    recorder = Recorder(opening, find("POST", HOST, PATH), secret=SECRET)
    recorder.answer(Answer(status=200, headers=told), chance.random())
    at = 1.0
    for event in stream:
        at += 0.01 + 0.01 * chance.random()
        recorder.feed(event, at)
    exchange, redacted = recorder.close(Outcome.COMPLETE, at)
    heads = sum(len(name) + len(value) + 4 for name, value in asked + told)
    response = b"".join(stream)
    return Turn(len(body) + len(response) + heads, (body, response), exchange, redacted)


class Cost(Struct):
    """Bytes of each way to keep the same captures, and the CPU of ours."""

    wire: int = 0
    raw: int = 0
    gzipped: int = 0
    single: int = 0
    ours: int = 0
    captures: int = 0
    cpu_s: float = 0.0


def archived(folder: Path, turns: Iterator[Turn], beside: bool) -> tuple[Cost, list[Place]]:
    cost, places = Cost(), []
    writer, single = SegmentWriter(folder), zstandard.ZstdCompressor(level=3)
    for item in turns:
        row = to_builtins(item.exchange)
        cost.captures += 1
        begun = time.process_time()
        record = encode(cost.captures, item.redacted, row)
        places.append(writer.append(record, item.exchange.started))
        cost.cpu_s += time.process_time() - begun
        cost.wire += item.wire_bytes
        cost.raw += len(record)
        if beside:
            cost.gzipped += sum(len(gzip.compress(body)) for body in item.bodies)
            cost.single += len(single.compress(record))
    writer.close()
    cost.ours = sum(path.stat().st_size for path in folder.iterdir())
    return cost, places


def bound(folder: Path, ordered: list[str]) -> int:
    """All records, one session after the other, as small as zstd makes them."""
    parameters = zstandard.ZstdCompressionParameters.from_level(19, window_log=27, enable_ldm=True)
    compressor = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    size = 0
    for name in ordered:
        for _, record in scan(folder / name):
            size += len(compressor.compress(record))
    return size + len(compressor.flush())


def read_ms(folder: Path, places: list[Place]) -> list[float]:
    reader, chance, taken = SegmentReader(folder), Random(1), []
    sealed = [place for place in places if place.segment == places[0].segment]
    reader.read(sealed[-1])
    for place in chance.choices(sealed, k=READS):
        begun = time.perf_counter()
        reader.read(place)
        taken.append((time.perf_counter() - begun) * 1000)
    return sorted(taken)


def line(name: str, size: float, wire: int) -> None:
    echo(f"{name:34}{size / 2**20:10.2f} MiB   1/{wire / size:.1f} of the wire")


def show(name: str, cost: Cost, least: float | None) -> None:
    echo(f"{name}: {cost.captures} captures")
    line("wire", cost.wire, cost.wire)
    line("raw records", cost.raw, cost.wire)
    if cost.gzipped:
        line("gzip per body", cost.gzipped, cost.wire)
        line("zstd -3 per record", cost.single, cost.wire)
    line("ours", cost.ours, cost.wire)
    if least is not None:
        line("bound (zstd -19, 128 MiB window)", least, cost.wire)
        echo(f"{'ours to the bound':34}{cost.ours / least:10.2f} x")
    echo(f"{'CPU per capture':34}{cost.cpu_s / cost.captures * 1e6:10.0f} us")


def interleaved(number: int) -> Iterator[Turn]:
    for turns in zip_longest(*(session(seed) for seed in range(number))):
        yield from (item for item in turns if item is not None)


def main() -> None:
    number = int(sys.argv[1]) if len(sys.argv) > 1 else 64
    with (
        tempfile.TemporaryDirectory() as one,
        tempfile.TemporaryDirectory() as many,
        tempfile.TemporaryDirectory() as few,
    ):
        folder = Path(one)
        cost, _ = archived(folder, session(0), True)
        show("one session", cost, bound(folder, sorted(path.name for path in folder.iterdir())))
        few_cost, _ = archived(Path(few), (item for seed in range(BOUNDED) for item in session(seed)), False)
        each = bound(Path(few), sorted(path.name for path in Path(few).iterdir())) / BOUNDED
        echo()
        show(f"{BOUNDED} sessions, one after the other", few_cost, each * BOUNDED)
        echo()
        cost, places = archived(Path(many), interleaved(number), False)
        show(f"{number} sessions, interleaved", cost, each * number)
        echo(f"(the bound is that of {BOUNDED} sessions, scaled)")
        taken = read_ms(Path(many), places)
        last = taken[int(len(taken) * 0.99)]
        echo(f"\nreading one of a sealed segment: p50 {statistics.median(taken):.1f} ms, p99 {last:.1f} ms")


if __name__ == "__main__":
    main()
