"""Sends what a meter_dir has to ClickHouse: in batches, in order, at least once, and each row there is stored once.

What a batch holds is written down before it is sent, and it is sent again as it was until the server has it; its token
keeps it from being added up twice. A server that is down, slow, full or refuses costs nothing but the time until the
archive's limit is reached. What the server would never take is found by halves and left out, and counted.
"""

import contextlib
import fcntl
import logging
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from msgspec import Struct, structs

from mitmeter import shelf
from mitmeter.archive.bodies import Parts, split
from mitmeter.archive.record import RecordError
from mitmeter.exchange import Exchange
from mitmeter.fleet import roll, schema, watermark
from mitmeter.fleet.address import Address
from mitmeter.fleet.connection import SKEW_SECONDS, Connection, FleetError
from mitmeter.store.filters import Filter, Window
from mitmeter.store.rows import COLUMNS, Row, flatten, valid_text
from mitmeter.store.schema import SchemaError
from mitmeter.store.sqlite import Store

ROWS = 500
BYTES = 32 << 20
BODY = 16 << 20
POLL_SECONDS = 1.0
LONGEST_SECONDS = 60.0
STOP_SECONDS = 3.0
# A proxy's own thread waits for the interpreter whenever it comes back from the network: at most so long.
WORK_SECONDS, REST_SECONDS = 0.002, 0.0005

_EXCHANGE = ("id", "position", "captured", *COLUMNS)
_CAPTURE = ("flow_id", "started", "session", "head", "request_body", "response_body", "checksum")
_SESSION = COLUMNS.index("session")

log = logging.getLogger("mitmeter")


class Pace:
    """Work in small steps, between which other threads have the interpreter."""

    def __init__(self) -> None:
        self._since = time.perf_counter()

    def rest(self) -> None:
        """Let them, where it has worked long enough."""
        if time.perf_counter() - self._since > WORK_SECONDS:
            time.sleep(REST_SECONDS)
            self._since = time.perf_counter()


class Line(Struct, frozen=True):
    """A row as it is sent, with its capture; `captured` where it has one, be it damaged."""

    ident: int
    exchange: Exchange
    ended_us: int
    parts: Parts | None
    captured: bool

    def values(self, number: int, captured: bool) -> list[Any]:
        """Return the columns of `exchanges`."""
        told = valid_text(flatten(self.exchange))
        told[_SESSION] = told[_SESSION] or ""
        place = self.ended_us << schema.SOURCE_BITS | number % (1 << schema.SOURCE_BITS)
        return [number << schema.LOCAL_BITS | self.ident, place, captured, *told]

    def capture(self) -> list[Any]:
        """Return the columns of `captures`."""
        assert self.parts is not None
        exchange, parts = self.exchange, self.parts
        key = valid_text([exchange.flow_id, exchange.started, exchange.session or ""])
        return [*key, parts.head, parts.request_body, parts.response_body, parts.checksum]


