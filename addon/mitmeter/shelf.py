"""One meter_dir: `meter.db`, `captures/` and `secret`, used together.

Captures are written first and rows committed after, so a row never points at bytes that are not there. A capture that
cannot be written costs the capture, not the row.
"""

import contextlib
import os
import secrets
import sqlite3
import stat
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from msgspec import to_builtins
from msgspec.structs import replace

from mitmeter import private, recovery, retention
from mitmeter.archive.layout import Pieces, size
from mitmeter.archive.record import Record, RecordError, decode, pieces
from mitmeter.archive.segments import SegmentError, SegmentReader, SegmentWriter, read
from mitmeter.exchange import Exchange, Place
from mitmeter.recovery import Verdict
from mitmeter.redact import Redacted, without_bodies
from mitmeter.reserve import Reserve
from mitmeter.store.rows import Row
from mitmeter.store.sqlite import Batch, Store

# A segment that is open cannot lose single captures, and one that is begun often costs what is not new.
SEAL_SECONDS = 3600.0
AT_ONCE_BYTES = 1 << 20

type Kept = Literal["all", "headers", "none"]
type Sync = Literal["never", "seal", "write"]
type Item = tuple[Exchange, Redacted | None]

SECRET_BYTES = 32
NAMED = ("meter.db", "meter.db-wal", "meter.db-shm", "secret", "token", "captures", "open", "reserve")


def private_folder(folder: Path) -> None:
    """Make a folder that only its owner can enter; raises OSError where that cannot be had.

    What others can write to may hold what they put there, and a symbolic link leads where they like: both are refused.
    """
    if folder.is_symlink():
        raise PermissionError(f"{folder} is a symbolic link; accepted is a folder")
    private.make_folder(folder)
    status = folder.stat(follow_symlinks=False)
    if status.st_uid != os.geteuid():
        raise PermissionError(f"{folder} belongs to another user")
    if stat.S_IMODE(status.st_mode) & 0o022:
        raise PermissionError(f"{folder} can be written to by others (chmod 700 it, once you trust what is in it)")
    if stat.S_IMODE(status.st_mode) & 0o077:
        folder.chmod(0o700)
    for name in NAMED:
        if (folder / name).is_symlink():
            raise PermissionError(f"{folder / name} is a symbolic link; accepted is what was made here")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise PermissionError(f"{folder} is not writable")


def secret_of(folder: Path) -> bytes:
    """Return the key of the credential hashes, made at first use in `<folder>/secret`, 0600."""
    return kept_secret(folder, "secret")


def kept_secret(folder: Path, name: str) -> bytes:
    """Return random bytes that are made at first use in a file of the folder, 0600; raises OSError."""
    path = folder / name
    fresh = path.with_name(f".{name}-{os.getpid()}-{secrets.token_hex(4)}")
    if not path.exists():
        with os.fdopen(private.create(fresh), "wb") as file:
            file.write(secrets.token_bytes(SECRET_BYTES))
        try:
            os.link(fresh, path)
        except FileExistsError:
            pass
        finally:
            fresh.unlink()
    return path.read_bytes()


class _Captures:
    """The captures of one transaction: several are written at once, and their places noted once they lie there.

    `placed` are the rows that have theirs, `failures` what went wrong with the others.
    """

    def __init__(self, writer: SegmentWriter, batch: Batch, now: float) -> None:
        self.placed: set[int] = set()
        self.failures: list[str] = []
        self._writer = writer
        self._batch = batch
        self._now = now
        self._waiting: list[tuple[int, Pieces]] = []
        self._size = 0

    def take(self, ident: int, record: Pieces) -> None:
        """Take the record of a row."""
        self._waiting.append((ident, record))
        self._size += size(record)
        if self._size >= AT_ONCE_BYTES:
            self.write()

    def write(self) -> None:
        """Write what was taken."""
        waiting, self._waiting, self._size = self._waiting, [], 0
        try:
            self._append(waiting)
        except OSError:
            # Less may still find room, and what is lost is one capture, not all of them.
            for one in waiting:
                try:
                    self._append([one])
                except OSError as error:
                    self.fail(error)

    def _append(self, waiting: list[tuple[int, Pieces]]) -> None:
        if not waiting:
            return
        places = self._writer.append_all([record for _, record in waiting], self._now)
        for (ident, _), place in zip(waiting, places, strict=True):
            self._batch.place(ident, place)
            self.placed.add(ident)

    def fail(self, error: OSError) -> None:
        """Count a capture that cannot be written."""
        self.failures.append(str(error))
        self._batch.count("captures_dropped", 1)


