"""Secrets in AWS event streams: in payloads, in the base64 within them, over several frames; frames stay whole."""

import base64
import json
import struct
from binascii import crc32
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mitmeter.redact import Redactor
from mitmeter.usage.registry import find
from mitmeter.usage.reply import Reply
from mitmeter.wire.eventstream import EventStreamDecoder

SECRET = "sk-ant-api03-aB3dE5gH7jK9mN1pQ3sT5vW7yZ9-aB3dE5gH7jK9"
KEY = "9d8f7a6b5c4e3d2f1a0b"
HEAD = (("authorization", f"Bearer {KEY}"),)
LIMIT = 1 << 20


def frame(payload: bytes, **headers: str) -> bytes:
    named = b"".join(
        struct.pack(">B", len(name)) + name.encode() + struct.pack(">BH", 7, len(value)) + value.encode()
        for name, value in ({":event-type": "chunk", ":message-type": "event"} | headers).items()
    )
    prelude = struct.pack(">II", 16 + len(named) + len(payload), len(named))
    body = prelude + struct.pack(">I", crc32(prelude)) + named + payload
    return body + struct.pack(">I", crc32(body))


def said(text: str) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}}


def wrapped(event: dict[str, Any]) -> bytes:
    return frame(json.dumps({"bytes": base64.b64encode(json.dumps(event).encode()).decode(), "p": "abc"}).encode())


def plain(text: str) -> bytes:
    return frame(json.dumps({"contentBlockIndex": 0, "delta": {"text": text}, "p": "abc"}).encode())


def told(path: str, body: bytes) -> str:
    """The reply as the content view shows it; every frame is whole."""
    match, decoder = find("POST", "bedrock-runtime.us-east-1.amazonaws.com", path), EventStreamDecoder(LIMIT)
    assert match is not None
    reply = Reply(match.dialect, streaming=True)
    reply.feed(decoder.feed(body) + decoder.close())
    assert decoder.anomalies == []
    return "".join(block.text for block in reply.blocks())


INVOKED, CONVERSED = "/model/anthropic.claude/invoke-with-response-stream", "/model/x/converse-stream"


@pytest.mark.parametrize("secret", [SECRET, KEY], ids=["by its shape", "the exchange's own"])
@settings(deadline=None, max_examples=60)
@given(data=st.data(), path=st.sampled_from((INVOKED, CONVERSED)))
def test_a_secret_is_gone_and_the_frames_are_whole(data: st.DataObject, path: str, secret: str) -> None:
    cuts = sorted(data.draw(st.sets(st.integers(1, len(secret) - 1), max_size=6)))
    pieces = [secret[start:end] for start, end in pairwise((0, *cuts, len(secret)))]
    texts = ["This is", " it: ", *pieces, ", and", " that is all"]
    body = b"".join(wrapped(said(text)) if path == INVOKED else plain(text) for text in texts)
    cleaned = Redactor(HEAD, "https://h/p").body(body, stream=True) or b""
    reply = told(path, cleaned)
    assert reply.startswith("This is it: [REDACTED") and reply.endswith("], and that is all")
    assert secret[4:16] not in reply


@pytest.mark.parametrize("secret", [SECRET, KEY], ids=["by its shape", "the exchange's own"])
@given(cuts=st.sets(st.integers(1, 150), max_size=12))
def test_a_secret_in_pieces_of_a_body_is_gone(secret: str, cuts: set[int]) -> None:
    lines = b"".join(b'data: {"text":"%s"}\n\n' % text.encode() for text in ("a", f"it is {secret}", ", b"))
    edges = (0, *sorted(cut for cut in cuts if cut < len(lines)), len(lines))
    body = b"".join(frame(lines[one:other], **{":event-type": "PayloadPart"}) for one, other in pairwise(edges))
    cleaned, decoder = Redactor(HEAD, "https://h/p").body(body, stream=True) or b"", EventStreamDecoder(LIMIT)
    whole = b"".join(one.data for one in decoder.feed(cleaned))
    assert decoder.anomalies == [] and secret.encode() not in whole
    assert whole.startswith(b'data: {"text":"a"}\n\ndata: {"text":"it is [REDACTED')
    assert whole.endswith(b']"}\n\ndata: {"text":", b"}\n\n')


@pytest.mark.parametrize("cut", [1, 40, 150])
def test_a_body_that_was_cut(cut: int) -> None:
    body = b"".join(map(wrapped, (said("a"), said(f"the key {SECRET}"), said("b"))))[:-cut]
    cleaned = Redactor((), "").body(body, stream=True, cut=True) or b""
    decoder = EventStreamDecoder(LIMIT)
    texts = [base64.b64decode(json.loads(one.data)["bytes"]) for one in decoder.feed(cleaned)]
    assert len(texts) == 2 and b"[REDACTED:anthropic]" in texts[1] and SECRET.encode() not in texts[1]


def test_what_holds_no_secret_stays() -> None:
    body = b"".join(map(wrapped, (said("a"), said("b")))) + frame(b"{}", **{":exception-type": "throttled"})
    assert Redactor(HEAD, "https://h/p").body(body, stream=True) == body


@given(st.binary(max_size=60), st.booleans())
def test_nothing_raises(junk: bytes, whole: bool) -> None:
    body = wrapped(said(SECRET)) + (b'{"bytes":"' if whole else b"") + junk
    assert SECRET.encode() not in (Redactor((), "").body(body, stream=True) or b"")
