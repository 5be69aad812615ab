"""One capture as one CBOR map (RFC 8949), and back. Pure: bytes in, bytes out.

The map starts with the six keys of llama-swap's captures (`ReqRespCapture` in github.com/mostlygeek/llama-swap), in
its order and with its types, so that its decoder, which skips keys it does not know, reads a record. What that
format lacks follows, and `crc`, the CRC-32 of all bytes before its own, is last. `version` is raised when the meaning
of a key changes; new keys alone do not raise it.
"""

import io
from binascii import crc32
from collections.abc import Container
from itertools import accumulate, pairwise
from operator import sub
from typing import Any

import cbor2
from msgspec import Struct

from mitmeter.archive.fields import encode_headers
from mitmeter.archive.layout import CRC_BYTES, CRC_KEY, Pieces, dumps, in_pieces, sealed
from mitmeter.exchange import Capture, Headers, Outcome, Timeline
from mitmeter.redact import Redacted

VERSION = 1

_LARGE_BYTES = 2**16
_LARGEST = 2**63 - 1
_STALE_ONCE_DECODED = frozenset({"content-encoding", "content-length"})


class RecordError(ValueError):
    """The bytes are not a capture record; the message says why."""


class Record(Struct, frozen=True):
    """A decoded record. `row` is the exchange row as it was archived, None in a record that was made elsewhere."""

    ident: int
    capture: Capture
    row: dict[str, Any] | None = None


def encode(ident: int, redacted: Redacted, row: dict[str, Any] | None = None) -> bytes:
    """The record of a capture: one definite-length CBOR map.

    `ident` is the row's id, `row` the row as a map of plain values, kept so that an archive can be read alone. Text
    that is not valid Unicode (lone surrogates) gets U+FFFD, since CBOR text has to be UTF-8.
    """
    return b"".join(pieces(ident, redacted, row))


def pieces(ident: int, redacted: Redacted, row: dict[str, Any] | None = None) -> Pieces:
    """The record in pieces that follow each other; large bodies are pieces of their own, not copied."""
    asked, joined_asked = _headers(redacted.request_headers)
    answered, joined_answered = _headers(redacted.response_headers, _stale(redacted))
    keys = _six_keys(ident, redacted, joined_asked, joined_answered)
    rest = {**_other_keys(redacted), "req_header_fields": asked, "resp_header_fields": answered, "row": row}
    if len(redacted.request_body or b"") + len(redacted.response_body or b"") < _LARGE_BYTES:
        return (sealed({**keys, **rest}),)
    return in_pieces(keys, rest)


def checksum(record: bytes) -> int | None:
    """The checksum that a record carries, None where it carries none."""
    if record[-CRC_BYTES - len(CRC_KEY) : -CRC_BYTES] != CRC_KEY:
        return None
    return int.from_bytes(record[-CRC_BYTES:])


def verify(record: bytes, expected: int | None = None) -> None:
    """Raise RecordError where a record is not what was written: by its own checksum, or another than `expected`."""
    carried = checksum(record)
    if expected is not None and carried != expected:
        raise RecordError("the record's checksum is not that of its index entry")
    if carried is not None and crc32(memoryview(record)[:-CRC_BYTES]) != carried:
        raise RecordError("the record's checksum is wrong")


def encode_six(record: Record) -> bytes:
    """The record with llama-swap's six keys and nothing else."""
    return dumps(six_keys(record))


def decode(data: bytes) -> Record:
    """Read one record, made here or by llama-swap.

    As tolerant as llama-swap's decoder: unknown keys are skipped, missing ones become zero or None, a key may be
    spelled in any case (of two spellings the first wins; of two equal keys cbor2 keeps the last, where llama-swap
    keeps the first), a body may be an array of small integers.
    Keys past the six are read where `version` is an integer.

    Raises RecordError for everything else: a wrong checksum, not CBOR, not a map, a value of another type, bytes after
    the map.
    """
    verify(data)
    stream = io.BytesIO(data)
    found = _load(stream)
    extra = len(data) - stream.tell()
    if extra:
        raise RecordError(f"{extra} bytes follow the record")
    if not isinstance(found, dict):
        raise RecordError(f"a record is a map, not {type(found).__name__}")
    fields: dict[str, Any] = {}
    for key, value in found.items():
        if isinstance(key, str):
            fields.setdefault(key.lower(), value)
    return _record(fields)


