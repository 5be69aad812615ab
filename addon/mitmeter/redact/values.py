"""What an exchange's own credentials are, and every form in which they may show up elsewhere.

A value is looked for by pieces of it: each run of `RUN` bytes holds one whole piece, so that no longer part of a secret
is left, wherever an echo was cut or masked. A value that is too short for that is looked for as a whole.
"""

import base64
import binascii
import json
import re
from collections.abc import Iterable, Iterator
from functools import cached_property, lru_cache
from typing import Literal
from urllib.parse import quote, quote_plus, unquote, unquote_plus, urlsplit

from mitmeter.exchange import Headers
from mitmeter.redact.headers import is_kept, is_sensitive
from mitmeter.redact.policy import Policy
from mitmeter.scan import Scanner

SHORTEST = 8
LONGEST = 16_384
RUN = 12
PIECE = 6
STEP = RUN - PIECE + 1
MOST = 2000

# Hyperscan (5.4.12) looks for some 15 to 50 literals at a third of the speed at which it looks for more, since only for
# more does it use a table (FDR), which is not worth its size on a few kB.
LARGE = 64 << 10
MANY = 56
VALUES = 200
ALIKE = 16

_QUERY = frozenset(
    ("key", "sig", "code", "auth", "access_token", "id_token", "refresh_token", "client_secret", "state")
)
_SIGNED = re.compile(r"^x-(amz|goog)-(credential|signature|security-token)$")
_PARAMETER = re.compile(r'([A-Za-z][\w-]*)=("[^"]*"|[^\s,;]*)')
_PUBLIC = frozenset(
    ("realm", "algorithm", "uri", "qop", "signedheaders", "path", "domain", "expires", "max-age", "samesite", "nc")
)
_KEYLIKE = re.compile(r"(?=\D*+\d)(?=[^A-Za-z]*+[A-Za-z])[\w.+/=~:-]{16,4096}")
_PROTOCOL = re.compile(r"(?:key|token|auth|jwt|bearer|secret|authorization)[^.]*\.(.+)", re.IGNORECASE)
_HARMLESS_WORDS = frozenset(("undefined", "no-key-required", "not-needed", "anonymous", "placeholder"))


def _basic(value: str) -> Iterator[str]:
    try:
        plain = base64.b64decode(value + "=" * (-len(value) % 4), validate=True).decode("utf-8", "strict")
    except (binascii.Error, ValueError):
        return
    yield plain
    user, colon, password = plain.partition(":")
    if colon:
        yield from (user, password)


def _cookies(value: str) -> Iterator[str]:
    for pair in value.split(";"):
        name, equals, content = pair.strip().partition("=")
        if equals and name.lower() not in _PUBLIC:
            yield content.strip('"')


def of_protocols(value: str) -> Iterator[str]:
    """Yield the secrets among WebSocket subprotocols, in which browsers send keys, since they cannot set headers."""
    for item in value.split(","):
        found = _PROTOCOL.search(item.strip())
        if found or len(item.strip()) >= 32:
            yield found[1] if found else item.strip()


def _of_value(name: str, value: str) -> Iterator[str]:
    """Yield the secrets in one value of a credential header."""
    if name.startswith(("cookie", "set-cookie")):
        yield from _cookies(value)
        return
    if name == "sec-websocket-protocol":
        yield from of_protocols(value)
        return
    scheme, space, rest = value.strip().partition(" ")
    if not space or not scheme.replace("-", "").isalnum() or len(scheme) > 20:
        yield value.strip()
        return
    parameters = _PARAMETER.findall(rest) if "," in rest else []
    if not parameters:
        yield rest.strip()
    if "authorization" not in name:
        yield value.strip()
    if scheme.lower() == "basic":
        yield from _basic(rest.strip())
    for parameter, content in parameters or _PARAMETER.findall(rest):
        if parameter.lower() not in _PUBLIC:
            yield content.strip('"')
            if parameter == "Credential":
                yield content.partition("/")[0]


def _of_query(query: str) -> Iterator[str]:
    for pair in query.split("&"):
        name, _, value = pair.partition("=")
        lower = unquote_plus(name).lower()
        if lower in _QUERY or _SIGNED.search(lower) or is_sensitive(lower):
            yield from (value, unquote_plus(value), unquote(value))
            if lower == "x-amz-credential":
                yield unquote_plus(value).partition("/")[0]


def _of_url(url: str) -> Iterator[str]:
    if "?" not in url and "@" not in url and "#" not in url:
        return
    try:
        parts = urlsplit(url)
    except ValueError:
        return
    yield from _of_query(parts.query)
    yield from _of_query(parts.fragment)
    user, at, _ = parts.netloc.rpartition("@")
    if at:
        for item in (user, *user.split(":", 1)):
            yield from (item, unquote(item))


type _Where = Literal["value", "if like a key", "address"]
_ADDRESSES = frozenset(("host", "referer", "http-referer", "location", "origin"))


@lru_cache(maxsize=1024)
def _where(name: str, policy: Policy, asked: bool) -> _Where | None:
    """Say where in a header of this name a secret may stand; None where none does."""
    lower = name.lower()
    if is_sensitive(lower) or lower in policy.redact:
        return "value"
    if asked and not is_kept(lower, policy):
        return "address" if lower in _ADDRESSES else "if like a key"
    return "address" if lower in _ADDRESSES else None


@lru_cache(maxsize=64)
def _of_credential(name: str, value: str) -> tuple[str, ...]:
    """Return the secrets in one value of a credential header; the last few are remembered, since they come again."""
    return tuple(_of_value(name, value))


