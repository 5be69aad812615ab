"""What a long fuzz runs: targets that each build something out of a random source, hand it in and check what comes out.

A target raises where something is wrong, and does the same again for the same seed. What is built begins as something
sound that is damaged, so that it gets past the first byte.
"""

import base64
import gzip
import io
import json
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import brotli  # type: ignore[import-untyped]  # it has no stubs
import msgspec
import zstandard
from mitmproxy.io import tnetstring

import corpus
from fuzz.bodies import FRAMINGS, body, matches, said
from mitmeter import flows
from mitmeter.archive.content import content, records
from mitmeter.archive.record import RecordError, decode, encode, verify
from mitmeter.archive.segments import SegmentError, SegmentReader, SegmentWriter
from mitmeter.exchange import Answer, Capture, Exchange, Headers, Opening, Outcome, Place, Usage
from mitmeter.recorder import Limits, Recorder
from mitmeter.recordings import Unreadable, metered, recorded
from mitmeter.redact import Redacted, Redactor, redact
from mitmeter.session import OPEN, Session
from mitmeter.usage.errors import LIMIT
from mitmeter.usage.registry import Match, find
from mitmeter.wire import MessageDecoder
from mitmeter.wire.codings import Codings

TIGHT = Limits(body=1 << 12, decoded=1 << 16, message=1 << 10, ratio=50)
ROOMY = Limits(body=1 << 20, decoded=1 << 22, message=1 << 20)
TYPES = (*FRAMINGS, "", "text/html", "audio/wav", "application/jsonl", "nonsense;;;")
JUNK = (
    *(b'"', b"\\", b"{" * 50, b"]" * 9, b"\n\n", b"\r", b"data:", b"null", b"NaN", b"1e999", b"\\ud800", b"\\u0000"),
    *(b"\x00\x00\x00\x10" * 4, b"\xff" * 8, b"\xef\xbb\xbf", b"[", b",", b"\x1f\x8b\x08", b"\\u0075", b"\x1b[2J", b""),
    *(b'"usage":{', b'"error":', b"event: error\n", b": ping\n\n", b"\x28\xb5\x2f\xfd", b"\xe2\x80\xa8", b"[[" * 2000),
)
KEYS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.+/=~:!$"
SHAPES = ("sk-ant-api03-%s", "sk-proj-%s", "ghp_%s", "Bearer %s", "%s", "%s%%2B", "AKIA%s")
RUN = 12
PLACES = ("authorization", "x-api-key", "cookie", "basic", "query", "proxy-authorization")

type Target = Callable[[Random], None]


def damaged(whole: bytes, chance: Random) -> bytes:
    """Return the bytes with a few of them gone, doubled, changed, or junk among them."""
    for _ in range(chance.choice((0, 0, 1, 1, 2, 5))):
        at, gone = chance.randint(0, len(whole)), chance.choice((0, 0, 1, 4, 30, 400))
        kind = chance.randint(0, 4)
        if kind == 0 and whole:
            place = min(at, len(whole) - 1)
            whole = whole[:place] + bytes((whole[place] ^ 1 << chance.randint(0, 7),)) + whole[place + 1 :]
        elif kind == 1:
            whole = whole[:at] + whole[max(0, at - 40) : at] + whole[at:]
        else:
            junk = chance.choice(JUNK) if kind < 4 else chance.randbytes(chance.randint(0, 40))
            whole = whole[:at] + junk + whole[at + gone :]
    return whole


def cut(whole: bytes, chance: Random) -> Iterator[bytes]:
    """Yield the bytes in pieces."""
    sizes = chance.choice(((1,), (1, 2, 7), (3, 50), (400, 9000), (1 << 20,)))
    at = 0
    while at < len(whole):
        size = chance.choice(sizes)
        yield whole[at : at + size]
        at += size


def coded(whole: bytes, coding: str, chance: Random) -> bytes:
    """Return the bytes in a coding, perhaps only in part."""
    codes: dict[str, Callable[[bytes], bytes]] = {
        "gzip": lambda data: gzip.compress(data, 1),
        "deflate": lambda data: zlib.compress(data, 1) if chance.random() < 0.5 else zlib.compress(data, 1)[2:-4],
        "br": lambda data: brotli.compress(data, quality=1),
        "zstd": lambda data: zstandard.ZstdCompressor(level=1).compress(data),
    }
    for one in coding.split(", "):
        whole = codes[one](whole) if one in codes else whole
    return whole[: chance.randint(0, len(whole))] if chance.random() < 0.2 else whole


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


