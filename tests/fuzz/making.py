"""What a fuzz is made of: sound things, and ways to damage them."""

import base64
import gzip
import io
import json
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import brotli  # type: ignore[import-untyped]  # it has no stubs
import zstandard
from mitmproxy.io import tnetstring

from mitmeter.exchange import Capture, Client, Exchange, Headers, Outcome
from mitmeter.redact import Redacted, redact
from mitmeter.store.rows import Row

JUNK = (
    *(b'"', b"\\", b"{" * 50, b"]" * 9, b"\n\n", b"\r", b"data:", b"null", b"NaN", b"1e999", b"\\ud800", b"\\u0000"),
    *(b"\x00\x00\x00\x10" * 4, b"\xff" * 8, b"\xef\xbb\xbf", b"[", b",", b"\x1f\x8b\x08", b"\\u0075", b"\x1b[2J", b""),
    *(b'"usage":{', b'"error":', b"event: error\n", b": ping\n\n", b"\x28\xb5\x2f\xfd", b"\xe2\x80\xa8", b"[[" * 2000),
)
KEYS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.+/=~:!$"
SHAPES = ("sk-ant-api03-%s", "sk-proj-%s", "ghp_%s", "Bearer %s", "%s", "%s%%2B", "AKIA%s")
PLACES = ("authorization", "x-api-key", "cookie", "basic", "query", "proxy-authorization")


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


def listed(chance: Random) -> Row:
    """Return a row with anything in every text that a server or client may have written."""

    def text() -> str:
        controls = ("\x1b[2J", "\r\n", "\x9b", "\u202e", "\u2028", "\x00", "\x07")
        signs = (*controls, "meter #9", "[red]", "[/red]", "[/]", "<b>", "é", "\ud800", "x" * 300)
        return "".join(chance.choices(signs, k=3))

    names = (
        "provider",
        "api",
        "model",
        "request_model",
        "path",
        "error",
        "error_type",
        "finish",
        "service_tier",
        "response_id",
    )
    told: dict[str, Any] = {name: chance.choice((None, text())) for name in (*names, "content_type")}
    exchange = Exchange(
        flow_id="f",
        started=chance.choice((0.0, 1.7e9, -1e300, 1e18)),
        method=text(),
        host=text(),
        outcome=chance.choice(tuple(Outcome)),
        client=Client(address="127.0.0.1", agent=text()),
        anomalies=(text(),),
        reported={text(): text()},
        limits={"x-ratelimit-limit": text()},
        **{**told, "path": told["path"] or "/"},
    )
    return Row(chance.randint(1, 9), exchange, False)


@contextmanager
def scratch() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        yield Path(folder)
