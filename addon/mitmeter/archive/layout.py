"""How a record lies in bytes: a CBOR map (RFC 8949) whose last member is the CRC-32 of all bytes before its own.

What is large is written in pieces that follow each other, since to copy a body costs as much as to encode it.
"""

from binascii import crc32
from typing import Any

import cbor2

from mitmeter.archive.fields import valid, written

# The last key and the head of its value, an unsigned integer of four bytes.
CRC_KEY = b"\x63crc\x1a"
CRC_BYTES = 4
_NO_CRC = 2**32 - 1

# The heads of a map, a byte string and a text, before their lengths (RFC 8949, section 3).
_MAP, _BYTES, _TEXT = 0xA0, 0x40, 0x60
_WIDTHS = ((2**8, 24, 1), (2**16, 25, 2), (2**32, 26, 4), (2**64, 27, 8))

type Pieces = tuple[bytes, ...]


def size(record: Pieces) -> int:
    """The bytes of a record."""
    return sum(map(len, record))


def sealed(fields: dict[str, Any]) -> bytes:
    """The record of these keys, and its checksum as the last one."""
    (record,) = in_pieces({}, fields)
    return record


def in_pieces(keys: dict[str, Any], rest: dict[str, Any]) -> Pieces:
    """The record of `keys` and then `rest`, and its checksum; the byte strings among `keys` are pieces of their own."""
    rest = {**rest, "crc": _NO_CRC}
    parts, waiting = [_head(_MAP, len(keys) + len(rest))], dict[str, Any]()
    for name, value in keys.items():
        if not isinstance(value, bytes):
            waiting[name] = value
            continue
        parts[-1] += _members(waiting) + _head(_TEXT, len(name)) + name.encode() + _head(_BYTES, len(value))
        parts += (value, b"")
        waiting = {}
    last = parts.pop() + _members({**waiting, **rest})[:-CRC_BYTES]
    crc = 0
    for part in parts:
        crc = crc32(part, crc)
    return (*parts, last + crc32(last, crc).to_bytes(CRC_BYTES))


def _members(fields: dict[str, Any]) -> bytes:
    """The keys and values of a map without its head."""
    return dumps(fields)[len(_head(_MAP, len(fields))) :]


def _head(kind: int, length: int) -> bytes:
    if length < 24:
        return bytes((kind | length,))
    code, width = next((code, width) for most, code, width in _WIDTHS if length < most)
    return bytes((kind | code,)) + length.to_bytes(width)


def dumps(fields: dict[str, Any]) -> bytes:
    """The map in CBOR; text that is not valid Unicode gets U+FFFD."""
    try:
        return cbor2.dumps(fields, default=written)
    except UnicodeEncodeError:
        return cbor2.dumps(_valid_text(fields), default=written)


def _valid_text(value: Any) -> Any:
    if isinstance(value, str):
        return valid(value)
    if isinstance(value, dict):
        return {_valid_text(name): _valid_text(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_valid_text(item) for item in value]
    return value
