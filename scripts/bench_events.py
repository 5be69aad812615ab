"""What the worker pays for one exchange, next to a plain `json.loads` of every event in the same run."""

import json
import struct
import sys
import tempfile
import time
import timeit
from binascii import crc32
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

from msgspec import to_builtins

from mitmeter.archive.record import encode
from mitmeter.archive.segments import SegmentWriter
from mitmeter.exchange import Answer, Exchange, Headers, Opening, Outcome
from mitmeter.recorder import Recorder
from mitmeter.redact import Redacted
from mitmeter.shelf import Item, Shelf
from mitmeter.usage.registry import Match, find

EVENTS = 300
TOGETHER = 75
SECRET = b"x" * 32
HEAD = (("content-type", "application/json"), ("authorization", "Bearer none"), ("user-agent", "bench"))

type Stream = tuple[str, str, str, list[bytes], list[str]]


def words(seed: int, number: int) -> list[str]:
    chance = Random(seed)
    letters = "etaoinshrdlucmfwypvbgkjqxz"
    return [" " + "".join(chance.choices(letters, k=chance.randint(1, 9))) for _ in range(number)]


def dumps(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def chat() -> Stream:
    base = {"id": "chatcmpl-AbCdEfGhIjKlMnOpQrStUvWx", "object": "chat.completion.chunk", "created": 1767225600}
    base |= {"model": "gpt-4o-2024-08-06", "system_fingerprint": "fp_44709d6fcb"}

    def event(delta: dict[str, str], finish: str | None = None) -> dict[str, object]:
        return {**base, "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}]}

    events: list[dict[str, object]] = [event({"role": "assistant", "content": ""})]
    events += [event({"content": word}) for word in words(1, EVENTS)]
    usage = {"prompt_tokens": 500, "completion_tokens": EVENTS, "total_tokens": 500 + EVENTS}
    events += [event({}, "stop"), {**base, "choices": [], "usage": usage}]
    texts = [dumps(one) for one in events]
    wire = [f"data: {text}\n\n".encode() for text in texts] + [b"data: [DONE]\n\n"]
    return "chat completions", "/v1/chat/completions", "text/event-stream", wire, texts


def messages() -> Stream:
    usage = {"input_tokens": 500, "cache_read_input_tokens": 0, "output_tokens": 1}
    start = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude", "content": [], "usage": usage}
    events: list[dict[str, object]] = [{"type": "message_start", "message": start}]
    events.append({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}})
    said = [{"type": "text_delta", "text": word} for word in words(2, EVENTS)]
    events += [{"type": "content_block_delta", "index": 0, "delta": delta} for delta in said]
    events.append({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": EVENTS}})
    events.append({"type": "message_stop"})
    texts = [dumps(one) for one in events]
    wire = [f"event: {one['type']}\ndata: {text}\n\n".encode() for one, text in zip(events, texts, strict=True)]
    return "messages", "/v1/messages", "text/event-stream", wire, texts


def responses() -> Stream:
    response = {"id": "resp_1", "object": "response", "status": "in_progress", "model": "gpt-5", "usage": None}
    events: list[dict[str, object]] = [{"type": "response.created", "sequence_number": 0, "response": response}]
    for number, word in enumerate(words(3, EVENTS), 1):
        place = {"item_id": "msg_0123456789abcdef", "output_index": 0, "content_index": 0, "logprobs": []}
        padding = {"obfuscation": "aVRq3kXo"[: 1 + number % 8]}
        delta = {"type": "response.output_text.delta", "sequence_number": number, **place, "delta": word, **padding}
        events.append(delta)
    usage = {"input_tokens": 500, "output_tokens": EVENTS, "total_tokens": 500 + EVENTS}
    events.append({"type": "response.completed", "response": {**response, "status": "completed", "usage": usage}})
    texts = [dumps(one) for one in events]
    wire = [f"event: {one['type']}\ndata: {text}\n\n".encode() for one, text in zip(events, texts, strict=True)]
    return "responses", "/v1/responses", "text/event-stream", wire, texts


def generate_content() -> Stream:
    texts = []
    for number, word in enumerate(words(4, EVENTS), 1):
        usage = {"promptTokenCount": 500, "candidatesTokenCount": number, "totalTokenCount": 500 + number}
        candidate = {"content": {"parts": [{"text": word}], "role": "model"}, "index": 0}
        texts.append(dumps({"candidates": [candidate], "usageMetadata": usage, "modelVersion": "gemini-2.5-flash"}))
    wire = [f"data: {text}\r\n\r\n".encode() for text in texts]
    path = "/v1beta/models/gemini-2.5-flash:streamGenerateContent"
    return "generateContent", path, "text/event-stream", wire, texts


def generate_content_array() -> Stream:
    _, path, _, _, texts = generate_content()
    wire = [(b",\r\n" if number else b"[") + text.encode() for number, text in enumerate(texts)]
    return "  as a JSON array", path, "application/json", [*wire[:-1], wire[-1] + b"]"], texts


def frame(headers: dict[str, str], payload: bytes) -> bytes:
    named = b"".join(
        struct.pack(">B", len(name)) + name.encode() + struct.pack(">BH", 7, len(value)) + value.encode()
        for name, value in headers.items()
    )
    prelude = struct.pack(">II", 16 + len(named) + len(payload), len(named))
    body = prelude + struct.pack(">I", crc32(prelude)) + named + payload
    return body + struct.pack(">I", crc32(body))


def converse() -> Stream:
    events: list[tuple[str, dict[str, object]]] = [("messageStart", {"role": "assistant"})]
    said = [{"contentBlockIndex": 0, "delta": {"text": word}, "p": "abcdefghijk"} for word in words(5, EVENTS)]
    events += [("contentBlockDelta", delta) for delta in said]
    events.append(("messageStop", {"stopReason": "end_turn"}))
    usage = {"inputTokens": 500, "outputTokens": EVENTS, "totalTokens": 500 + EVENTS}
    events.append(("metadata", {"usage": usage, "metrics": {"latencyMs": 900}}))
    texts = [dumps(event) for _, event in events]
    kinds = [{":event-type": name, ":content-type": "application/json", ":message-type": "event"} for name, _ in events]
    wire = [frame(kind, text.encode()) for kind, text in zip(kinds, texts, strict=True)]
    return "converse-stream", "/model/x/converse-stream", "application/vnd.amazon.eventstream", wire, texts


def best_us(work: Callable[[], object], number: int = 10) -> float:
    return min(timeit.repeat(work, number=number, repeat=15, timer=time.thread_time)) / number * 1e6


def opening(path: str, body: bytes, headers: Headers = HEAD) -> Opening:
    address = f"http://h{path}"
    return Opening(flow_id="b" * 36, started=1.0, zero=0.0, method="POST", url=address, headers=headers, body=body)


def fed(stream: Stream, match: Match, body: bytes) -> Callable[[], Recorder]:
    """What reads a stream: codings, framing, usage."""
    _, path, content_type, wire, _ = stream
    asked = opening(path, body)
    answer = Answer(status=200, headers=(("content-type", content_type), ("set-cookie", "a=b")))
    chunks = [(piece, 0.01 * at) for at, piece in enumerate(wire)]

    def work() -> Recorder:
        recorder = Recorder(asked, match, secret=SECRET)
        recorder.answer(answer, 0.0)
        for at in range(0, len(chunks), TOGETHER):
            recorder.feed_all(chunks[at : at + TOGETHER])
        return recorder

    return work


def recorded(stream: Stream, match: Match, body: bytes) -> Callable[[], tuple[Exchange, Redacted]]:
    """What makes a row and a redacted capture of it."""
    work = fed(stream, match, body)
    return lambda: work().close(Outcome.COMPLETE, 9.0)


ASKED = {"model": "gpt-4o", "temperature": 0.7, "messages": [{"role": "user", "content": "Where does it rain? " * 15}]}
ANSWERED = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1767225600,
    "model": "gpt-4o-2024-08-06",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "In Bergen. " * 10}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 60, "completion_tokens": 2, "total_tokens": 62},
}
FIELDS = (
    *(("Host", "api.openai.com"), ("Accept", "application/json"), ("Accept-Encoding", "gzip, deflate")),
    *(("Connection", "keep-alive"), ("User-Agent", "bench/1.0"), ("Content-Type", "application/json")),
    *(("Authorization", f"Bearer {'a1B2c3D4' * 5}"), ("X-Stainless-Lang", "python"), ("X-Stainless-OS", "Linux")),
)
TOLD = (
    *(("Date", "Sat, 28 Nov 2026 03:00:00 GMT"), ("Content-Type", "application/json"), ("Server", "cloudflare")),
    *(("x-ratelimit-limit-requests", "10000"), ("x-ratelimit-remaining-requests", "9999"), ("cf-ray", "8d0f-FRA")),
    *(("openai-processing-ms", "321"), ("set-cookie", "__cf_bm=abcdefghijklmnopqrstuvwxyz; path=/")),
)
ROWS = 64


