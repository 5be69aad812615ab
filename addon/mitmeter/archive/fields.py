"""Header fields in CBOR: what recurs is encoded once. To be handed to cbor2 with `written`."""

import re
from functools import lru_cache
from typing import Any

import cbor2
from msgspec import Struct

from mitmeter.exchange import Headers

# Longer values hardly come again.
LONGEST = 256

_SURROGATE = re.compile("[\ud800-\udfff]")
_ARRAY, _MAP, _PAIR = 0x80, 0xA0, b"\x82"


class Written(Struct, frozen=True):
    """An item of CBOR as bytes."""

    data: bytes


class Fields(Struct, frozen=True):
    """Headers as an array of pairs and, unless a name comes twice, as a map; `names` are in lower case."""

    pairs: Written
    joined: Written | None
    names: frozenset[str]


def written(encoder: cbor2.CBOREncoder, value: Any) -> None:
    """Write what is encoded: what cbor2 calls for a type that it does not know."""
    if not isinstance(value, Written):
        raise cbor2.CBOREncodeTypeError(f"cannot serialize {type(value).__name__}")
    encoder.write(value.data)


def encode_headers(headers: Headers) -> Fields:
    """Encode headers; lone surrogates become U+FFFD."""
    items = [_again(name, value) if len(value) <= LONGEST else _encoded(name, value) for name, value in headers]
    names = frozenset([name for name, _ in items])
    parts = [b"", *[part for _, part in items]]
    joined = Written(_head(_MAP, len(items)) + b"".join(parts)) if len(names) == len(items) else None
    return Fields(Written(_head(_ARRAY, len(items)) + _PAIR.join(parts)), joined, names)


def _encoded(name: str, value: str) -> tuple[str, bytes]:
    name = valid(name)
    return name.lower(), cbor2.dumps(name) + cbor2.dumps(valid(value))


_again = lru_cache(maxsize=4096)(_encoded)


def _head(kind: int, length: int) -> bytes:
    """The head of an array or a map, as short as it can be (RFC 8949, section 3)."""
    if length < 24:
        return bytes((kind + length,))
    size = 1 if length < 1 << 8 else 2 if length < 1 << 16 else 4
    return bytes((kind + 23 + size.bit_length(), *length.to_bytes(size)))


def valid(text: str) -> str:
    """The text with U+FFFD in place of lone surrogates, which UTF-8 cannot hold."""
    return _SURROGATE.sub("\ufffd", text)
