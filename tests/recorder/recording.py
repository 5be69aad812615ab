"""A recorder at work: an exchange on an unclaimed host that starts at 50 seconds, and pieces of a chat stream."""

import json
from collections.abc import Iterable
from typing import Any

from mitmeter.exchange import Answer, Client, Exchange, Headers, Opening, Outcome
from mitmeter.recorder import Limits, Recorder
from mitmeter.redact import Redacted
from mitmeter.usage.registry import find

JSON: Headers = (("Content-Type", "application/json"),)
SSE: Headers = (("Content-Type", "text/event-stream"),)
CHAT = "/v1/chat/completions"
ASKED = b'{"model":"asked","stream":true}'
USAGE = '{"choices":[],"usage":{"prompt_tokens":4,"completion_tokens":11}}'
DOCUMENT = b'{"model":"m","usage":{"prompt_tokens":4,"completion_tokens":11}}'
SALT = b"secret"

type Chunk = tuple[bytes, float]


def recorder(
    path: str = CHAT,
    *,
    headers: Headers = JSON,
    body: bytes | None = ASKED,
    limits: Limits | None = None,
    host: str = "h.invalid",
) -> Recorder:
    opening = Opening(
        flow_id="f",
        started=1000.0,
        zero=50.0,
        method="POST",
        url=f"https://{host}{path}",
        headers=headers,
        body=body,
        client=Client(address="127.0.0.1", agent="test"),
    )
    return Recorder(opening, find("POST", host, path.partition("?")[0]), limits=limits, secret=SALT)


def event(payload: str) -> bytes:
    return f"data: {payload}\n\n".encode()


def delta(**members: Any) -> bytes:
    return event(json.dumps({"choices": [{"index": 0, "delta": members}]}))


def ended(
    recording: Recorder,
    chunks: Iterable[Chunk] = (),
    *,
    status: int = 200,
    headers: Headers = SSE,
    outcome: Outcome = Outcome.COMPLETE,
    at: float = 60.0,
    cause: str | None = None,
) -> tuple[Exchange, Redacted]:
    recording.answer(Answer(status=status, headers=headers), 50.1)
    for chunk, arrived in chunks:
        recording.feed(chunk, arrived)
    return recording.close(outcome, at, cause)


STREAM: tuple[Chunk, ...] = (
    (delta(role="assistant", content=""), 50.2),
    (b": ping\n\n", 50.25),
    (delta(content="a"), 50.5),
    (delta(content="b"), 50.75),
    (delta(content="c"), 51.5),
    (event(USAGE), 51.6),
    (event("[DONE]"), 51.7),
)
TOKEN = delta(content="a")
FAILED = event('{"error":{"message":"boom","type":"server_error"}}')
DONE = event("[DONE]")
