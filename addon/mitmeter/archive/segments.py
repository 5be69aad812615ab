"""Append-only files of records: `<folder>/<name>.cborseq.zst`, each one zstd stream over a CBOR sequence (RFC 8742).

All records of a segment share one compression window, so a conversation that resends its history costs what is new.
The stream is flushed to a block boundary after every record, which makes each of them readable while the segment
grows and after a crash: `zstd -dc FILE` prints all there is and then complains of the missing end.
"""

import contextlib
import fcntl
import os
import secrets
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from io import BufferedReader
from itertools import accumulate
from pathlib import Path

import zstandard

from mitmeter import private
from mitmeter.archive.layout import Pieces, size
from mitmeter.archive.record import RecordError, checksum, item_end, verify
from mitmeter.exchange import Place

SUFFIX = ".cborseq.zst"
SEAL_SIZE = 32 * 2**20

# A window of 32 MiB, since a segment is sealed at that size. Long-distance matching would cost 2.5 x the CPU for 2 %.
# Matches shorter than 7 bytes are not looked for: on new text in which nothing recurs that is a third of level 3's CPU,
# and it costs what is resent next to nothing. Tables of 2^16 stay in the processor's cache.
PARAMETERS = zstandard.ZstdCompressionParameters.from_level(
    3, window_log=25, hash_log=16, chain_log=15, min_match=7, write_checksum=True
)
_CHUNK_BYTES = 2**18
_PIECE_BYTES = 2**12

# More than a segment of ours holds, but for a record that is larger than a segment.
_AT_ONCE_BYTES = 2**27

# Written after every flush. Readers of a stream that has no end yet drop what is decoded and not handed out when the
# input ends with it (python-zstandard 0.25 `stream_reader`; zstd before 1.5.6, facebook/zstd#3602): one more block,
# raw and of no bytes, keeps them from that.
_EMPTY_BLOCK = b"\x00\x00\x00"
_FLUSH = zstandard.COMPRESSOBJ_FLUSH_BLOCK


class SegmentError(OSError):
    """A capture cannot be read from its segment; the message says why."""


class _Torn(SegmentError):
    """The stream has no more, though what it decoded last may not have been handed out."""


class SegmentWriter:
    """Appends records to segments of its own in a folder that it may share with other writers.

    Nothing is created before the first append. The open segment is locked (flock), so that `is_open` can tell it
    from those that nobody writes any more. To be used from one thread at a time.
    """

    def __init__(self, folder: Path, *, seal_size: int = SEAL_SIZE, sync_seals: bool = False) -> None:
        """`seal_size` is the bytes of records, before compression, after which a segment is ended.

        With `sync_seals` a segment that is ended is on the disk, not only with the operating system.
        """
        self._folder = folder
        self._seal_size = seal_size
        self._sync_seals = sync_seals
        self._compressor = zstandard.ZstdCompressor(compression_params=PARAMETERS)
        self._open: _OpenSegment | None = None

    def append(self, record: bytes, now: float) -> Place:
        """Write one record, as `append_all` does several."""
        return self.append_all(((record,),), now)[0]

    def append_all(self, records: Sequence[Pieces], now: float) -> list[Place]:
        """Write records through to the operating system; `now` (epoch seconds) names a segment that is begun.

        Raises OSError where they cannot be written. The segment is then abandoned with what it held before, and the
        next append begins another.
        """
        segment = self._open or _OpenSegment(self._folder, self._compressor.compressobj(), now)
        self._open = None
        try:
            offsets = segment.append(records)
            self._open = segment
        finally:
            # Whatever stops it, the compressor is then ahead of the file: nothing may be added to this stream.
            if self._open is None:
                segment.abandon()
        if segment.size >= self._seal_size:
            # The records are written; a segment without its end reads as well as one with it.
            with contextlib.suppress(OSError):
                self.close()
        return [
            Place(segment.name, offset, size(record), checksum(record[-1]))
            for offset, record in zip(offsets, records, strict=True)
        ]

    @property
    def begun(self) -> float | None:
        """When the open segment was begun (epoch seconds), None where none is open."""
        return None if self._open is None else self._open.begun

    def sync(self) -> None:
        """Have what was appended on the disk; raises OSError."""
        if self._open is not None:
            self._open.sync()

    def close(self) -> None:
        """Seal the open segment, if any; a later append begins another. Raises OSError where the end is not written."""
        segment, self._open = self._open, None
        if segment is not None:
            segment.seal(sync=self._sync_seals)


