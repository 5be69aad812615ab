"""What a long fuzz runs: targets that each build something out of a random source, hand it in and check what comes out.

A target raises where something is wrong, and does the same again for the same seed. What is built begins as something
sound that is damaged, so that it gets past the first byte.
"""

import base64
import io
import json
import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

import msgspec
from rich.console import Console

import corpus
from fuzz.bodies import FRAMINGS, body, matches, said
from fuzz.making import JUNK, captured, coded, cut, damaged, events, listed, logs, planted, scratch, unlike
from mitmeter import flows, summary, tables
from mitmeter.archive.content import content, records
from mitmeter.archive.record import RecordError, decode, encode, verify
from mitmeter.archive.segments import SegmentError, SegmentReader, SegmentWriter
from mitmeter.exchange import Answer, Exchange, Headers, Opening, Outcome, Place, Usage
from mitmeter.inflight import InFlight
from mitmeter.recorder import Limits, Recorder
from mitmeter.recordings import Unreadable, metered, recorded
from mitmeter.redact import Redacted, Redactor
from mitmeter.session import OPEN, Session
from mitmeter.store.surface import to_json
from mitmeter.terminal import as_json
from mitmeter.usage.errors import LIMIT
from mitmeter.usage.registry import Match, find
from mitmeter.wire import MessageDecoder
from mitmeter.wire.codings import Codings

TIGHT = Limits(body=1 << 12, decoded=1 << 16, message=1 << 10, ratio=50)
ROOMY = Limits(body=1 << 20, decoded=1 << 22, message=1 << 20)
TYPES = (*FRAMINGS, "", "text/html", "audio/wav", "application/jsonl", "nonsense;;;")
RUN = 12

type Target = Callable[[Random], None]


def sound(row: Exchange) -> None:
    """Check that a row can be stored and shown."""
    assert len(row.anomalies) == len(set(row.anomalies)) < 32, row.anomalies
    for text in (row.error, row.error_type):
        assert text is None or len(text) <= LIMIT + 3
    counts = [getattr(row.usage, name) for name in Usage.__struct_fields__ if name != "source"]
    assert all(count is None or (type(count) is int and count >= 0) for count in counts)
    assert (row.usage.source is None) or any(count is not None for count in counts)
    json.dumps(msgspec.to_builtins(row))


def record(
    match: Match | None,
    kind: str,
    coding: str,
    pieces: list[bytes],
    limits: Limits,
    request: bytes = b"",
    headers: Headers = (),
    query: str = "",
) -> tuple[Exchange, Redacted]:
    """Record an exchange whose answer comes in these pieces."""
    told = (("content-type", kind), *((("content-encoding", coding),) if coding else ()))
    opening = Opening(
        flow_id="f",
        started=1.0,
        zero=0.0,
        method="POST",
        url=f"https://h.invalid/p{query}",
        headers=headers,
        body=request,
    )
    recorder = Recorder(opening, match, limits=limits, secret=b"s" * 32)
    recorder.answer(Answer(status=200, headers=told), 0.0)
    for number, piece in enumerate(pieces):
        recorder.feed(piece, number / 1000)
    row, redacted = recorder.close(Outcome.COMPLETE, len(pieces) / 1000)
    assert len(redacted.response_body or b"") <= limits.body + 64
    sound(row)
    return row, redacted


def alike(match: Match | None, kind: str, coding: str, whole: bytes, chance: Random, request: bytes = b"") -> None:
    """Record a body in one piece and in several: both come to the same row and capture."""
    limits = chance.choice((TIGHT, ROOMY))
    one = record(match, kind, coding, [whole] if whole else [], limits, request)
    other = record(match, kind, coding, list(cut(whole, chance)), limits, request)
    words = " ".join((*one[0].anomalies, *other[0].anomalies))
    if not any(word in words for word in ("limit", "ratio", "long", "bomb")):
        for name in ("usage", "model", "finish", "error", "error_type", "outcome", "response_id", "service_tier"):
            assert getattr(one[0], name) == getattr(other[0], name), (name, match and match.dialect.api, kind, coding)
        assert one[1].response_body == other[1].response_body


def dialects(chance: Random) -> None:
    """Bodies of every dialect, damaged."""
    match, framing = chance.choice(matches()), chance.choice(tuple(FRAMINGS))
    whole = damaged(body(match.dialect, framing, chance.choice, chance.randint(0, 12)), chance)
    coding = chance.choice(("", "", "", "", "gzip", "br", "zstd", "deflate", "gzip, br"))
    alike(match, framing, coding, coded(whole, coding, chance), chance, whole)


