"""Whatever comes, at whatever cuts: no exception, no hang, bounded output. 10,000 examples in CI, a tenth elsewhere."""

import base64
import json
import os
import random
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import corpus
from fuzz.bodies import FRAMINGS, body, matches, said
from mitmeter.exchange import Answer, Exchange, Opening, Outcome, Usage
from mitmeter.recorder import Limits, Recorder
from mitmeter.session import OPEN, Session
from mitmeter.usage.errors import LIMIT
from mitmeter.usage.registry import Match
from mitmeter.wire import MessageDecoder
from mitmeter.wire.codings import Codings

SHARE = 100 if os.environ.get("CI") else 10
TIGHT = Limits(body=1 << 12, decoded=1 << 16, message=1 << 10, ratio=50)
CODINGS = ("", "gzip", "deflate", "br", "zstd", "gzip, br", "unknown")
TYPES = (*FRAMINGS, "", "text/html", "audio/wav", "application/jsonl", "nonsense;;;")
SOCKETS = [match for match in matches() if match.dialect.socket is not None]
JUNK = st.one_of(
    st.binary(max_size=40),
    st.sampled_from(
        [b'"', b"\\", b"{" * 50, b"]" * 9, b"\n\n", b"\r", b"data:", b"null", b"NaN", b"1e999", b"\\ud800"]
    ),
    st.sampled_from([b"\x00\x00\x00\x10" * 4, b"\xff" * 8, b"\xef\xbb\xbf", b"[", b",", b"\x1f\x8b\x08", b"\\u0075"]),
)
# (where, in parts of a thousand; how many bytes go; what comes in their place)
EDITS = st.lists(st.tuples(st.integers(0, 1000), st.integers(0, 30), JUNK), max_size=6)
CUTS = st.lists(st.integers(1, 400), min_size=1, max_size=8)

type Edit = tuple[int, int, bytes]


def examples(share: float) -> settings:
    """Settings for a share of all examples, in percent."""
    slow = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
    return settings(max_examples=int(share * SHARE), deadline=timedelta(seconds=5), suppress_health_check=slow)


def damaged(whole: bytes, edits: Sequence[Edit]) -> bytes:
    for place, gone, junk in edits:
        at = len(whole) * place // 1000
        whole = whole[:at] + junk + whole[at + gone :]
    return whole


def cut(whole: bytes, sizes: Sequence[int]) -> list[bytes]:
    pieces, at, turn = [], 0, 0
    while at < len(whole):
        size = sizes[turn % len(sizes)]
        pieces.append(whole[at : at + size])
        at, turn = at + size, turn + 1
    return pieces


def sound(row: Exchange) -> None:
    """A row that can be stored and shown, whatever it was made of."""
    assert len(row.anomalies) == len(set(row.anomalies)) < 32
    for text in (row.error, row.error_type):
        assert text is None or len(text) <= LIMIT + 3
    counts = [getattr(row.usage, name) for name in Usage.__struct_fields__ if name != "source"]
    assert all(count is None or (type(count) is int and count >= 0) for count in counts)
    assert (row.usage.source is None) or any(count is not None for count in counts)
    json.dumps(msgspec.to_builtins(row))


def recorded(match: Match, content_type: str, coding: str, pieces: Sequence[bytes], request: bytes = b"") -> Exchange:
    headers = (("content-type", content_type), *((("content-encoding", coding),) if coding else ()))
    opening = Opening(flow_id="f", started=1.0, zero=0.0, method="POST", url="https://h.invalid/p", body=request)
    recorder = Recorder(opening, match, limits=TIGHT, secret=b"s" * 32)
    recorder.answer(Answer(status=200, headers=headers), 0.0)
    for number, piece in enumerate(pieces):
        recorder.feed(piece, number / 1000)
    row, redacted = recorder.close(Outcome.COMPLETE, len(pieces) / 1000)
    assert len(redacted.response_body or b"") <= TIGHT.body
    sound(row)
    return row