def planted(chance: Random) -> tuple[str, Headers, str]:
    """Return a secret, and the headers and the query in which it is sent."""
    secret = chance.choice(SHAPES).replace("%s", "".join(chance.choices(KEYS, k=chance.randint(16, 60)))).split(" ")[-1]
    place = chance.choice(PLACES)
    if place == "query":
        escaped = "".join(
            f"%{byte:02X}" if chance.random() < 0.5 or chr(byte) in "+&#%" else chr(byte) for byte in secret.encode()
        )
        return secret, (), f"?key={escaped}"
    if place == "basic":
        return secret, (("Authorization", f"Basic {base64.b64encode(f'u:{secret}'.encode()).decode()}"),), ""
    if place == "cookie":
        return secret, (("Cookie", f"a=1; s={secret.replace(';', '')}"),), ""
    return secret, ((place.title(), f"Bearer {secret}" if "auth" in place else secret),), ""


def events(text: str, chance: Random) -> bytes:
    """Return a chat stream that spells a text out in pieces."""
    told, at = [], 0
    while at < len(text):
        size = chance.choice((1, 3, 10, 40))
        told.append({"choices": [{"index": 0, "delta": {"content": text[at : at + size]}}]})
        at += size
    return b"".join(b"data: %s\n\n" % json.dumps(one).encode() for one in told)


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


def captured(chance: Random) -> Redacted:
    """Return a capture of anything."""

    def text() -> str:
        return chance.choice(JUNK[:-1]).decode("utf-8", "surrogateescape") + str(chance.randint(0, 99))

    headers = tuple((text(), text()) for _ in range(chance.randint(0, 6)))
    return redact(
        Capture(
            flow_id=text(),
            started=chance.choice((0.0, 1.7e9, -1.0, 1e300)),
            method=text(),
            url=f"https://h/{text()}",
            path=text(),
            http_version="HTTP/2",
            outcome=chance.choice(tuple(Outcome)),
            request_headers=chance.choice((None, headers)),
            request_body=chance.choice((None, b"", chance.randbytes(90))),
            status=chance.choice((None, 200, 599)),
            response_headers=headers,
            response_body=chance.choice((None, b"{}", b"x" * 3000)),
            coding=chance.choice((None, "br")),
        )
    )


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


@cache
def logs() -> tuple[bytes, ...]:
    """Return a flow file and a HAR log, each with an exchange and a WebSocket."""
    from cli.test_import import CHAT, entry, flow, har, socket, socket_har, written

    with scratch() as folder:
        made = (
            written(folder / "flows", flow(), socket()),
            har(folder / "har", entry(CHAT, {"text": "{}", "mimeType": "application/json"})),
            socket_har(folder / "socket"),
        )
        return tuple(path.read_bytes() for path in made)


def twisted(value: Any, chance: Random) -> Any:
    """Return a value with one of its parts, at any depth, replaced by one of another kind."""
    if isinstance(value, dict) and value and chance.random() < 0.9:
        name = chance.choice(list(value))
        return {**value, name: twisted(value[name], chance)}
    if isinstance(value, list | tuple) and value and chance.random() < 0.9:
        at = chance.randrange(len(value))
        return [*value[:at], twisted(value[at], chance), *value[at + 1 :]]
    return chance.choice((None, b"", b"\xff\n", "x", "", 0, -1, 2**70, 1e300, True, [], {}, [None], {"a": 1}))


def unlike(data: bytes, chance: Random) -> bytes:
    """Return a log that is well-formed, with something in it of another kind."""
    if data.startswith(b"{"):
        return json.dumps(twisted(json.loads(data), chance), default=repr).encode()
    return b"".join(tnetstring.dumps(twisted(state, chance)) for state in states(data))


@cache
def states(data: bytes) -> list[Any]:
    file, found = io.BytesIO(data), []
    while file.tell() < len(data):
        found.append(tnetstring.load(file))
    return found


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


@contextmanager
def scratch() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        yield Path(folder)


TARGETS: dict[str, Target] = {
    target.__name__: target
    for target in (dialects, recordings, decoders, codings, sockets, redaction, bodies, codec, archive, imports)
}
