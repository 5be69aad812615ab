"""One content coding, undone piece by piece within bounds.

The rules:

- A gzip body is one or more members, a zstd body one or more frames, a deflate or br body exactly one stream. What
  follows is trailing data: flagged and dropped.
- gzip and zstd begin with a magic number. A body that does not is not of that coding whatever its header says (servers
  and recorders decode a body and leave the header), so its bytes are handed on as they are. deflate and br have no
  magic: there a body that fails before it has yielded anything counts as mislabeled.
- `deflate` is zlib (RFC 1950), but some servers send raw DEFLATE (RFC 1951). Two bytes tell: a zlib header has 8 in its
  low nibble and is a multiple of 31; as raw DEFLATE, 8 in the low nibble would be a stored block with dirty padding,
  which no encoder writes. A raw stream does not start with `{` or `[` either: that is a fixed block whose first
  literal is above 0x8f, which no text starts with.
- What could be decoded before an error is kept. All three libraries throw away the output of the call that fails, so
  the bytes since the last checkpoint are kept (64 KiB at most) and replayed one at a time up to the error. zlib can be
  copied, so it has a checkpoint anywhere; br and zstd only have their beginning: further in, an error costs the output
  of one piece of at most 16 KiB.
- No call produces more than its room by more than 2 MiB. zlib has an exact cap. brotli has a soft one, of up to twice
  the value, and says that it can accept more data while it still has output for the data it took, so where its first
  output block (32 KiB) may have filled up it is asked until nothing comes. zstandard has none, so it is fed in slices: nothing is denser than an RLE block, 4 bytes for 128 KiB
  (RFC 8878, 3.1.1.2), which bounds what a slice can yield.
- A zstd window is 8 MiB at most (RFC 9659).
"""

import zlib
from collections.abc import Callable
from enum import Enum, auto
from functools import partial
from typing import NamedTuple, Protocol, Self

import brotli  # type: ignore[import-untyped]  # ships neither stubs nor py.typed
import zstandard

_PIECE = 16 * 1024
_REPLAY_INPUT = 64 * 1024
_REPLAY_OUTPUT = 1024 * 1024
_BROTLI_STEP = 512 * 1024
_BROTLI_FULL = 16 * 1024
_ZSTD_WINDOW = 8 * 1024 * 1024
_ZSTD_SLICE = 1024
# 15 whole RLE blocks and the one that was begun before: 2 MiB.
_ZSTD_LEAST_SLICE = 60
_ZSTD_DENSITY_BITS = 15

_GZIP_MAGIC = b"\x1f\x8b"
_ZSTD_MAGICS = (b"\x28\xb5\x2f\xfd", *(bytes((kind, 0x2A, 0x4D, 0x18)) for kind in range(0x50, 0x60)))

_CORRUPT = (zlib.error, brotli.error, zstandard.ZstdError)


class Decompressor(Protocol):
    """One member, frame or stream.

    `process` takes compressed bytes and returns what they yield: more than `room` bytes only if there is more than
    that, and then the decompressor is of no further use. It raises one of `_CORRUPT`. `rest` is what followed the end
    in the last piece. `fork` is a copy at this point, or None where the library has no such thing; `fresh` is a new one
    for the same format, which ends the use of this one.
    """

    @property
    def finished(self) -> bool: ...
    @property
    def rest(self) -> bytes: ...
    def process(self, data: bytes, room: int) -> bytes: ...
    def fork(self) -> "Decompressor | None": ...
    def fresh(self) -> "Decompressor": ...


class _Inflate:
    def __init__(self, wbits: int) -> None:
        self._wbits = wbits
        self._stream = zlib.decompressobj(wbits)

    @property
    def finished(self) -> bool:
        return self._stream.eof

    @property
    def rest(self) -> bytes:
        return self._stream.unused_data

    def process(self, data: bytes, room: int) -> bytes:
        return self._stream.decompress(data, room + 1)

    def fork(self) -> Self:
        twin = self.fresh()
        twin._stream = self._stream.copy()
        return twin

    def fresh(self) -> Self:
        return type(self)(self._wbits)


class _Unbrotli:
    rest = b""

    def __init__(self) -> None:
        self._stream = brotli.Decompressor()

    @property
    def finished(self) -> bool:
        return bool(self._stream.is_finished())

    def process(self, data: bytes, room: int) -> bytes:
        plain: bytes = self._stream.process(data, output_buffer_limit=_BROTLI_STEP)
        if len(plain) < _BROTLI_FULL:
            return plain
        parts = [plain]
        size = len(plain)
        while parts[-1] and size <= room:
            parts.append(self._stream.process(b"", output_buffer_limit=_BROTLI_STEP))
            size += len(parts[-1])
        return b"".join(parts)

    def fork(self) -> None:
        return None

    def fresh(self) -> Self:
        return type(self)()