def recordings(chance: Random) -> None:
    """Recorded bodies, damaged; where there are none, nothing."""
    if not corpus.FOLDER.is_dir():
        return
    case = chance.choice(corpus.cases())
    whole = damaged(base64.b64decode(case["response_body"] or "")[:20_000], chance)
    kinds = [value for name, value in corpus.response_headers(case) if name.lower() == "content-type"]
    alike(corpus.match(case), next(iter(kinds), ""), "", whole, chance, damaged(corpus.request_body(case), chance))


def decoders(chance: Random) -> None:
    """Every framing, of anything, in one piece and in several."""
    kind, stream, limit = chance.choice(TYPES), chance.random() < 0.5, chance.choice((1, 20, 200, 1 << 20))
    match = chance.choice(matches())
    sound_one = body(match.dialect, chance.choice(tuple(FRAMINGS)), chance.choice, chance.randint(0, 5))
    whole = damaged(chance.choice((sound_one, b"".join(chance.choices(JUNK[:-1], k=20)))), chance)
    told = []
    for pieces in ([whole], list(cut(whole, chance))):
        decoder = MessageDecoder(kind, limit=limit, stream=stream)
        messages = [message for piece in pieces for message in decoder.feed(piece)] + decoder.close()
        ends = [message.end for message in messages]
        assert ends == sorted(ends) and (not ends or 0 < ends[-1] <= len(whole))
        assert sum(len(message.data) for message in messages) <= 8 * len(whole) + 200
        assert len(decoder.anomalies) == len(set(decoder.anomalies)) < 8
        told.append([message.data for message in messages])
    assert told[0] == told[1], (kind, limit, stream)


def codings(chance: Random) -> None:
    """Every coding, of anything: bounded, and the same in one piece and in several."""
    coding = chance.choice(("gzip", "deflate", "br", "zstd", "gzip, br", "zstd, gzip", "x-gzip", "unknown"))
    plain = chance.choice(
        (b"".join(chance.choices(JUNK, k=30)), b"a" * chance.randint(0, 1 << 18), chance.randbytes(300))
    )
    whole = damaged(coded(plain, coding, chance), chance)
    told, flagged = [], []
    for pieces in ([whole], list(cut(whole, chance))):
        undoing = Codings([coding], output_limit=TIGHT.decoded, ratio_limit=TIGHT.ratio)
        told.append(b"".join(undoing.feed(piece) for piece in pieces) + undoing.close())
        flagged += undoing.anomalies
        assert len(told[-1]) <= max(TIGHT.decoded, len(whole)), "more than was sent and more than is allowed"
    if not flagged:
        assert told[0] == told[1]


def sockets(chance: Random) -> None:
    """Conversations on WebSockets, damaged."""
    match = chance.choice([match for match in matches() if match.dialect.socket is not None])
    opening = Opening(flow_id="f", started=1.0, zero=0.0, method="GET", url="wss://h.invalid/p?model=m")
    session = Session(opening, Answer(status=101), match, limits=TIGHT, secret=b"s" * 32)
    ended: list[Any] = []
    for turn in range(chance.randint(0, 60)):
        from_client, message = said(match.dialect, chance.choice)
        ended += session.feed(damaged(message, chance), turn / 10, from_client)
        assert len(ended) <= 2 * turn + 2
    last = session.close(Outcome.CLIENT_ABORTED, 99.0)
    assert len(last) <= OPEN and (ended or last)
    for row, redacted in (*ended, *last):
        assert len(redacted.response_body or b"") <= TIGHT.body + 64
        sound(row)


def redaction(chance: Random) -> None:
    """A key in a request, and again in both bodies: no run of it is left, and JSON stays JSON."""
    secret, headers, query = planted(chance)
    around = "".join(
        chance.choices((" ", "\n", '"', "\\", "é", "€", "{", "x", "\u2028", "word "), k=chance.randint(0, 30))
    )
    text = f"{around} {secret} {around}"
    asked = json.dumps(
        {"model": "m", "input": [around, text], "n": {"deep": [secret]}}, ensure_ascii=chance.random() < 0.5
    )
    streams = chance.random() < 0.6
    answer = events(text, chance) if streams else json.dumps({"error": {"message": text, "type": secret}}).encode()
    kind = "text/event-stream" if streams else "application/json"
    match = find("POST", "h.invalid", "/v1/chat/completions")
    pieces = list(cut(answer, chance))
    row, redacted = record(match, kind, "", pieces, ROOMY, asked.encode("utf-8", "surrogatepass"), headers, query)
    spoken = "".join(
        json.loads(line[6:])["choices"][0]["delta"]["content"]
        for line in (redacted.response_body or b"").split(b"\n\n")
        if streams and line.startswith(b"data: ")
    )
    left = encode(1, redacted, msgspec.to_builtins(row)) + spoken.encode("utf-8", "surrogatepass")
    runs = {secret[at : at + RUN] for at in range(len(secret) - RUN + 1)}
    found = [run for run in runs if run.encode() in left and run.strip("abcdefghijklmnopqrstuvwxyz_")]
    assert not found, (secret, headers, query)
    json.loads(redacted.request_body or b"")