def item_end(data: bytes, start: int = 0) -> int | None:
    """The offset just past the CBOR item at `start`, None where the data ends before the item does.

    Raises RecordError where the bytes are not CBOR.
    """
    stream = io.BytesIO(data)
    stream.seek(start)
    try:
        _load(stream)
    except RecordError as error:
        if isinstance(error.__cause__, cbor2.CBORDecodeEOF):
            return None
        raise
    return stream.tell()


def _load(stream: io.BytesIO) -> Any:
    try:
        return cbor2.load(stream)
    except (cbor2.CBORError, RecursionError, OverflowError, MemoryError) as error:
        raise RecordError(f"not CBOR: {error}") from error


def six_keys(record: Record) -> dict[str, Any]:
    """The record as a map of llama-swap's six keys."""
    capture = record.capture
    joined = _joined(capture.request_headers), _joined(capture.response_headers, _stale(capture))
    return _six_keys(record.ident, capture, *joined)


def _stale(capture: Capture) -> frozenset[str]:
    decoded = capture.coding is None and capture.response_body is not None
    return _STALE_ONCE_DECODED if decoded else frozenset()


def _six_keys(ident: int, capture: Capture, asked: Any, answered: Any) -> dict[str, Any]:
    return {
        "id": ident,
        "req_path": capture.path.partition("?")[0],
        "req_headers": asked,
        "req_body": capture.request_body,
        "resp_headers": answered,
        "resp_body": capture.response_body,
    }


def _other_keys(capture: Capture) -> dict[str, Any]:
    return {
        "version": VERSION,
        "flow_id": capture.flow_id,
        "method": capture.method,
        "url": capture.url,
        "http_version": capture.http_version,
        "status": capture.status,
        "reason": capture.reason,
        "started": capture.started,
        "ended": capture.ended,
        "outcome": capture.outcome.value,
        "req_header_fields": capture.request_headers,
        "resp_header_fields": capture.response_headers,
        "resp_trailers": capture.response_trailers,
        "req_cut": capture.request_cut,
        "resp_cut": capture.response_cut,
        "coding": capture.coding,
        "timeline": _steps(capture.timeline),
    }


def _steps(timeline: Timeline) -> list[int] | None:
    """A timeline as offset, milliseconds, offset, and so on, each as the step from its like before."""
    if not timeline:
        return None
    return [*timeline[0], *(step for before, at in pairwise(timeline) for step in map(sub, at, before))]


def _headers(headers: Headers | None, left_out: frozenset[str] = frozenset()) -> tuple[Any, Any]:
    """Headers as pairs and as a map, encoded."""
    if headers is None:
        return None, None
    whole = encode_headers(headers)
    if whole.joined is not None and left_out.isdisjoint(whole.names):
        return whole.pairs, whole.joined
    return whole.pairs, _joined(headers, left_out)


def _joined(headers: Headers | None, left_out: Container[str] = ()) -> dict[str, str] | None:
    """Headers as a map: the values of one name, whatever its case, are joined under its first spelling."""
    if headers is None:
        return None
    lower = [name.lower() for name, _ in headers]
    if len(set(lower)) == len(lower) and not any(name in left_out for name in lower):
        return dict(headers)
    values: dict[str, list[str]] = {}
    spelling: dict[str, str] = {}
    for name, value in headers:
        key = name.lower()
        if key not in left_out:
            spelling.setdefault(key, name)
            values.setdefault(key, []).append(value)
    return {spelling[key]: ", ".join(several) for key, several in values.items()}


