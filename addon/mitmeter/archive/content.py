"""What a segment file holds, whole or damaged: all bytes of it that can be decoded, and the records among them."""

import os
from collections.abc import Iterator
from pathlib import Path

import zstandard

from mitmeter.archive.record import RecordError, checksum, item_end, verify
from mitmeter.archive.segments import SegmentError, open_segment

# A segment is sealed once it has 32 MiB of records, so it holds no more than that and the largest record.
LIMIT_BYTES = 2**29

_READ_BYTES = 2**16
_PIECE_BYTES = 2**12
_MAGIC = b"\x28\xb5\x2f\xfd"
_BLOCK_LIMIT = 2**17
_RUN_LENGTH = 1
_RESERVED = 3

# How every record of ours begins: a map of 24 pairs or more, and `id`.
_BEGIN = b"\x62id"


def content(path: Path) -> tuple[bytes, str | None]:
    """All bytes of records that can be decoded, and what is wrong with the next one, None where nothing is.

    An end that is missing is nothing wrong: an open segment and one after a crash have none. Raises SegmentError
    where the file cannot be opened.
    """
    good, damage = _decoded(path, 0, _PIECE_BYTES)
    if damage is not None:
        # A read that fails loses what it had decoded: the last bytes before the damage, one by one.
        more, _ = _decoded(path, len(good), 1)
        good += more
    elif not is_sealed(path):
        # Nor does one that ends within a block hand out the block before: all in one go gets that.
        whole, _ = _decoded(path, 0, len(good) + 2 * _BLOCK_LIMIT)
        good = max(good, whole, key=len)
    return good, damage


def _decoded(path: Path, skip: int, piece: int) -> tuple[bytes, str | None]:
    parts: list[bytes] = []
    size = 0
    with open_segment(path) as file:
        stream = zstandard.ZstdDecompressor().stream_reader(file, read_size=_READ_BYTES)
        try:
            while skip:
                skipped = len(stream.read(min(skip, _PIECE_BYTES)))
                if not skipped:
                    return b"", None
                skip -= skipped
            while part := stream.read(piece):
                parts.append(part)
                size += len(part)
                if size > LIMIT_BYTES:
                    return b"".join(parts), f"holds more than {LIMIT_BYTES} bytes"
        except (zstandard.ZstdError, OSError) as error:
            return b"".join(parts), str(error)
    return b"".join(parts), None


def records(data: bytes, start: int, end: int) -> Iterator[tuple[int, bytes | None]]:
    """The records between two offsets, in order, with theirs; None for a stretch in which none can be read.

    Beyond such a stretch only records that carry a checksum, and the right one, count.
    """
    lost = False
    while start < end:
        stop = _whole(data, start, end, lost)
        if stop is not None:
            yield start, data[start:stop]
            start, lost = stop, False
            continue
        if not lost:
            yield start, None
        lost = True
        found = data.find(_BEGIN, start + 3, end)
        start = end if found < 0 else found - 2


def _whole(data: bytes, start: int, end: int, strict: bool) -> int | None:
    """Where the sound record at an offset ends."""
    if strict and data[start] not in (0xB8, 0xB9):
        return None
    try:
        stop = item_end(data, start)
        if stop is None or stop > end:
            return None
        record = data[start:stop]
        verify(record)
    except RecordError:
        return None
    return None if strict and checksum(record) is None else stop


def is_sealed(path: Path) -> bool:
    """Whether a segment has its end: its blocks, which are not decoded, lead to the last one and the file's end.

    Raises SegmentError where the file cannot be opened or read.
    """
    try:
        with open_segment(path) as file:
            data = file.read()
    except SegmentError:
        raise
    except OSError as error:
        raise SegmentError(error.errno, f"cannot be read ({error.strerror})", str(path)) from error
    at = _header_end(data)
    while at is not None and at + 3 <= len(data):
        head = int.from_bytes(data[at : at + 3], "little")
        kind, size = head >> 1 & 3, head >> 3
        at += 3 + (1 if kind == _RUN_LENGTH else size)
        if kind == _RESERVED or (size > _BLOCK_LIMIT and kind != _RUN_LENGTH):
            return False
        if head & 1:
            return at + (4 if data[4] & 4 else 0) == len(data)
    return False


def _header_end(data: bytes) -> int | None:
    """Where the first block begins (RFC 8878, section 3.1.1.1)."""
    if len(data) < 6 or data[:4] != _MAGIC:
        return None
    descriptor = data[4]
    single = descriptor >> 5 & 1
    sizes = (1 if single else 0, 2, 4, 8)
    return 5 + (1 - single) + (0, 1, 2, 4)[descriptor & 3] + sizes[descriptor >> 6]


def sync(path: Path) -> None:
    """Have a file, or a folder's entries, on the disk itself; raises OSError."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
