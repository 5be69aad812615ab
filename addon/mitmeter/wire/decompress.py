"""The content codings: how each starts, and one interface, with bounds, over the three libraries.

- gzip and zstd begin with a magic number, and a body is one or more members or frames. deflate and br have no magic,
  and a body is one stream.
- `deflate` is zlib (RFC 1950), but some servers send raw DEFLATE (RFC 1951). Two bytes tell: a zlib header has 8 in its
  low nibble and is a multiple of 31; as raw DEFLATE, 8 in the low nibble would be a stored block with dirty padding,
  which no encoder writes. A raw stream does not start with `{` or `[` either: that is a fixed block whose first
  literal is above 0x8f, which no JSON starts with.
- No call yields more than its room by more than 2 MiB. zlib has an exact cap. brotli has a soft one, of up to twice the
  value, and says that it can accept more data while it still has output for the data it took, so where its first output
  block (32 KiB) may have filled up it is asked until nothing comes. zstandard has none, so it is fed in slices: nothing
  is denser than an RLE block, 4 bytes for 128 KiB (RFC 8878, 3.1.1.2), which bounds what a slice can yield.
- A zstd window is 8 MiB at most (RFC 9659).
"""

import zlib
from collections.abc import Callable
from enum import Enum, auto
from functools import partial
from typing import NamedTuple, Protocol, Self

import brotli  # type: ignore[import-untyped]  # ships neither stubs nor py.typed
import zstandard

_BROTLI_STEP = 512 * 1024
_BROTLI_FULL = 16 * 1024
_ZSTD_WINDOW = 8 * 1024 * 1024
_ZSTD_SLICE = 1024
# 15 whole RLE blocks and the one that was begun before: 2 MiB.
_ZSTD_LEAST_SLICE = 60
_ZSTD_DENSITY_BITS = 15

_GZIP_MAGIC = b"\x1f\x8b"
_ZSTD_MAGICS = (b"\x28\xb5\x2f\xfd", *(bytes((kind, 0x2A, 0x4D, 0x18)) for kind in range(0x50, 0x60)))

CORRUPT = (zlib.error, brotli.error, zstandard.ZstdError)


class Decompressor(Protocol):
    """One member, frame or stream.

    `process` takes compressed bytes and returns what they yield: more than `room` bytes only if there is more than
    that, and then the decompressor is of no further use. It raises one of `CORRUPT`. `rest` is what followed the end
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


class Sniff(Enum):
    """What first bytes that do not start a coding are."""

    MORE = auto()  # a beginning of the coding, but too short to be sure
    FOREIGN = auto()  # not this coding


type _Start = Callable[[], Decompressor] | Sniff


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
    return Sniff.MORE if _GZIP_MAGIC.startswith(head) else Sniff.FOREIGN


def _start_zstd(head: bytes) -> _Start:
    if head.startswith(_ZSTD_MAGICS):
        return _Unzstd
    return Sniff.MORE if any(magic.startswith(head) for magic in _ZSTD_MAGICS) else Sniff.FOREIGN


def _start_deflate(head: bytes) -> _Start:
    if head[0] in b"{[":
        return Sniff.FOREIGN
    if head[0] & 0x0F != 8 or head[0] > 0x78:
        return partial(_Inflate, -15)
    if len(head) < 2:
        return Sniff.MORE
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