def _record(fields: dict[str, Any]) -> Record:
    ident = _int(fields, "id") or 0
    path = _text(fields, "req_path") or ""
    request_headers, response_headers = _header_map(fields, "req_headers"), _header_map(fields, "resp_headers")
    request_body, response_body = _body(fields, "req_body"), _body(fields, "resp_body")
    if not isinstance(fields.get("version"), int):
        # Not made here: other keys, if any, have meanings of their own.
        fields = {"url": path}
    else:
        request_headers = _header_fields(fields, "req_header_fields")
        response_headers = _header_fields(fields, "resp_header_fields")
    capture = Capture(
        flow_id=_text(fields, "flow_id") or "",
        started=_float(fields, "started") or 0.0,
        method=_text(fields, "method") or "",
        url=_text(fields, "url") or "",
        path=path,
        http_version=_text(fields, "http_version") or "",
        outcome=_outcome(fields),
        request_headers=request_headers,
        request_body=request_body,
        request_cut=_int(fields, "req_cut") or 0,
        status=_int(fields, "status"),
        reason=_text(fields, "reason"),
        response_headers=response_headers,
        response_body=response_body,
        response_cut=_int(fields, "resp_cut") or 0,
        response_trailers=_header_fields(fields, "resp_trailers"),
        coding=_text(fields, "coding"),
        ended=_float(fields, "ended"),
        timeline=_timeline(fields),
    )
    return Record(ident, capture, _map(fields, "row"))


def _wrong(key: str, wanted: str, value: object) -> RecordError:
    return RecordError(f"{key} has to be {wanted}, not {type(value).__name__}")


def _int(fields: dict[str, Any], key: str) -> int | None:
    value = fields.get(key)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) > _LARGEST:
        raise _wrong(key, "an integer of 64 bits", value)
    return value


def _float(fields: dict[str, Any], key: str) -> float | None:
    value = fields.get(key)
    return value if isinstance(value, float) else _int(fields, key)


def _text(fields: dict[str, Any], key: str) -> str | None:
    value = fields.get(key)
    if value is not None and not isinstance(value, str):
        raise _wrong(key, "text", value)
    return value


def _map(fields: dict[str, Any], key: str) -> dict[str, Any] | None:
    value = fields.get(key)
    if value is not None and not isinstance(value, dict):
        raise _wrong(key, "a map", value)
    return value


def _body(fields: dict[str, Any], key: str) -> bytes | None:
    value = fields.get(key)
    if value is None or isinstance(value, bytes):
        return value
    if isinstance(value, list) and all(type(item) is int and 0 <= item < 256 for item in value):
        return bytes(value)
    raise _wrong(key, "bytes", value)


def _header_map(fields: dict[str, Any], key: str) -> Headers | None:
    found = _map(fields, key)
    if found is None:
        return None
    for name, value in found.items():
        if not isinstance(name, str) or not isinstance(value, str):
            raise _wrong(key, "a map from text to text", value if isinstance(name, str) else name)
    return tuple(found.items())


def _header_fields(fields: dict[str, Any], key: str) -> Headers | None:
    found = fields.get(key)
    if found is None:
        return None
    if not isinstance(found, list):
        raise _wrong(key, "a list of pairs", found)
    pairs = []
    for pair in found:
        match pair:
            case [str(name), str(value)]:
                pairs.append((name, value))
            case _:
                raise _wrong(key, "a list of pairs of text", pair)
    return tuple(pairs)


def _timeline(fields: dict[str, Any]) -> Timeline:
    steps = fields.get("timeline")
    if steps is None:
        return ()
    if not isinstance(steps, list) or len(steps) % 2 or any(type(step) is not int for step in steps):
        raise _wrong("timeline", "a list of pairs of integers", steps)
    return tuple(zip(accumulate(steps[::2]), accumulate(steps[1::2]), strict=True))


def _outcome(fields: dict[str, Any]) -> Outcome:
    text = _text(fields, "outcome") or Outcome.COMPLETE.value
    try:
        return Outcome(text)
    except ValueError:
        raise RecordError(f"outcome has no value {text!r}") from None
