"""A record apart: its two bodies, and the rest of it; and put together again, byte for byte. Pure.

Kept in columns of their own, the bodies of a conversation's turns follow each other and compress as one.
"""

from typing import Any

import cbor2
from msgspec import Struct

from mitmeter.archive.layout import sealed
from mitmeter.archive.record import RecordError, checksum, verify

BODIES = ("req_body", "resp_body")


class Parts(Struct, frozen=True):
    """`head` is the record without bodies and checksum, as CBOR; a body that is not kept is None."""

    head: bytes
    request_body: bytes | None
    response_body: bytes | None
    checksum: int


def split(record: bytes) -> Parts:
    """Take a record apart; raises RecordError where it is damaged or carries no checksum."""
    verify(record)
    told = checksum(record)
    fields = _load(record)
    if told is None or not all(name in fields for name in BODIES):
        raise RecordError("the record is of another kind")
    request_body, response_body = (fields[name] for name in BODIES)
    fields |= dict.fromkeys(BODIES)
    del fields["crc"]
    parts = Parts(cbor2.dumps(fields), request_body, response_body, told)
    if join(parts) != record:
        raise RecordError("the record is not written as this version writes it")
    return parts


def join(parts: Parts) -> bytes:
    """Return the record; raises RecordError where it is not what was taken apart."""
    fields = _load(parts.head)
    fields |= {"req_body": parts.request_body, "resp_body": parts.response_body}
    record = sealed(fields)
    verify(record, parts.checksum)
    return record


def _load(data: bytes) -> dict[str, Any]:
    try:
        fields = cbor2.loads(data)
    except (cbor2.CBORError, RecursionError, OverflowError, MemoryError) as error:
        raise RecordError(f"not CBOR: {error}") from error
    if not isinstance(fields, dict):
        raise RecordError(f"a record is a map, not {type(fields).__name__}")
    return fields