@examples(50)
@given(st.data(), st.sampled_from(matches()), st.sampled_from(tuple(FRAMINGS)), st.integers(0, 12), EDITS, CUTS)
def test_every_dialect_reads_damaged_bodies(
    data: st.DataObject, match: Match, framing: str, number: int, edits: list[Edit], cuts: list[int]
) -> None:
    chance = random.Random(data.draw(st.integers(0, 2**32)))
    whole = damaged(body(match.dialect, framing, chance.choice, number), edits)
    recorded(match, framing, data.draw(st.sampled_from(("", "", "", "gzip"))), cut(whole, cuts), whole)


@examples(15)
@given(st.sampled_from(matches()), st.sampled_from(TYPES), st.sampled_from(CODINGS), st.binary(max_size=600), CUTS)
def test_every_dialect_reads_anything(match: Match, kind: str, coding: str, whole: bytes, cuts: list[int]) -> None:
    recorded(match, kind, coding, cut(whole, cuts), whole)


@examples(15)
@given(
    st.sampled_from(TYPES), st.booleans(), st.lists(JUNK, max_size=40).map(b"".join), EDITS, CUTS, st.integers(1, 200)
)
def test_every_decoder_reads_anything(
    kind: str, stream: bool, whole: bytes, edits: list[Edit], cuts: list[int], limit: int
) -> None:
    whole = damaged(whole, edits)
    decoder = MessageDecoder(kind, limit=limit, stream=stream)
    messages = [message for piece in cut(whole, cuts) for message in decoder.feed(piece)] + decoder.close()
    ends = [message.end for message in messages]
    assert ends == sorted(ends) and (not ends or 0 < ends[-1] <= len(whole))
    # A failure's frame is told as a document of its own, with its text escaped.
    assert sum(len(message.data) for message in messages) <= 8 * len(whole) + 200
    assert len(decoder.anomalies) == len(set(decoder.anomalies)) < 8


@examples(5)
@given(st.sampled_from(CODINGS[1:]), st.lists(JUNK, max_size=30).map(b"".join), CUTS)
def test_every_coding_undoes_anything(coding: str, whole: bytes, cuts: list[int]) -> None:
    codings = Codings([coding], output_limit=TIGHT.decoded, ratio_limit=TIGHT.ratio)
    size = sum(len(codings.feed(piece)) for piece in cut(whole, cuts)) + len(codings.close())
    assert size <= TIGHT.decoded


@examples(15)
@given(st.data(), st.sampled_from(SOCKETS), st.integers(0, 40), st.lists(EDITS, min_size=1, max_size=5))
def test_every_socket_hears_anything(data: st.DataObject, match: Match, number: int, edits: list[list[Edit]]) -> None:
    chance = random.Random(data.draw(st.integers(0, 2**32)))
    opening = Opening(flow_id="f", started=1.0, zero=0.0, method="GET", url="wss://h.invalid/p?model=m")
    session = Session(opening, Answer(status=101), match, limits=TIGHT, secret=b"s" * 32)
    ended: list[Any] = []
    for turn in range(number):
        from_client, message = said(match.dialect, chance.choice)
        ended += session.feed(damaged(message, edits[turn % len(edits)]), turn / 10, from_client)
        assert len(ended) <= 2 * turn + 2
    last = session.close(Outcome.CLIENT_ABORTED, number / 10)
    assert len(last) <= OPEN and (ended or last)
    for row, redacted in (*ended, *last):
        assert len(redacted.response_body or b"") <= TIGHT.body
        sound(row)


@pytest.mark.skipif(not corpus.FOLDER.is_dir(), reason=corpus.ABSENT)
@examples(5)
@given(st.data(), EDITS, CUTS)
def test_recorded_bodies_damaged(data: st.DataObject, edits: list[Edit], cuts: list[int]) -> None:
    case = corpus.cases()[data.draw(st.integers(0, len(corpus.cases()) - 1))]
    whole = damaged(base64.b64decode(case["response_body"] or "")[:20_000], edits)
    reader = corpus.match(case)
    kinds = [value for name, value in corpus.response_headers(case) if name.lower() == "content-type"]
    if reader is not None:
        recorded(reader, next(iter(kinds), ""), "", cut(whole, [size * 20 for size in cuts]), corpus.request_body(case))