class Shipper:
    """Sends from one meter_dir, in one thread at a time."""

    def __init__(self, folder: Path, address: Address) -> None:
        """Nothing is opened before the first `step`."""
        self.folder, self.address = folder, address
        self.mark = watermark.fresh()
        self._connection: Connection | None = None
        self._lock: int | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="mitmeter-ship", daemon=True)
        self._complained: str | None = None
        self._counters: dict[str, int] = {}
        self._pace = Pace()
        self._told_gone = False

    def start(self) -> None:
        """Send from now on, in a thread of its own."""
        self._thread.start()

    def stop(self, seconds: float = STOP_SECONDS) -> None:
        """Send what there is for so long, and end the thread."""
        self._stopping.set()
        self._thread.join(seconds)

    def _run(self) -> None:
        pause = POLL_SECONDS
        while not self._stopping.wait(pause):
            sent = self.attempt()
            pause = 0.0 if sent else POLL_SECONDS if sent == 0 else min(max(2 * pause, POLL_SECONDS), LONGEST_SECONDS)
        deadline = time.monotonic() + STOP_SECONDS
        while time.monotonic() < deadline and self.attempt():
            pass
        self.close()

    def attempt(self) -> int | None:
        """Take a `step`; None where it failed, which is told once for each reason."""
        try:
            sent = self.step()
        except (OSError, sqlite3.Error, SchemaError) as error:
            self._failed(error)
            return None
        if self._complained is not None and self._connection is not None:
            self._complained = None
            log.warning("mitmeter: %s takes rows again; %d wait", self.address, self.mark.backlog)
        return sent

    def _failed(self, error: Exception) -> None:
        self.mark.refused += 1
        if self._lock is not None:
            # How far behind it is shows while nothing can be sent, too.
            with contextlib.suppress(OSError):
                self._save()
        if isinstance(error, FleetError) and self._connection is not None:
            self._connection.close()
            self._connection = None
        reason = f"{type(error).__name__} {getattr(error, 'code', None)}"
        if reason != self._complained:
            self._complained = reason
            log.warning("mitmeter: %s; %d rows wait in %s", error, self.mark.backlog, self.folder)

    def step(self) -> int:
        """Send one batch; how many rows it had, 0 where nothing waits or another process sends from here.

        Raises FleetError, SchemaError, sqlite3.Error and OSError; the batch is then sent again by the next step.
        """
        if not self._locked():
            return 0
        try:
            store = Store(self.folder / "meter.db", readonly=True)
        except FileNotFoundError:
            return 0
        with store:
            self._look(store)
            counts = self.mark.counts
            try:
                return self._step(store)
            except (FleetError, SchemaError):
                # A batch that is sent again counts again.
                self.mark.counts = counts
                self._hold(store)
                raise

    def _step(self, store: Store) -> int:
        if self._connection is None:
            # Else nobody sees what waits for a server that takes a minute to say nothing.
            self._save()
        connection = self._connected()
        lines = list(self._batch(store))
        if lines:
            self._save()
            self._send(connection, lines)
            last = lines[-1]
            self.mark.last, self.mark.flow_id, self.mark.ended_us = last.ident, last.exchange.flow_id, last.ended_us
        if self.mark.upto:
            self.mark.last, self.mark.upto = max(self.mark.last, self.mark.upto), 0
            self._release(lines)
            self._look(store)
            self._save()
        self._count(connection, store)
        return len(lines)

    def _hold(self, store: Store) -> None:
        """Count the captures that wait, and those that waited and have gone since."""
        mark = self.mark
        self._gone(mark.held - _captured(store, mark.last + 1, mark.seen))
        newest = store.rows(Window(limit=1))
        mark.seen = newest[0].id if newest else 0
        mark.held = _captured(store, mark.last + 1, mark.seen)

    def _release(self, lines: list[Line]) -> None:
        """Take those that were sent off those that waited; once all are, what is left of them has gone."""
        mark = self.mark
        mark.held -= sum(line.captured and line.ident <= mark.seen for line in lines)
        if mark.seen and mark.last >= mark.seen:
            self._gone(mark.held)
            mark.seen = mark.held = 0
            self._told_gone = False

    def _gone(self, number: int) -> None:
        if number <= 0:
            return
        self.mark.lost += number
        if not self._told_gone:
            self._told_gone = True
            log.warning(
                "mitmeter: captures in %s went before %s could be sent them, %d so far, since the archive is full; "
                "their rows are kept and sent",
                self.folder, self.address, self.mark.lost,
            )  # fmt: skip

    def _locked(self) -> bool:
        """Whether this process is the one that sends from the folder."""
        if self._lock is None:
            fd = os.open(self.folder / "ship.lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                os.close(fd)
                return False
            self._lock = fd
            self.mark = watermark.load(self.folder) or self.mark
        return True

    def _look(self, store: Store) -> None:
        """See how far the fleet is behind, and whether the database is the one of which it has rows."""
        newest = next(iter(store.rows(Window(limit=1))), None)
        known = store.row(self.mark.last) if self.mark.last else None
        other = known is not None and self.mark.flow_id is not None and known.exchange.flow_id != self.mark.flow_id
        if other or (known is None and (newest is None or newest.id < self.mark.last)):
            log.warning("mitmeter: %s holds another database than before: all of it is sent", self.folder)
            self.mark = watermark.fresh()
        self.mark.backlog = max(0, newest.id - self.mark.last) if newest else 0
        oldest = store.rows(Window(after=self.mark.last, limit=1, newest=False)) if self.mark.backlog else []
        self.mark.at = time.time()
        self.mark.lag_s = round(max(0.0, self.mark.at - oldest[0].exchange.started), 3) if oldest else 0.0

    def _connected(self) -> Connection:
        """Connect, with the tables as they have to be and this meter_dir known to the fleet."""
        if self._connection is None or self.mark.number is None:
            connection = self._connection or Connection(self.address)
            self._connection = connection
            schema.prepare(connection)
            skew = connection.skew()
            if abs(skew) > SKEW_SECONDS:
                ahead = f"{abs(skew):.0f} s {'ahead of' if skew > 0 else 'behind'}"
                log.warning("mitmeter: this machine's clock is %s that of %s; rows keep it", ahead, self.address)
            number, known = roll.enlist(connection, self.mark.source)
            if not known and self.mark.last:
                log.warning("mitmeter: %s has nothing of %s any more: all of it is sent", self.address, self.folder)
                self.mark.last = self.mark.upto = self.mark.seen = self.mark.held = 0
            self.mark.number = number
            self._counters = {}
        return self._connection

    def _batch(self, store: Store) -> Iterator[Line]:
        """Yield the rows of the batch that is due: the one that was begun, or what has come since."""
        rows = store.rows(Window(after=self.mark.last, limit=ROWS, newest=False))
        if self.mark.upto:
            rows = [row for row in rows if row.id <= self.mark.upto]
        else:
            rows = _bounded(rows)
            self.mark.upto = rows[-1].id if rows else 0
        ended_us = self.mark.ended_us
        parts: dict[int, Parts] = {}
        for row, data, wrong in shelf.records(self.folder, store, rows):
            try:
                if data is not None:
                    parts[row.id] = split(data)
                elif wrong is not None:
                    raise RecordError(wrong)
            except RecordError as error:
                self.mark.lost += 1
                log.info("mitmeter: the capture of exchange %d is not sent: %s", row.id, error)
            self._pace.rest()
        for row in rows:
            ended = row.exchange.started + (row.exchange.timing.duration_ms or 0.0) / 1000
            # In the order of ids here, and no row of a wrong clock ahead of all that come later.
            ended_us = max(ended_us + 1, int(max(0.0, min(ended, time.time())) * 1_000_000))
            yield Line(row.id, row.exchange, ended_us, parts.get(row.id), row.has_capture)

    def _send(self, connection: Connection, lines: list[Line]) -> None:
        """Have the server take all of them but those that it would never take."""
        try:
            self._insert(connection, lines)
            self.mark.shipped += len(lines)
        except FleetError as error:
            if not error.about_data:
                raise
            self.mark.refused += 1
            if len(lines) > 1:
                half = len(lines) // 2
                self._send(connection, lines[:half])
                self._send(connection, lines[half:])
                return
            # The server's words about it may quote what was sent.
            log.warning("mitmeter: exchange %d is refused, with ClickHouse's error %s", lines[0].ident, error.code)
            self._send_bare(connection, lines[0])

    def _send_bare(self, connection: Connection, line: Line) -> None:
        if line.parts is None:
            self.mark.left_out += 1
            return
        self.mark.lost += 1
        self._send(connection, [structs.replace(line, parts=None)])

    def _insert(self, connection: Connection, lines: list[Line]) -> None:
        assert self.mark.number is not None
        token = f"{self.mark.source}-{lines[0].ident}-{lines[-1].ident}"
        captures = [line.capture() for line in self._paced(lines) if line.parts is not None]
        if captures:
            connection.insert("captures", _CAPTURE, captures, token)
        rows = [line.values(self.mark.number, line.parts is not None) for line in self._paced(lines)]
        connection.insert("exchanges", _EXCHANGE, rows, token)

    def _paced(self, lines: list[Line]) -> Iterator[Line]:
        for line in lines:
            yield line
            self._pace.rest()

    def _count(self, connection: Connection, store: Store) -> None:
        counters = store.counters()
        if counters != self._counters and self.mark.number is not None:
            rows = [[self.mark.number, name, value] for name, value in counters.items()]
            connection.insert("counters", ("number", "name", "value"), rows, f"{self.mark.source}-{time.time_ns()}")
            self._counters = counters

    def _save(self) -> None:
        watermark.save(self.folder, self.mark)

    def close(self) -> None:
        """Close what is open."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def ship_from(folder: Path, to: Address | None) -> Callable[[], object]:
    """Send from a meter_dir in a thread of its own; return what ends that, which does nothing where no fleet is set."""
    if to is None:
        return tuple
    shipper = Shipper(folder, to)
    shipper.start()
    return shipper.stop


def _captured(store: Store, first: int, last: int) -> int:
    """Return how many of these rows have a capture."""
    return store.requests(Filter(first=first, last=last, captured=True)) if first <= last else 0


def _bounded(rows: list[Row]) -> list[Row]:
    """Return the first rows whose bodies fit into a batch, one at least."""
    size, kept = 0, list[Row]()
    for row in rows:
        sizes = row.exchange.sizes
        size += min(sizes.request_bytes, BODY) + min(sizes.decoded_bytes, BODY)
        if kept and size > BYTES:
            break
        kept.append(row)
    return kept