def _of_headers(headers: Headers, policy: Policy, asked: bool) -> Iterator[str]:
    for name, value in headers:
        where = _where(name, policy, asked)
        if where is None:
            continue
        if where == "value":
            yield from _of_credential(name.lower(), value)
        elif asked and not is_kept(name, policy) and _KEYLIKE.fullmatch(value):
            yield value
        elif where == "address" and ("@" in value or "?" in value):
            yield from _of_url(value if "://" in value else f"//{value}")


def known_values(asked: Headers, answered: Iterable[Headers], url: str, policy: Policy) -> frozenset[str]:
    """Return the credentials that an exchange shows: in its headers, in the query and in the user part of its URL.

    A header of the request that nobody knows counts as one if its value looks like a key.
    """
    found = {*_of_url(url), *_of_headers(asked, policy, True)}
    for headers in answered:
        found.update(_of_headers(headers, policy, False))
    return frozenset(
        value[:LONGEST] for value in found if len(value) >= SHORTEST and value.lower() not in _HARMLESS_WORDS
    )


def _base64s(value: bytes) -> Iterator[bytes]:
    """Yield what base64 of anything around the value has of it, at each of three alignments."""
    for before in range(3):
        coded = base64.b64encode(b"\0" * before + value)
        whole = (before + len(value)) // 3 * 4
        inner = coded[(0, 2, 3)[before] : whole]
        if len(inner) >= SHORTEST:
            yield inner
            yield inner.replace(b"+", b"-").replace(b"/", b"_")


def _forms(value: str) -> frozenset[bytes]:
    raw = value.encode("utf-8", "surrogatepass")
    escaped = json.dumps(value)[1:-1]
    plain = json.dumps(value, ensure_ascii=False)[1:-1]
    texts = {escaped, plain, escaped.replace("/", "\\/"), _as_go(plain)}
    # As gateways hand on a JSON error: within a text of their own.
    texts |= {json.dumps(text, ensure_ascii=False)[1:-1] for text in (escaped, plain)}
    texts |= {coded for how in (quote, quote_plus) for coded in (how(raw), how(raw, safe=""))}
    texts |= {re.sub("%[0-9A-F]{2}", lambda found: found[0].lower(), text) for text in texts if "%" in text}
    forms = {raw, *(text.encode("utf-8", "surrogatepass") for text in texts)}
    return frozenset((*forms, *_base64s(raw), raw.hex().encode(), raw.hex().upper().encode()))


def _as_go(text: str) -> str:
    for sign in "<>&'":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text


type _Places = list[tuple[bytes, int]]


def _pieces(forms: Iterable[bytes], step: int) -> list[tuple[bytes, _Places]]:
    """Return pieces of forms, one at each `step` bytes, and short forms as a whole, with where each of them stands."""
    pieces: dict[bytes, _Places] = {}
    for form in forms:
        starts = [0] if len(form) < RUN else range(0, len(form) - PIECE + 1, step)
        for at in starts:
            piece = form[at:] if len(form) < RUN else form[at : at + PIECE]
            places = pieces.setdefault(piece, [])
            if len(places) < ALIKE:
                places.append((form, at))
    return list(pieces.items())[:MOST]


class _Finder:
    """Finds pieces in bytes."""

    def __init__(self, pieces: list[tuple[bytes, _Places]]) -> None:
        self._pieces = pieces
        self._scanner = Scanner([piece for piece, _ in pieces], literal=True)

    def __len__(self) -> int:
        return len(self._pieces)

    def find(self, data: bytes) -> Iterator[tuple[bytes, _Places, int]]:
        """Yield each piece that is found, where it stands in forms, and where it ends in the data."""
        for number, end in self._scanner.find(data):
            yield (*self._pieces[number], end)


class Known:
    """Finds forms of values in bytes, and parts of them from `RUN` bytes on."""

    def __init__(self, values: frozenset[str]) -> None:
        plain = {
            value.encode("utf-8", "surrogatepass"): None for value in sorted(values, key=len, reverse=True)[:VALUES]
        }
        self._forms = list(
            plain | {form: None for raw in plain for form in _forms(raw.decode("utf-8", "surrogatepass"))}
        )
        self._few = _Finder(_pieces(self._forms, STEP))

    @cached_property
    def _many(self) -> _Finder:
        """What finds pieces in large data."""
        sets = () if len(self._few) >= MANY else (_pieces(self._forms, step) for step in range(STEP - 1, 0, -1))
        return next((_Finder(pieces) for pieces in sets if len(pieces) >= MANY), self._few)

    def find(self, data: bytes) -> list[tuple[int, int]]:
        """Return where forms, or long parts of them, stand."""
        spans: list[tuple[int, int]] = []
        seen: dict[bytes, int] = {}
        finder = self._few if len(data) < LARGE else self._many
        for piece, places, end in finder.find(data):
            for form, at in places:
                if end > seen.get(form, 0):
                    span = _grown(data, form, end - len(piece), at, len(piece))
                    if span[1] - span[0] >= min(RUN, len(form)):
                        spans.append(span)
                        seen[form] = span[1]
        return spans


def _grown(data: bytes, form: bytes, start: int, at: int, length: int) -> tuple[int, int]:
    """Return the span around a piece as far as the data goes on like the form."""
    end, before, after = start + length, at, at + length
    while start > 0 and before > 0 and data[start - 1] == form[before - 1]:
        start, before = start - 1, before - 1
    while end < len(data) and after < len(form) and data[end] == form[after]:
        end, after = end + 1, after + 1
    return start, end


@lru_cache(maxsize=64)
def finder(values: frozenset[str]) -> Known | None:
    """Return what finds these values; the last few are remembered, since a client's key is the same each time."""
    return Known(values) if values else None
