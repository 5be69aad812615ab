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
from io import SEEK_CUR, BytesIO
from itertools import accumulate
from struct import Struct
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
# Frames with the same headers are taken at once, if they are not longer than this.
_LONGEST_AT_ONCE = 1024
_LENGTHS = 1024
_ONES = 0xFFFFFFFF
_FLIPPED = bytes(255 - byte for byte in range(256))
# What each byte makes of a checksum of zeros, and which byte it was by the highest eight bits of that.
_STEPS = [crc32(bytes((byte,)), _ONES) ^ _ONES for byte in range(256)]
_BACK = {step >> 24: byte for byte, step in enumerate(_STEPS)}


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
            yield from frames.passed()

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
        messages += frames.messages(None if self._tells is None else self._tells(data))
        self._kept.append(frames)
        return at if sound else self._stop(size)

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
    """The frames of one block of data, in runs of frames with the same headers."""

    def __init__(self, offset: int) -> None:
        self._offset = offset
        self._runs: list[_Run] = []

    def take(self, data: bytes, at: int, limit: int) -> tuple[int, bool]:
        """Takes the frames from an offset on; returns where it stopped, and whether a frame could be there."""
        size = len(data)
        run: _Run | None = None
        while size - at >= _LEAST:
            total, cut = _lengths(data[at : at + 12])
            if not total:
                return at, False
            end = at + total
            if total > limit or end > size:
                break
            if run is None or not data.startswith(run.head, at + 12) or len(run.head) != cut - 12:
                kind = (_kind_cached if cut <= _LONGEST_CACHED else _kind)(data[at + 12 : at + cut])
                if kind is None:
                    return at, False
                run = _Run(kind, data[at + 12 : at + cut], at)
                self._runs.append(run)
                if limit >= 2 * _LONGEST_AT_ONCE >= 2 * cut and data.startswith(run.head, end + 12) and run.take(data):
                    at = run.end
                    continue
            if crc32(data[at : end - 4]) != int.from_bytes(data[end - 4 : end]):
                return at, False
            run.add(data[at + cut : end], end)
            at = end
        return at, True

    def messages(self, places: list[int] | None) -> list[Message]:
        """The messages at these places of the data, the last one and the failures; all of them where none are given."""
        told: list[Message] = []
        runs = [run for run in self._runs if run.bodies]
        for run in runs:
            if places is None or run.kind.failed:
                told += run.messages(self._offset)
                continue
            own = {bisect_right(run.ends, place) for place in places if place < run.end} if places else set()
            places = [place for place in places if place >= run.end]
            if run is runs[-1]:
                own.add(len(run.bodies) - 1)
            told += [run.message(at, self._offset) for at in sorted(own)]
        return told

    def passed(self) -> Iterator[Message]:
        """All of the messages, the last one first."""
        for run in reversed(self._runs):
            yield from reversed(run.messages(self._offset))


class _Run:
    """Frames with the same headers, one after the other up to `end` in a block of data; `bodies` follow the headers."""

    def __init__(self, kind: _Kind, head: bytes, start: int) -> None:
        self.kind, self.head = kind, head
        self.bodies: list[bytes] = []
        self.end = start
        self._start = start
        self._ends: list[int] = []

    @property
    def ends(self) -> list[int]:
        """Where each frame ends."""
        if len(self._ends) < len(self.bodies):
            before = _PRELUDE.size + len(self.head)
            self._ends = [*accumulate((before + len(body) for body in self.bodies), initial=self._start)][1:]
        return self._ends

    def add(self, body: bytes, end: int) -> None:
        """Takes the next frame."""
        self.bodies.append(body)
        self.end = end

    def messages(self, offset: int) -> list[Message]:
        """All of the messages, in a block that begins at an offset in the body."""
        kind = self.kind
        payloads = (
            [_failure(kind, body[:-4]) for body in self.bodies] if kind.failed else [body[:-4] for body in self.bodies]
        )
        return [Message(payload, kind.name, offset + end) for payload, end in zip(payloads, self.ends, strict=True)]

    def message(self, at: int, offset: int) -> Message:
        """One of the messages."""
        payload, kind = self.bodies[at][:-4], self.kind
        end = self.end if at == len(self.bodies) - 1 else self.ends[at]
        return Message(_failure(kind, payload) if kind.failed else payload, kind.name, offset + end)

    def take(self, data: bytes) -> bool:
        """Takes all whole frames from the start on that have these headers; says no if one of them is not sound.

        Their checksums are checked in one go, which finds a wrong one as surely.
        """
        begun, stream = _begun(self.head), BytesIO(data)
        width, known, cut, read = begun.width, begun.known, _PRELUDE.size + len(self.head), stream.read
        rows: list[bytes] = []
        add = rows.append
        stream.seek(self.end)
        while True:
            try:
                while True:
                    text, rest = known[start := read(cut)]
                    add(text)
                    add(read(rest))
            except KeyError:
                if not begun.learn(start) or (rows and begun.width != width):
                    break
                width = begun.width
                stream.seek(-cut, SEEK_CUR)
        end = stream.tell() - len(start)
        if rows and len(rows[-1]) < rest:
            end -= cut + len(rows[-1])
            del rows[-2:]
        if not rows or not _sound(bytearray().join(rows), width):
            return False
        self.bodies, self.end = rows[1::2], end
        return True


def _sound(rows: bytearray, width: int) -> bool:
    """Whether all frames are sound, each of which stands at the end of a row, as `_Begun` has it.

    With its checksum flipped and the last byte of that first, a sound frame is a multiple of the polynomial, and so are
    any number of them in a row. A wrong one makes a remainder, which nothing but another wrong one could undo.
    """
    checks = [rows[width - 1 - at :: width].translate(_FLIPPED) for at in range(4)]
    for at, check in enumerate(checks):
        rows[width - 4 + at :: width] = check
    return crc32(rows, _ONES) == _ONES


class _Begun:
    """How frames with these headers begin, and what stands for that in a row of `width`, and how much follows it.

    The checksum of nothing but zeros is begun with zeros instead of ones, and four bytes can stand for any others.
    """

    def __init__(self, head: bytes) -> None:
        self._head = head
        self.width = 0
        self.known: dict[bytes, tuple[bytes, int]] = {}

    def learn(self, text: bytes) -> bool:
        """Takes the beginning of another frame; says whether it is one. A longer one makes the rows wider."""
        if len(text) < _PRELUDE.size or text[_PRELUDE.size :] != self._head:
            return False
        total, cut = _lengths(text[: _PRELUDE.size])
        rest = total - cut
        if cut != len(text) or rest > _LONGEST_AT_ONCE:
            return False
        if rest + 4 > self.width or len(self.known) >= _LENGTHS:
            self.width = max(self.width, rest + 16 - rest % 8)
            self.known.clear()
        self.known[text] = bytes(self.width - rest - 4) + _stand_in(text), rest
        return True


def _stand_in(text: bytes) -> bytes:
    """The four bytes after which a checksum begun with zeros is what it is after a text if begun with ones."""
    state = crc32(text) ^ _ONES
    for _ in range(4):
        byte = _BACK[state >> 24]
        state = (state ^ _STEPS[byte]) << 8 & _ONES | byte
    return state.to_bytes(4, "little")


_begun = lru_cache(maxsize=64)(_Begun)


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