class _OpenSegment:
    """A file, its compressor, how many bytes of records it holds and how many bytes of them, compressed, are good."""

    def __init__(self, folder: Path, compressor: "zstandard.ZstdCompressionObj", now: float) -> None:
        private.make_folder(folder)
        self.path, self._fd = _create(folder, now)
        self.name = self.path.name
        self.begun = now
        self.size = 0
        self._written = 0
        self._compressor = compressor

    def append(self, records: Sequence[Pieces]) -> list[int]:
        *offsets, total = accumulate(map(size, records), initial=self.size)
        parts: list[bytes] = []
        for record in records:
            # Each to a block of its own: a tail that is torn costs no more than the record that it is torn in.
            parts += map(self._compressor.compress, record)
            parts += (self._compressor.flush(_FLUSH), _EMPTY_BLOCK)
        self._write(b"".join(parts))
        self.size = total
        return offsets

    def sync(self) -> None:
        os.fdatasync(self._fd)

    def seal(self, *, sync: bool) -> None:
        try:
            self._write(self._compressor.flush(zstandard.COMPRESSOBJ_FLUSH_FINISH))
            if sync:
                os.fsync(self._fd)
        except OSError:
            self.abandon()
            raise
        os.close(self._fd)

    def abandon(self) -> None:
        # What failed may be the file itself, so this is tried and no more: readers cope with a torn tail.
        with contextlib.suppress(OSError):
            os.ftruncate(self._fd, self._written)
        with contextlib.suppress(OSError):
            if self._written == 0:
                self.path.unlink()
        os.close(self._fd)

    def _write(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            # One call writes it all, unless the disk is nearly full: then the call for the rest says so.
            rest = rest[os.write(self._fd, rest) :]
        self._written += len(data)


def is_open(path: Path) -> bool:
    """Whether a writer, in this process or another, has the segment open. Raises OSError where it is not there."""
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False


class SegmentReader:
    """Reads records of a folder's segments one after the other, in one thread at a time.

    It keeps its decoder's window of 32 MiB: to have that paged in anew costs more than to decode into it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._decompressor = zstandard.ZstdDecompressor()

    def read(self, place: Place) -> bytes:
        """The record at a place, from a sealed, open or torn segment; decodes up to its end and no further.

        Raises SegmentError where the file is missing, ends before the record does, or is damaged up to there, and
        where what is read is not what was written.
        """
        if place.offset < 0 or place.size < 0:
            raise SegmentError(f"{place.segment}: no record can lie at {place.offset} with {place.size} bytes")
        with open_segment(self._folder / _plain(place.segment)) as file:
            try:
                stream = self._decompressor.stream_reader(file, read_size=_CHUNK_BYTES)
                _skip(stream, place.segment, place.offset)
                return _take(stream, place)
            except _Torn as torn:
                file.seek(0)
                return self._at_once(file, place, torn)

    def _at_once(self, file: BufferedReader, place: Place, torn: _Torn) -> bytes:
        """The record read with all before it in one go: where a block is cut short, only that gets the one before."""
        if place.offset + place.size > _AT_ONCE_BYTES:
            raise torn
        stream = self._decompressor.stream_reader(file, read_size=_CHUNK_BYTES)
        data = _read_some(stream, place.segment, place.offset + place.size + 1)
        record = _checked(place, data[place.offset : place.offset + place.size])
        if len(data) < place.offset + place.size or isinstance(record, SegmentError):
            raise torn
        return record

    def passages(self, segment: str, places: Iterable[Place]) -> Iterator[tuple[Place, bytes | SegmentError]]:
        """Each of the places of one segment with its record or what is wrong with it, by offset, in one decode."""
        ordered = sorted(places, key=lambda place: place.offset)
        try:
            file = open_segment(self._folder / _plain(segment))
        except SegmentError as error:
            yield from ((place, error) for place in ordered)
            return
        with file:
            stream, at, lost = self._decompressor.stream_reader(file, read_size=_CHUNK_BYTES), 0, None
            for place in ordered:
                try:
                    if lost is None and at <= place.offset and place.size >= 0:
                        _skip(stream, segment, place.offset - at)
                        at = place.offset
                        record = _take(stream, place, check=False)
                        at += place.size
                        yield place, _checked(place, record)
                        continue
                except SegmentError as error:
                    lost = error
                if isinstance(lost, _Torn):
                    yield place, self._again(place)
                    continue
                yield place, lost or SegmentError(f"{segment}: no record can lie at {place.offset}")

    def _again(self, place: Place) -> bytes | SegmentError:
        try:
            return self.read(place)
        except SegmentError as error:
            return error


def read(folder: Path, place: Place) -> bytes:
    """`SegmentReader.read`, once."""
    return SegmentReader(folder).read(place)


def scan(path: Path) -> Iterator[tuple[int, bytes]]:
    """Every whole record of a segment, with its offset; a torn tail ends it quietly.

    Raises SegmentError where the file is missing or damaged, after the records that lie 4 KiB or more before that.
    """
    with open_segment(path) as file:
        stream = zstandard.ZstdDecompressor().stream_reader(file, read_size=_CHUNK_BYTES)
        pending, offset, damage = b"", 0, None
        while damage is None:
            # As much again as is pending: the work stays linear for a record that is larger than a chunk.
            more, damage = _read_pieces(stream, path.name, max(len(pending), _CHUNK_BYTES))
            pending += more
            start = 0
            while start < len(pending) and (end := _item_end(path.name, pending, start)) is not None:
                yield offset + start, pending[start:end]
                start = end
            pending = pending[start:]
            offset += start
            if not more:
                break
    if damage is not None:
        raise damage


def _create(folder: Path, now: float) -> tuple[Path, int]:
    stamp = datetime.fromtimestamp(now, UTC).strftime("%Y%m%dT%H%M%S%fZ")
    while True:
        path = folder / f"{stamp}-{os.getpid()}-{secrets.token_hex(2)}{SUFFIX}"
        try:
            fd = private.create(path)
        except FileExistsError:
            continue
        # A file system without locks still takes captures.
        with contextlib.suppress(OSError):
            fcntl.flock(fd, fcntl.LOCK_EX)
        return path, fd


def _plain(name: str) -> str:
    if name in ("", "..") or Path(name).name != name:
        raise SegmentError(f"{name!r} is not the name of a segment")
    return name


def open_segment(path: Path) -> BufferedReader:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise SegmentError(error.errno, f"cannot be opened ({error.strerror})", str(path)) from error
    try:
        return os.fdopen(fd, "rb")
    except OSError as error:
        os.close(fd)
        raise SegmentError(error.errno, f"cannot be opened ({error.strerror})", str(path)) from error


def _skip(stream: "zstandard.ZstdDecompressionReader", name: str, left: int) -> None:
    asked = left
    room = memoryview(bytearray(min(left, _CHUNK_BYTES)))
    while left:
        try:
            count = stream.readinto(room[:left])
        except (zstandard.ZstdError, OSError) as error:
            raise _damaged(name, error) from error
        if not count:
            raise _Torn(f"{name}: ends {left} of {asked} bytes before the record begins")
        left -= count


def _checked(place: Place, record: bytes) -> bytes | SegmentError:
    try:
        verify(record, place.checksum)
    except RecordError as error:
        return SegmentError(f"{place.segment}: the record at {place.offset} is damaged ({error})")
    return record


def _take(stream: "zstandard.ZstdDecompressionReader", place: Place, *, check: bool = True) -> bytes:
    parts = []
    missing = place.size
    while missing:
        part = _read_some(stream, place.segment, min(missing, _CHUNK_BYTES))
        if not part:
            raise _Torn(f"{place.segment}: ends {missing} bytes before the end of the record")
        parts.append(part)
        missing -= len(part)
    record = b"".join(parts)
    told = _checked(place, record) if check else record
    if isinstance(told, SegmentError):
        raise told
    return told


def _read_some(stream: "zstandard.ZstdDecompressionReader", name: str, size: int) -> bytes:
    try:
        return stream.read(size)
    except (zstandard.ZstdError, OSError) as error:
        raise _damaged(name, error) from error


def _read_pieces(
    stream: "zstandard.ZstdDecompressionReader", name: str, size: int
) -> tuple[bytes, SegmentError | None]:
    """At least `size` bytes unless the stream ends, and what is wrong with the next ones."""
    # A read that meets damage loses what it had decoded before, so each is for a little only.
    parts: list[bytes] = []
    while len(parts) * _PIECE_BYTES < size:
        try:
            part = _read_some(stream, name, _PIECE_BYTES)
        except SegmentError as damage:
            return b"".join(parts), damage
        if not part:
            break
        parts.append(part)
    return b"".join(parts), None


def _item_end(name: str, data: bytes, start: int) -> int | None:
    try:
        return item_end(data, start)
    except RecordError as error:
        raise _damaged(name, error) from error


def _damaged(name: str, error: Exception) -> SegmentError:
    return SegmentError(f"{name}: cannot be decoded ({error})")