def bodies(chance: Random) -> None:
    """Redaction of anything: no exception, a body without a secret stays as it is, a document stays one."""
    match = chance.choice(matches())
    whole = damaged(body(match.dialect, chance.choice(tuple(FRAMINGS)), chance.choice, chance.randint(0, 12)), chance)
    secret, headers, query = planted(chance)
    redactor = Redactor(headers, f"https://h.invalid/p{query}")
    stream = chance.random() < 0.5
    assert redactor.body(whole, stream=stream) == whole or any(shape in whole for shape in (b"sk-", b"key", b"Bearer"))
    with_secret = damaged(whole[: len(whole) // 2] + secret.encode() + whole[len(whole) // 2 :], chance)
    redactor.body(with_secret, stream=stream, cut=chance.random() < 0.5)
    redactor.text(with_secret.decode("utf-8", "surrogateescape"))


def codec(chance: Random) -> None:
    """Records: what is written comes back, what is damaged is a RecordError or a record of the right types."""
    data = encode(chance.choice((0, 7, 2**63 - 1)), captured(chance), chance.choice((None, {"a": [1, None, "é"]})))
    verify(data)
    decode(data)
    broken = damaged(data, chance)
    with suppress(RecordError):
        again = decode(broken)
        msgspec.convert(msgspec.to_builtins(again, builtin_types=(bytes,)), type(again))


def archive(chance: Random) -> None:
    """Segments, damaged: what is not read right is a SegmentError."""
    with scratch() as folder:
        writer = SegmentWriter(folder)
        held = [encode(number, captured(chance)) for number in range(chance.randint(1, 6))]
        places = [writer.append(data, 1e9) for data in held]
        writer.close()
        path = folder / places[0].segment
        path.write_bytes(damaged(path.read_bytes(), chance))
        for place, data in zip(places, held, strict=True):
            _read(folder, place, data)
        try:
            whole, _ = content(path)
        except SegmentError:
            return
        for _, found in records(whole, 0, len(whole)):
            with suppress(RecordError):
                decode(found or b"")


def _read(folder: Path, place: Place, data: bytes) -> None:
    with suppress(SegmentError):
        assert SegmentReader(folder).read(place) == data


def imports(chance: Random) -> None:
    """Flow files and HAR logs, damaged: flows, and then at most that it is not readable."""
    with scratch() as folder:
        path = folder / "file"
        path.write_bytes(chance.choice((damaged, unlike))(chance.choice(logs()), chance))
        with suppress(Unreadable):
            for flow in recorded(path):
                reader = flows.match(flow)
                if reader is not None:
                    metered(flow, reader, TIGHT, b"s" * 32)


def shown(chance: Random) -> None:
    """What people are shown, of anything: no sign of it moves a cursor, rings or begins a line."""
    one = listed(chance)
    redacted = captured(chance)
    under_way = InFlight(
        flow_id="f",
        started=1.7e9,
        elapsed_ms=1.0,
        method="POST",
        host="h",
        path=one.exchange.path,
        provider=one.exchange.provider,
        model=one.exchange.model,
        client=one.exchange.client,
    )
    told = io.StringIO()
    console = Console(file=told, width=chance.choice((40, 160)), highlight=False, force_terminal=False)
    console.print(tables.exchanges([one]))
    console.print(tables.under_way([under_way]))
    for part in tables.exchange(one, decode(encode(1, redacted))):
        console.print(part)
    lines = (tables.tail_line(one), summary.line(one.exchange, 1), summary.remark(one.exchange), summary.totals([]))
    text = "\n".join((told.getvalue(), *lines))
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2028\u2029]", text), ascii(text)
    assert not any(line.startswith("meter #9") for line in text.splitlines())
    assert not any("\n" in line or "\r" in line for line in lines)
    assert as_json(to_json(one)).isascii()


TARGETS: dict[str, Target] = {
    target.__name__: target
    for target in (dialects, recordings, decoders, codings, sockets, redaction, bodies, codec, archive, imports, shown)
}
