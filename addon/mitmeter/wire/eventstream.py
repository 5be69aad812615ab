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
from bisect import bisect_right
from collections import deque
from collections.abc import Iterator
from functools import lru_cache
from itertools import pairwise
from struct import Struct, pack
from typing import ClassVar, NamedTuple
from zlib import crc32

from mitmeter.exchange import Message
from mitmeter.mould import Tells
from mitmeter.wire.sparse import KEPT

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
        self._tells: Tells | None = None
        self._kept: deque[_Frames] = deque(maxlen=KEPT)

    def heed(self, tells: Tells) -> None:
        """From now on, only the frames in which `tells` finds something and the last of a block need to be told."""
        self._tells = tells

    def passed(self) -> Iterator[Message]:
        """The newest frames of those that may not have been told, the last one first."""
        for frames in reversed(self._kept):
            yield from map(frames.message, reversed(range(len(frames.bodies))))

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
        frames = _Frames(self._offset)
        at, sound = frames.take(data, at, self._limit)
        while sound and size - at >= _LEAST:
            total, _ = _lengths(data[at : at + 12])
            if total <= self._limit:
                self._wanted = total
                break
            self._flag("frame_too_long")
            self._skip = max(0, at + total - size)
            at, sound = frames.take(data, min(at + total, size), self._limit)
        whole = frames.check()
        messages += frames.messages(None if self._tells is None else self._tells(data))
        self._kept.append(frames)
        return at if whole and sound else self._stop(size)

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


class _Frames:
    """The frames of one block of data: `bodies` are all of each but its checksum."""

    def __init__(self, offset: int) -> None:
        self.bodies: list[bytes] = []
        self._offset = offset
        self._checks: list[bytes] = []
        self._ends: list[int] = []
        self._runs: list[tuple[int, int, _Kind]] = []  # the first frame of a run, where payloads begin in it, its kind

    def take(self, data: bytes, at: int, limit: int) -> tuple[int, bool]:
        """Takes the frames from an offset on; returns where it stopped, and whether a frame could be there."""
        size, starts = len(data), data.startswith
        body, check, ended = self.bodies.append, self._checks.append, self._ends.append
        head, totals = b"", dict[bytes, int]()  # of frames whose headers are these, by their first 12 bytes
        while size - at >= _LEAST:
            total = totals.get(data[at : at + 12], 0)
            if not total or not starts(head, at + 12):
                total, cut = _lengths(data[at : at + 12])
                if not total:
                    return at, False
                if total > limit or at + total > size:
                    break
                if not totals or data[at + 12 : at + cut] != head:
                    head = data[at + 12 : at + cut]
                    totals.clear()
                    if not self._name(head):
                        return at, False
                totals[data[at : at + 12]] = total
            end = at + total
            if end > size:
                break
            body(data[at : end - 4])
            check(data[end - 4 : end])
            ended(end)
            at = end
        return at, True

    def _name(self, head: bytes) -> bool:
        """Begins a run of frames with these headers, says whether they add up."""
        kind = (_kind_cached if len(head) <= _LONGEST_CACHED else _kind)(head)
        if kind is not None:
            self._runs.append((len(self.bodies), 12 + len(head), kind))
        return kind is not None

    def check(self) -> bool:
        """Whether every frame has its checksum; forgets the frames from the first on that has not."""
        sums = tuple(map(crc32, self.bodies))
        if b"".join(self._checks) == pack(f">{len(sums)}I", *sums):
            return True
        wrong = next(at for at, check in enumerate(self._checks) if int.from_bytes(check) != sums[at])
        del self.bodies[wrong:], self._ends[wrong:]
        return False

    def messages(self, places: list[int] | None) -> list[Message]:
        """The messages at these places of the data, the last one and the failures; all of them where none are given."""
        number = len(self.bodies)
        if places is None or not number:
            return [self.message(at) for at in range(number)]
        told = {bisect_right(self._ends, place) for place in places} | {number - 1}
        for (first, _, kind), (end, _, _) in pairwise((*self._runs, (number, 0, _Kind(b"")))):
            told.update(range(first, min(end, number)) if kind.failed else ())
        return [self.message(at) for at in sorted(told) if at < number]

    def message(self, at: int) -> Message:
        """One of the messages."""
        _, cut, kind = self._runs[bisect_right(self._runs, at, key=_first) - 1]
        payload = self.bodies[at][cut:]
        return Message(_failure(kind, payload) if kind.failed else payload, kind.name, self._offset + self._ends[at])


def _first(run: tuple[int, int, _Kind]) -> int:
    return run[0]


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