def small(folder: Path) -> str:
    """A small JSON exchange, from its bytes to the database, where `ROWS` are written together."""
    asked = opening("/v1/chat/completions", dumps(ASKED).encode(), FIELDS)
    match, body, chance = find("POST", "api.openai.com", "/v1/chat/completions"), dumps(ANSWERED).encode(), Random(1)

    def record() -> tuple[Exchange, Redacted]:
        recorder = Recorder(asked, match, secret=SECRET)
        own = ("x-request-id", f"req_{chance.getrandbits(64):016x}")
        recorder.answer(Answer(status=200, reason="OK", headers=(*TOLD, own)), 0.1)
        recorder.whole(body, 0.2)
        return recorder.close(Outcome.COMPLETE, 0.2)

    def together() -> list[Item]:
        return [record() for _ in range(ROWS)]

    with Shelf(folder) as shelf:
        made, items = best_us(together, 1) / ROWS, together()
        written = best_us(lambda: shelf.write(items, 1.0, {}), 1) / ROWS
    sizes = f"{len(asked.body or b''):,} and {len(body):,} bytes of JSON"
    return f"  {sizes}: {made + written:6.0f}   recorder and redaction {made:4.0f}, capture and row {written:4.0f}"


def lines(folder: Path) -> Iterator[str]:
    small_body = b'{"model":"m","stream":true,"messages":[]}'
    yield "                                             reading                    and recording, redacted"
    yield "stream             events    kB  json.loads       us  us/event  ratio        us  us/event  ratio"
    for stream in (chat(), messages(), responses(), generate_content(), generate_content_array(), converse()):
        name, path, _, wire, texts = stream
        match = find("POST", "host.invalid", path)
        if match is None:
            yield f"{name:<18}no dialect reads {path}"
            continue
        work = recorded(stream, match, small_body)
        assert work()[0].usage.output_tokens == EVENTS, name
        plain = best_us(lambda texts=texts: [json.loads(text) for text in texts])  # type: ignore[misc]
        read, ours = best_us(fed(stream, match, small_body)), best_us(work)
        counted = f"{name:<18}{len(wire):>7}{sum(map(len, wire)) / 1000:>6.0f}{plain:>12.0f}"
        columns = (f"{taken:>9.0f}{taken / len(wire):>10.2f}{plain / taken:>7.2f}" for taken in (read, ours))
        yield counted + " ".join(columns)
    yield ""
    yield "one chat exchange, all included (recorder, redaction, CBOR, zstd), us; the bar scales with json.loads"
    stream = chat()
    match = find("POST", "api.openai.com", stream[1])
    assert match is not None
    plain = best_us(lambda: [json.loads(text) for text in stream[4]])
    for size, bar in ((2_000, 335), (200_000, 1_481), (2_000_000, 12_749)):
        text = "".join(words(size, size // 6))[:size]
        body = dumps({"model": "m", "stream": True, "messages": [{"role": "user", "content": text}]}).encode()
        work, writer = recorded(stream, match, body), SegmentWriter(folder / str(size))

        def whole(work: Callable[[], tuple[Exchange, Redacted]] = work, writer: SegmentWriter = writer) -> None:
            exchange, redacted = work()
            writer.append(encode(1, redacted, to_builtins(exchange)), 1.0)

        ours, limit = best_us(whole, 3), bar * plain / 735
        yield f"  request of {size:>9,} bytes: {ours:8.0f}   bar {limit:8.0f}   {ours / limit:5.2f} of it"
        writer.close()
    yield ""
    yield f"one small exchange, all included (and SQLite, {ROWS} in a transaction), us"
    yield small(folder / "small")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        for line in lines(Path(folder)):
            sys.stdout.write(line + "\n")
            sys.stdout.flush()
