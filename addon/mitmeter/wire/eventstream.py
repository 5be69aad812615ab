"""AWS event streams (application/vnd.amazon.eventstream): checked binary frames with headers.

https://smithy.io/2.0/aws/amazon-eventstream.html
https://docs.aws.amazon.com/AmazonS3/latest/API/RESTSelectObjectAppendix.html

A frame is u32 length of the whole, u32 length of the headers, u32 CRC-32 of these eight bytes; the headers; the
payload; u32 CRC-32 of all before it. A header is u8 and its name, u8 type and a value whose size follows from the type.

- A frame of `:message-type` `event`, or of none, is a message: its payload, named by `:event-type`.
- One of type `exception` or `error` is a message `{"error": {"type", "message"}}`, named by the exception or the code,
  so that a reader meets failures in one shape.
- A frame over the limit is dropped, and reading resumes at the next one. After a wrong checksum or impossible lengths
  nothing is known of where a frame begins, so reading stops.
"""

import json
from functools import lru_cache
from struct import Struct, pack
from typing import ClassVar, NamedTuple
from zlib import crc32

from mitmeter.exchange import Message

_PRELUDE = Struct(">III")
_LEAST = _PRELUDE.size + 4
# Sizes of values by type: two booleans without any, i8, i16, i32, i64, then bytes and text behind a u16, time, UUID.
_SIZES = {0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}
_COUNTED = frozenset((6, 7))
_TEXT = 7
_LONGEST_CACHED = 512


class _Kind(NamedTuple):
    """What a frame's headers say: its name, and for a failure its message if the headers hold one."""

    name: bytes
    failed: bool = False
    message: str | None = None


_NAMELESS: _Kind | None = _Kind(b"")


class EventStreamDecoder:
    """Decodes frames. One of more than `limit` bytes is dropped as `frame_too_long`. Raises nothing.

    `frame_corrupt` says that reading stopped at a frame that cannot be right, `frame_truncated` that the body ended
    inside one.
    """

    framing: ClassVar[str] = "eventstream"
    streaming: ClassVar[bool] = True

    def __init__(self, limit: int) -> None:
        self.anomalies: list[str] = []
        self._limit = max(limit, _LEAST)
        self._tail = bytearray()  # the unfinished frame
        self._offset = 0  # of the tail in the body
        self._wanted = _PRELUDE.size  # how long the tail must be before there is anything to read
        self._skip = 0  # bytes left of a frame that is too long
        self._stopped = False

    def feed(self, data: bytes) -> list[Message]:
        """Takes bytes, returns the frames that they complete; `end` is the offset just past a frame."""
        if self._stopped:
            return []
        if self._tail:
            if len(self._tail) + len(data) < self._wanted:
                self._tail += data
                return []
            data = bytes(self._tail) + data
            self._tail.clear()
        messages: list[Message] = []
        cut = self._read(data, messages)
        self._offset += cut
        self._tail += data[cut:]
        return messages

    def close(self) -> list[Message]:
        """The end of the body: nothing more comes of an unfinished frame."""
        if self._tail or self._skip:
            self._flag("frame_truncated")
        return []

    def _read(self, data: bytes, messages: list[Message]) -> int:
        """Adds the frames in data, returns where the first one begins that is not complete."""
        size = len(data)
        at = min(self._skip, size)
        self._skip -= at
        self._wanted = _LEAST
        offset, limit, add = self._offset, self._limit, messages.append
        bodies: list[bytes] = []
        checks: list[bytes] = []
        sound = True
        block, kind = b"", _NAMELESS
        while size - at >= _LEAST:
            total, cut = _lengths(data[at : at + 12])
            end = at + total
            if total > limit:
                self._flag("frame_too_long")
                self._skip = max(0, end - size)
                at = min(end, size)
                continue
            if end > size:
                self._wanted = total
                break
            body = data[at : end - 4]
            if block != body[12:cut]:
                block = body[12:cut]
                kind = (_kind_cached if cut <= _LONGEST_CACHED else _kind)(block)
            if not total or kind is None:
                sound = False
                break
            bodies.append(body)
            checks.append(data[end - 4 : end])
            add(Message(_failure(kind, body[cut:]) if kind[1] else body[cut:], kind[0], offset + end))
            at = end
        return at if _intact(bodies, checks, messages) and sound else self._stop(size)

    def _stop(self, size: int) -> int:
        self._stopped = True
        self._flag("frame_corrupt")
        return size

    def _flag(self, anomaly: str) -> None:
        if anomaly not in self.anomalies:
            self.anomalies.append(anomaly)


@lru_cache(maxsize=4096)
def _lengths(prelude: bytes) -> tuple[int, int]:
    """The lengths of the frame that begins with these 12 bytes, and of all before its payload; 0 if no frame does.

    They recur within a stream, and with them their checksum.
    """
    total, headers, check = _PRELUDE.unpack(prelude)
    return (total, 12 + headers) if total >= _LEAST + headers and crc32(prelude[:8]) == check else (0, 0)


def _intact(bodies: list[bytes], checks: list[bytes], messages: list[Message]) -> bool:
    """Whether every frame has its checksum; drops the messages from the first on that has not."""
    sums = tuple(map(crc32, bodies))
    if b"".join(checks) == pack(f">{len(sums)}I", *sums):
        return True
    wrong = next(at for at, check in enumerate(checks) if int.from_bytes(check) != sums[at])
    del messages[wrong:]
    return False


def _texts(headers: bytes) -> dict[bytes, bytes] | None:
    """The text headers by name, None if the headers do not add up."""
    texts: dict[bytes, bytes] = {}
    at, size = 0, len(headers)
    while at < size:
        value = at + 2 + headers[at]
        if value > size:
            return None
        name, kind = headers[at + 1 : value - 1], headers[value - 1]
        if kind in _COUNTED:
            length = int.from_bytes(headers[value : value + 2])
            value += 2
        elif kind in _SIZES:
            length = _SIZES[kind]
        else:
            return None
        at = value + length
        if kind == _TEXT:
            texts[name] = headers[value:at]
    return texts if at == size else None


def _kind(headers: bytes) -> _Kind | None:
    texts = _texts(headers)
    if texts is None:
        return None
    if texts.get(b":message-type") not in (b"exception", b"error"):
        return _Kind(texts.get(b":event-type", b""))
    name = texts.get(b":exception-type") or texts.get(b":error-code") or b"error"
    said = texts.get(b":error-message")
    return _Kind(name, True, said.decode("utf-8", "replace") if said else None)


# A stream's headers are the same few over and over.
_kind_cached = lru_cache(maxsize=256)(_kind)


def _failure(kind: _Kind, payload: bytes) -> bytes:
    """The document of a failure: its message from the headers, the payload's `message`, or the payload itself."""
    text = payload.decode("utf-8", "replace")
    message: object = kind.message
    if not message:
        try:
            document = json.loads(text)
        except (ValueError, RecursionError):
            document = None
        message = document.get("message", document.get("Message")) if isinstance(document, dict) else None
    error = {"type": kind.name.decode("utf-8", "replace"), "message": message if isinstance(message, str) else text}
    return json.dumps({"error": error}).encode()