class Shelf:
    """A meter_dir open for writing, from one thread."""

    def __init__(self, folder: Path, kept: Kept = "all", sync: Sync = "never") -> None:
        """Open it; raises OSError, sqlite3.Error or SchemaError where it cannot be used.

        `sync` says what must be on the disk, and not with the operating system alone: nothing, a segment once it is
        sealed, or also each batch of captures and rows before it counts as written.
        """
        self.folder = folder
        self.kept = kept
        self.store = Store(folder / "meter.db")
        self.captures = folder / "captures"
        self._sync = sync
        self._reserve = Reserve(folder)
        self._tight = False
        self._writer = SegmentWriter(self.captures, sync_seals=sync != "never")
        if sync == "write":
            self.store.sync_commits()
        self._begun: float | None = None
        self._recovered = False
        self._limits: tuple[int, int | None] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def write(self, items: Iterable[Item], now: float, counters: Mapping[str, int]) -> tuple[list[Row], list[str]]:
        """Write exchanges in one transaction; `now` is epoch seconds.

        Returns the rows as they were written, and what went wrong with captures that could not be. Raises sqlite3.Error
        where the rows cannot be, OSError where they cannot be synced; then none of them is.
        """
        added: list[tuple[int, Exchange]] = []
        with self.store.batch() as batch:
            captures = _Captures(self._writer, batch, now)
            for ended, redacted in items:
                exchange = batch.joined(ended)
                written = batch.once(exchange)
                ident = batch.add(written)
                added.append((ident, written))
                if redacted is not None and self.kept != "none":
                    try:
                        captures.take(ident, self._record(ident, exchange, redacted))
                    except OSError as error:
                        captures.fail(error)
            captures.write()
            for name, number in counters.items():
                batch.count(name, number)
            if self._sync == "write":
                self._writer.sync()
        if self._tight:
            # Else the write-ahead log takes what room there is, and the database cannot grow by what is in it.
            with contextlib.suppress(sqlite3.Error):
                self.store.scrub()
        if self._writer.begun != self._begun:
            self._begun = self._writer.begun
            if self._limits is not None:
                # Another segment was begun: the limit is held here, and what keeps it from that told by the next trim.
                with contextlib.suppress(sqlite3.Error, OSError):
                    retention.trim(self.folder, self.store, now, *self._limits)
        return [Row(ident, written, ident in captures.placed) for ident, written in added], captures.failures

    def _record(self, ident: int, exchange: Exchange, redacted: Redacted) -> Pieces:
        """Return what is archived of an exchange; raises NoRoom."""
        kept = redacted if self.kept == "all" else without_bodies(redacted)
        row = to_builtins(exchange if exchange.trace is None else replace(exchange, trace=None))
        del row["trace"], row["follows"]
        record = pieces(ident, kept, row)
        self._reserve.take(size(record))
        return record

    def trim(self, now: float, limit_bytes: int, days: int | None) -> list[str]:
        """Delete the oldest segments beyond a size or an age, but none that a writer has open; rows stay.

        To be called now and then: the limits hold from then on, a segment that is old is ended, and the first time
        what writers that died have left is indexed. `now` is epoch seconds. Returns the names of what is gone; raises
        sqlite3.Error and OSError.
        """
        if not self._recovered:
            self._recovered = not self.recover().left
        self._limits = (limit_bytes, days)
        self.seal(now, SEAL_SECONDS)
        gone = retention.trim(self.folder, self.store, now, limit_bytes, days)
        if self._reserve.put_by():
            self._tight = False
        return gone

    def relieve(self) -> None:
        """Make room for rows on a disk that is full; raises sqlite3.Error and OSError."""
        self._tight = True
        self._reserve.give_up()
        self.store.scrub()

    def recover(self) -> Verdict:
        """Index what writers that died have left; raises sqlite3.Error and OSError."""
        return recovery.recover(self.folder, self.store)

    def seal(self, now: float, age_seconds: float) -> None:
        """End the segment that is open if it was begun longer ago; raises OSError where its end is not written."""
        if self._writer.begun is not None and now - self._writer.begun > age_seconds:
            self._writer.close()

    def close(self) -> None:
        """Seal the segment and close the database; raises OSError where the seal cannot be written."""
        try:
            self._writer.close()
        finally:
            self.store.close()


