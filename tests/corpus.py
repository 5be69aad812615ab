"""The recorded interactions of `../shared/corpus`, read in place, through the real recorder."""

import base64
import json
import lzma
import random
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from mitmeter.exchange import Answer, Exchange, Opening, Outcome
from mitmeter.recorder import Recorder
from mitmeter.redact import Redacted
from mitmeter.usage.registry import Match, find

SHARED = Path(__file__).resolve().parents[2] / "shared"
FOLDER = SHARED / "corpus"
ABSENT = f"{FOLDER} is not there: the recordings are kept outside this repository"

type Case = dict[str, Any]


def name(case: Case) -> str:
    return f"{case['source_repo']}/{case['path']}#{case['index']}"


@cache
def cases() -> tuple[Case, ...]:
    return tuple(_cases())


def _cases() -> Iterator[Case]:
    for path in sorted(FOLDER.glob("*.jsonl.xz")):
        with lzma.open(path, "rt", encoding="utf-8") as lines:
            for line in lines:
                case = json.loads(line)
                if "url" in case and "status" in case:
                    yield case


def place(case: Case) -> tuple[str, str]:
    """Host and path of a case; where the recorder replaced the host by a placeholder, there is none."""
    url = case["url"]
    if "://" not in url:
        return "", "/" + url.partition("/")[2].partition("?")[0]
    parts = urlsplit(url.replace("<", "").replace(">", ""))
    return parts.hostname or "", parts.path


def match(case: Case) -> Match | None:
    host, path = place(case)
    return find(case["method"], host, path)


def pieces(body: bytes, seed: int, per_byte: bool = False) -> Iterator[bytes]:
    if per_byte:
        yield from (body[at : at + 1] for at in range(len(body)))
        return
    chance = random.Random(seed)
    at = 0
    while at < len(body):
        size = chance.choice((1, 2, 7, 40, 300, 5000, 70000))
        yield body[at : at + size]
        at += size


def request_body(case: Case) -> bytes:
    text = case.get("request_body")
    if not text or case.get("request_body_cut"):
        return (text or "").encode("utf-8", "replace")
    return base64.b64decode(text) if case.get("request_body_encoding") == "base64" else text.encode("utf-8", "replace")


def record(case: Case, seed: int = 0, per_byte: bool = False) -> tuple[Exchange, Redacted]:
    host, path = place(case)
    opening = Opening(
        flow_id="corpus",
        started=0.0,
        zero=0.0,
        method=case["method"],
        url=f"https://{host or 'host.invalid'}{path}",
        headers=tuple((name, value) for name, value in case["request_headers"] or ()),
        body=request_body(case),
    )
    recorder = Recorder(opening, match(case))
    headers = tuple((name, value) for name, value in case["response_headers"] or ())
    if case["body_encoding"] in ("identity", "stale-header"):
        headers = tuple(header for header in headers if header[0].lower() != "content-encoding")
    recorder.answer(Answer(status=case["status"], headers=headers), 0.0)
    for at, piece in enumerate(pieces(base64.b64decode(case["response_body"] or ""), seed, per_byte)):
        recorder.feed(piece, 0.001 * at)
    return recorder.close(Outcome.COMPLETE, 1.0)