class _Unzstd:
    def __init__(self, context: zstandard.ZstdDecompressor | None = None) -> None:
        # A context costs more than a small frame: one serves all frames of a body.
        self._context = context or zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW)
        self._frame = self._context.decompressobj()
        self._unfed = b""

    @property
    def finished(self) -> bool:
        return self._frame.eof

    @property
    def rest(self) -> bytes:
        return self._frame.unused_data + self._unfed

    def process(self, data: bytes, room: int) -> bytes:
        step = min(_ZSTD_SLICE, _ZSTD_LEAST_SLICE + (room >> _ZSTD_DENSITY_BITS))
        if len(data) <= step:
            return self._frame.decompress(data)
        parts = []
        at = 0
        while at < len(data) and room >= 0 and not self._frame.eof:
            parts.append(self._frame.decompress(data[at : at + step]))
            at += step
            room -= len(parts[-1])
            step = min(_ZSTD_SLICE, _ZSTD_LEAST_SLICE + (max(room, 0) >> _ZSTD_DENSITY_BITS))
        self._unfed = data[at:]
        return b"".join(parts)

    def fork(self) -> None:
        return None

    def fresh(self) -> Self:
        return type(self)(self._context)


class _Sniff(Enum):
    MORE = auto()  # a beginning of the coding, but too short to be sure
    FOREIGN = auto()  # not this coding


type _Start = Callable[[], Decompressor] | _Sniff


class Coding(NamedTuple):
    """How a coding starts: `start` takes the first bytes (at least one) of a stream, returns what makes its decoder.

    `repeats` says that another stream may follow the first, `guessed` that there is no magic number to know it by.
    """

    start: Callable[[bytes], _Start]
    repeats: bool
    guessed: bool


def _start_gzip(head: bytes) -> _Start:
    if head.startswith(_GZIP_MAGIC):
        return partial(_Inflate, 31)
    return _Sniff.MORE if _GZIP_MAGIC.startswith(head) else _Sniff.FOREIGN


def _start_zstd(head: bytes) -> _Start:
    if head.startswith(_ZSTD_MAGICS):
        return _Unzstd
    return _Sniff.MORE if any(magic.startswith(head) for magic in _ZSTD_MAGICS) else _Sniff.FOREIGN


def _start_deflate(head: bytes) -> _Start:
    if head[0] in b"{[":
        return _Sniff.FOREIGN
    if head[0] & 0x0F != 8 or head[0] > 0x78:
        return partial(_Inflate, -15)
    if len(head) < 2:
        return _Sniff.MORE
    return partial(_Inflate, 15 if int.from_bytes(head[:2]) % 31 == 0 else -15)


def _start_br(_head: bytes) -> _Start:
    return _Unbrotli


_GZIP = Coding(_start_gzip, repeats=True, guessed=False)

CODINGS = {
    "gzip": _GZIP,
    "x-gzip": _GZIP,
    "deflate": Coding(_start_deflate, repeats=False, guessed=True),
    "br": Coding(_start_br, repeats=False, guessed=True),
    "zstd": Coding(_start_zstd, repeats=True, guessed=False),
}


class _State(Enum):
    OPENING = auto()
    DECODING = auto()
    BETWEEN = auto()
    RAW = auto()
    ENDED = auto()