def capture(folder: Path, store: Store, ident: int) -> Record | None:
    """Return the capture of a row, None where it has none; raises SegmentError or RecordError where it is damaged."""
    place, row = store.place(ident), store.row(ident)
    if place is None or row is None:
        return None
    try:
        return belonging(row, read(folder / "captures", place))
    except SegmentError:
        # The segment may just have been written anew without some other capture.
        again = store.place(ident)
        if again is None or again == place:
            raise
        return belonging(row, read(folder / "captures", again))


def belonging(row: Row, data: bytes) -> Record:
    """Return the record of a row; raises RecordError where it is damaged, or another exchange's."""
    record, exchange = decode(data), row.exchange
    if (record.capture.flow_id, record.capture.started) != (exchange.flow_id, exchange.started):
        raise RecordError(f"the capture found is not that of exchange {row.id}")
    return record


type Captured = tuple[Row, Record | None, str | None]


def captures(folder: Path, store: Store, rows: Iterable[Row]) -> Iterator[Captured]:
    """Yield the rows with their captures, and where one cannot be read, why; in order as far as segments are."""
    for row, data, wrong in records(folder, store, rows):
        try:
            yield row, None if data is None else belonging(row, data), wrong
        except RecordError as error:
            yield row, None, str(error)


def records(folder: Path, store: Store, rows: Iterable[Row]) -> Iterator[tuple[Row, bytes | None, str | None]]:
    """Yield what `captures` does with the captures as they lie there."""
    placed = [(row, store.place(row.id) if row.has_capture else None) for row in rows]
    reader = SegmentReader(folder / "captures")
    for segment, run in _runs(placed):
        wanted = {place: row for row, place in run if place is not None}
        bare = [row for row, place in run if place is None]
        for place, data in reader.passages(segment, wanted):
            row = wanted[place]
            while bare and bare[0].id < row.id:
                yield bare.pop(0), None, None
            yield (row, None, str(data)) if isinstance(data, SegmentError) else (row, data, None)
        yield from ((row, None, None) for row in bare)


def _runs(placed: list[tuple[Row, Place | None]]) -> Iterable[tuple[str, list[tuple[Row, Place | None]]]]:
    """Split rows where the segment changes; where writers took turns, a segment each, since each run is a decode."""
    runs: list[tuple[str, list[tuple[Row, Place | None]]]] = []
    groups: dict[str, list[tuple[Row, Place | None]]] = {}
    segment = ""
    for row, place in placed:
        if not runs or (place is not None and place.segment != segment):
            segment = "" if place is None else place.segment
            runs.append((segment, []))
        runs[-1][1].append((row, place))
        groups.setdefault(segment, []).append((row, place))
    return runs if len(runs) <= 2 * len(groups) else groups.items()
