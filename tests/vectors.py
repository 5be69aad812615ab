"""The vectors of `../shared/vectors/llama-swap.json`, read in place: what llama-swap does, as data."""

import base64
import json
import random
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from mitmeter.exchange import Answer, Exchange, Headers, Opening, Outcome
from mitmeter.recorder import Recorder
from mitmeter.redact import Redacted
from mitmeter.usage.registry import find

VECTORS = Path(__file__).resolve().parents[2] / "shared" / "vectors" / "llama-swap.json"
ABSENT = f"{VECTORS} is not there: the vectors are kept outside this repository"
HOST = "engine.invalid"
REQUEST = b'{"model":"model"}'

type Vector = dict[str, Any]


@cache
def groups() -> dict[str, Any]:
    """Every group by name; empty where the vectors are absent."""
    loaded: dict[str, Any] = json.loads(VECTORS.read_text(encoding="utf-8")) if VECTORS.is_file() else {}
    return loaded


def group(name: str) -> list[Vector]:
    """The vectors of a group, without the notes around them."""
    found = groups().get(name, [])
    listed: list[Vector] = found if isinstance(found, list) else next(v for v in found.values() if isinstance(v, list))
    return listed


def cases(name: str, key: str = "id") -> list[Any]:
    """The vectors of a group as parameters; one that skips and says why where they are absent."""
    named = [pytest.param(vector, id=vector[key]) for vector in group(name)]
    return named or [pytest.param({}, id="absent", marks=pytest.mark.skip(reason=ABSENT))]


def pieces(body: bytes, seed: int | str) -> Iterator[bytes]:
    """The body cut at random, the same each time."""
    chance = random.Random(seed)
    at = 0
    while at < len(body):
        size = chance.choice((1, 2, 7, 40, 300))
        yield body[at : at + size]
        at += size


def body_of(message: Vector) -> bytes:
    """A body as bytes, whichever way it is written."""
    if message.get("body_b64"):
        return base64.b64decode(message["body_b64"])
    return str(message.get("body") or "").encode()


def lines(headers: dict[str, list[str]]) -> Headers:
    """Header lines in our order-keeping form."""
    return tuple((name, value) for name, values in headers.items() for value in values)


def record(
    path: str,
    answer: Answer,
    body: bytes,
    *,
    method: str = "POST",
    headers: Headers = (("Content-Type", "application/json"),),
    request: bytes = REQUEST,
    host: str = HOST,
    seed: int | str = 0,
) -> tuple[Exchange, Redacted] | None:
    """Record one exchange, the body fed at random cuts, a millisecond apart; None where no dialect claims its path."""
    match = find(method, host, path.partition("?")[0])
    if match is None:
        return None
    opening = Opening(
        flow_id="vector",
        started=0.0,
        zero=0.0,
        method=method,
        url=f"https://{host}{path}",
        headers=headers,
        body=request,
    )
    recorder = Recorder(opening, match)
    recorder.answer(answer, 0.001)
    ended = 0.002
    for piece in pieces(body, seed):
        ended += 0.001
        recorder.feed(piece, ended)
    return recorder.close(Outcome.COMPLETE, ended)