class Undo:
    """Undoes one coding. `flag` is called with an anomaly's word, perhaps repeatedly; nothing is raised."""

    def __init__(self, coding: Coding, flag: Callable[[str], None]) -> None:
        self._coding = coding
        self._flag = flag
        self._state = _State.OPENING
        self._head = b""
        self._total = 0
        self._decompressor: Decompressor | None = None
        self._checkpoint: Decompressor | None = None  # None is the beginning of the stream
        self._replayable = True
        self._since = bytearray()
        self._yielded = 0
        self._since_start = True

    def feed(self, data: bytes, ceiling: int) -> bytes:
        """Encoded bytes in, decoded bytes out; `ceiling` is the output allowed so far, in all, and may only grow."""
        if self._state is _State.RAW:
            return data
        out: list[bytes] = []
        if len(data) <= _PIECE:
            self._feed_piece(data, ceiling, out)
        else:
            # A library copies all that is left after a member: pieces keep many small members from costing its square.
            for at in range(0, len(data), _PIECE):
                self._feed_piece(data[at : at + _PIECE], ceiling, out)
        return out[0] if len(out) == 1 else b"".join(out)

    def close(self) -> bytes:
        """The end of the input: returns bytes held back, if any, and flags what is missing."""
        if self._state is _State.BETWEEN and self._head:
            self._flag("coding_trailing_data")
        elif self._state is _State.OPENING and self._head:
            return self._cut_at_start(self._head)
        elif self._state is _State.DECODING:
            return self._cut_at_start(self._since if self._may_be_mislabeled() else b"")
        return b""

    def _cut_at_start(self, raw: bytes | bytearray) -> bytes:
        if raw and raw.isascii() and raw.decode("ascii").replace("\r", "").replace("\n", "").isprintable():
            self._flag("coding_mislabeled")
            return bytes(raw)
        self._flag("coding_truncated")
        return b""

    def _feed_piece(self, piece: bytes, ceiling: int, out: list[bytes]) -> None:
        while piece and self._state is not _State.ENDED:
            if self._state is _State.DECODING:
                piece = self._decode(piece, ceiling - self._total, out)
            elif self._state is _State.RAW:
                out.append(piece)
                return
            else:
                piece = self._open(piece)

    def _open(self, piece: bytes) -> bytes:
        head = self._head + piece
        first = self._state is _State.OPENING
        start = self._coding.start(head) if first or self._coding.repeats else _Sniff.FOREIGN
        if start is _Sniff.MORE:
            self._head = head
            return b""
        self._head = b""
        if isinstance(start, _Sniff):
            self._flag("coding_mislabeled" if first else "coding_trailing_data")
            self._state = _State.RAW if first else _State.ENDED
            return head
        self._decompressor = self._decompressor.fresh() if self._decompressor else start()
        self._state = _State.DECODING
        self._mark(None, replayable=True)
        return head

    def _mark(self, checkpoint: Decompressor | None, *, replayable: bool) -> None:
        self._checkpoint = checkpoint
        self._replayable = replayable
        self._since.clear()
        self._yielded = 0

    def _decode(self, piece: bytes, room: int, out: list[bytes]) -> bytes:
        decompressor = self._decompressor
        assert decompressor is not None
        try:
            plain = decompressor.process(piece, room)
            finished, rest = decompressor.finished, decompressor.rest
        except _CORRUPT as error:
            plain, finished, rest = self._replay(decompressor, piece, room, error, out)
        if len(plain) > room:
            self._flag("coding_bomb")
            self._state = _State.ENDED
            plain = plain[:room]
        if plain:
            out.append(plain)
            self._total += len(plain)
        if self._state is not _State.DECODING:
            return b""
        if finished:
            self._state = _State.BETWEEN
            return rest
        if self._replayable:
            self._keep(decompressor, piece, len(plain))
        return b""

    def _keep(self, decompressor: Decompressor, piece: bytes, yielded: int) -> None:
        self._since += piece
        self._yielded += yielded
        if len(self._since) > _REPLAY_INPUT or self._yielded > _REPLAY_OUTPUT:
            checkpoint = decompressor.fork()
            self._mark(checkpoint, replayable=checkpoint is not None)
            self._since_start = False

    def _may_be_mislabeled(self) -> bool:
        return self._coding.guessed and self._total == 0 and self._since_start

    def _replay(
        self, failed: Decompressor, piece: bytes, room: int, error: Exception, out: list[bytes]
    ) -> tuple[bytes, bool, bytes]:
        if not self._replayable:
            self._fail(error)
            return b"", False, b""
        self._decompressor = twin = self._checkpoint or failed.fresh()
        plain = bytearray(twin.process(bytes(self._since), self._yielded))
        del plain[: self._yielded]
        for at in range(len(piece)):
            try:
                plain += twin.process(piece[at : at + 1], room - len(plain))
            except _CORRUPT as exact:
                if not plain and self._may_be_mislabeled():
                    self._flag("coding_mislabeled")
                    self._state = _State.RAW
                    out.append(bytes(self._since) + piece)
                else:
                    self._fail(exact)
                break
            if twin.finished:
                return bytes(plain), True, piece[at + 1 :]
            if len(plain) > room:
                break
        return bytes(plain), False, b""

    def _fail(self, error: Exception) -> None:
        self._state = _State.ENDED
        text = str(error)
        if "data check" in text or "length check" in text or "checksum" in text:
            self._flag("coding_checksum")
        elif "too much memory" in text:
            self._flag("coding_window")
        else:
            self._flag("coding_corrupt")
