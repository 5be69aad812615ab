"""The one thread: drains tees, feeds recorders, calls the sinks.

The event loop only appends chunks and hands over what has ended. Everything that costs time happens here.
Open streams are drained every `PERIOD` seconds, so that memory, live progress and the work at a stream's end stay
bounded.
No turn takes long, and between turns the event loop may go first. What cannot be kept up with or written is dropped,
counted by name and reported in one line.
"""

import logging
import sqlite3
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from msgspec import Struct

from mitmeter.exchange import Exchange
from mitmeter.fleet import address, shipper, watermark
from mitmeter.inbox import Inbox
from mitmeter.inflight import AGE_SECONDS, Board, InFlight
from mitmeter.live import Ending, Item, Live
from mitmeter.mishaps import Mishaps
from mitmeter.outlets import Outgoing, Outlets
from mitmeter.recorder import Limits
from mitmeter.redact import Redacted
from mitmeter.redact.policy import Policy
from mitmeter.rehearsal import rehearse, settle
from mitmeter.renewal import damaged, renew
from mitmeter.shelf import Kept, Shelf, Sync, private_folder, secret_of
from mitmeter.store.schema import SchemaError
from mitmeter.telemetry.health import Health

PERIOD = 0.2
SWITCH = 0.0005
BACKLOG = 1000
TOGETHER = 64
LATEST = 0.1
WAITING_BYTES = 256 << 20
TRIM_SECONDS = 60.0
SPENT = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR)

log = logging.getLogger("mitmeter")


class Settings(Struct, frozen=True, kw_only=True):
    """Where and what to keep, and the port where it is shown, 0 for none."""

    folder: Path
    capture: Kept = "all"
    limits: Limits = Limits()
    archive_bytes: int = 2 << 30
    archive_days: int | None = None
    sync: Sync = "never"
    port: int = 0
    outgoing: Outgoing = Outgoing()
    fleet: address.Address | None = None


type Show = Callable[[Any, Exchange, int], None]
type Survey = Callable[[float, Policy], list[InFlight]]


class Ended(Struct):
    """A row that waits to be written, and whose it is."""

    tag: Any
    exchange: Exchange
    redacted: Redacted | None
    size: int
    at: float


class Worker:
    """Turns lives into rows and captures. `show(tag, exchange, id)` is called on the worker's thread for each row.

    So is `survey(seconds, policy)`, twice a second: it returns what has been under way for so long, without secrets.
    So is each exporter of its outlets for each row: what it raises is counted as `<name>_failures`. `under_way` counts
    the open exchanges.
    """

    def __init__(
        self, settings: Settings, show: Show, survey: Survey | None = None, under_way: Callable[[], int] = int
    ) -> None:
        self.settings = settings
        self.outlets = Outlets(settings.outgoing, settings.folder)
        self.mishaps = Mishaps()
        self._under_way = under_way
        self._waiting_s = self._lag_s = 0.0
        self._show = show
        self._survey = survey
        self._board = Board(settings.folder)
        self._open: dict[int, Live] = {}
        self._inbox: Inbox[Live | threading.Event | str | None] = Inbox()
        self._watched: deque[Live] = deque()
        self._taken_bytes = 0
        self._done_bytes = 0
        self._ended: deque[Ended] = deque()
        self._ended_bytes = 0
        self._thread = threading.Thread(target=self._run, name="mitmeter", daemon=True)
        self._shelf: Shelf | None = None
        self._stop_shipping: Callable[[], object] = tuple
        self._secret = b""
        self._failed: Exception | None = None
        self._spent = False
        self._trim_at = self._drain_at = self._write_at = self._tell_at = 0.0

    def start(self) -> None:
        """Make the folder and start; raises OSError where the folder cannot be used."""
        private_folder(self.settings.folder)
        self._secret = secret_of(self.settings.folder)
        # Whoever has let go of the GIL, as each statement of SQLite does, waits this long for a thread that computes:
        # with Python's 5 ms this thread falls behind a busy event loop, and the loop waits as long for this thread.
        sys.setswitchinterval(min(SWITCH, sys.getswitchinterval()))
        self._thread.start()
        self._stop_shipping = shipper.ship_from(self.settings.folder, self.settings.fleet)

    def watch(self, live: Live) -> None:
        """Drain this exchange's stream from now on, which need not be at once."""
        live.hurry = self._hurry
        self._watched.append(live)

    def _hurry(self, live: Live) -> None:
        self._drain_at = 0.0
        self._inbox.urge(live)

    def end(self, live: Live, ending: Ending) -> None:
        """Hand over an exchange that has ended; a second time does nothing. Beyond a bound only its row is kept."""
        if live.ending is not None:
            return
        live.ending = ending
        live.handed = live.weight
        if self._taken_bytes - self._done_bytes + live.handed > WAITING_BYTES:
            live.broken, live.handed = True, 0
            self._inbox.put("lagged")
        self._taken_bytes += live.handed
        self._inbox.put(live)

    def drop(self, name: str) -> None:
        """Count something that was not metered at all."""
        self._inbox.put(name)

    def flush(self, seconds: float) -> bool:
        """Wait until what was handed over is on disk; False when it took longer, or the disk does not take it."""
        done = threading.Event()
        self._inbox.urge(done)
        return done.wait(seconds) and not self._ended

    def stop(self, seconds: float) -> bool:
        """Write what is there and end the thread; False when it took longer."""
        self._inbox.urge(None)
        self._thread.join(seconds)
        self._stop_shipping()
        return not self._thread.is_alive()

    def _run(self) -> None:
        self._attempt("rehearsal_failures", partial(rehearse, self.settings.limits, self._secret))
        for name, opening in self.outlets.openings(self.health):
            self._attempt(f"{name}_failures", opening)
        settle()
        running = True
        while running:
            waiting = self._inbox.take(self._patience())
            running = None not in waiting
            self._write_at = time.monotonic() + LATEST
            for item in waiting:
                self._act(item)
            if not running or time.monotonic() >= self._drain_at:
                self._drain()
            if self._survey is not None and time.monotonic() >= self._tell_at:
                self._attempt("open_untold", partial(self._tell, self._survey))
            self._write()
            for item in waiting:
                if isinstance(item, threading.Event):
                    item.set()
        self._close()

    def _patience(self) -> float | None:
        """Return for how many seconds nothing is to be done; None is for ever."""
        due = [self._drain_at] if self._open or self._ended or self._watched else []
        if self._survey is not None:
            due.append(self._tell_at)
        return max(0.0, min(due) - time.monotonic()) if due else None

    def _tell(self, survey: Survey) -> None:
        """Tell other processes what is under way."""
        self._tell_at = time.monotonic() + AGE_SECONDS
        for live in self._open.values():
            live.note()
        found = survey(AGE_SECONDS, self.settings.limits.policy)
        self._waiting_s = max((one.elapsed_ms / 1000 for one in found if one.state == "waiting"), default=0.0)
        self._board.show(found, time.time())

    def _act(self, item: Live | threading.Event | str | None) -> None:
        if isinstance(item, str):
            self.mishaps.complain(item, "the proxy is too busy")
        elif isinstance(item, Live) and not item.finished:
            # An ending is seen as soon as it is set, so it may have been acted on before its turn in the queue.
            self._open[id(item)] = item
            if item.ending is not None:
                self._advance(item)
                if len(self._ended) >= TOGETHER or time.monotonic() >= self._write_at:
                    self._write()

    def _drain(self) -> None:
        while self._watched:
            live = self._watched.popleft()
            if not live.finished:
                self._open[id(live)] = live
        for live in tuple(self._open.values()):
            self._advance(live)
        self._drain_at = time.monotonic() + PERIOD

    def _advance(self, live: Live) -> None:
        """Read what has arrived. Whatever a recorder raises costs this exchange its details, never its row."""
        ending = live.ending
        items: list[Item] = []
        if not live.broken:
            live.broken = not self._attempt("metering_failed", lambda: self._read(live, ending, items))
        if ending is not None:
            if live.broken:
                self._attempt("rows_dropped", lambda: items.append(live.bare(ending)))
            live.finished = True
            self._done_bytes += live.handed
            self._open.pop(id(live), None)
            if live.lost:
                self.mishaps.count("lagged_bytes", live.lost)
        for exchange, redacted in items:
            size = len(redacted.request_body or b"") + len(redacted.response_body or b"") if redacted else 0
            amended = self._amended(exchange, redacted)
            self._ended.append(Ended(live.tag, amended, redacted, size, ending.at if ending else time.perf_counter()))
            self._ended_bytes += size

    def _read(self, live: Live, ending: Ending | None, items: list[Item]) -> None:
        while True:
            items += live.read(self.settings.limits, self._secret)
            if not live.pending:
                break
            time.sleep(0)  # the event loop may go first
        if ending is not None:
            items += live.end(ending)

    def _amended(self, exchange: Exchange, redacted: Redacted | None) -> Exchange:
        found = [exchange]
        self._attempt("price_failures", lambda: found.append(self.outlets.amend(exchange, redacted)))
        return found[-1]

    def _attempt(self, name: str, work: Callable[[], object]) -> bool:
        """Do what may raise anything: that is counted by name, and costs what was being done, not the thread."""
        try:
            work()
        except Exception as error:
            self.mishaps.failed(name, error)
            self._failed = error
            return False
        return True

    def _write(self) -> None:
        """Write what has ended. A disk that fails keeps it waiting, and beyond a bound the oldest is dropped."""
        while self._ended:
            waiting = list(islice(self._ended, TOGETHER))
            if self._spent:
                # Captures would take what room there is before their rows are refused, at each attempt again.
                for ended in waiting:
                    self._strip(ended)
            if not self._attempt("write_failures", partial(self._store, waiting)):
                if isinstance(self._failed, sqlite3.Error | SchemaError | OSError):
                    self._hold(self._failed)
                    return
                for ended in waiting:
                    self._store_apart(ended)
            for ended in waiting:
                self._ended_bytes -= ended.size
                self._ended.popleft()
        self._write_at = time.monotonic() + LATEST

    def _store(self, waiting: list[Ended]) -> None:
        items = [(ended.exchange, ended.redacted) for ended in waiting]
        rows, failures = self._opened().write(items, time.time(), self.mishaps.fresh)
        self.mishaps.fresh.clear()
        self._spent = False
        for failure in failures[:1]:
            self.mishaps.complain("captures_dropped", failure, 0)
        self.mishaps.totals["captures_dropped"] += len(failures)
        self._lag_s = max(0.0, time.perf_counter() - waiting[0].at)
        for ended, row in zip(waiting, rows, strict=True):
            self._attempt("show_failures", partial(self._show, ended.tag, row.exchange, row.id))
            for name, export in self.outlets.exporters.items():
                self._attempt(f"{name}_failures", partial(export, row.exchange))
        for name, (number, why) in self.outlets.lost().items():
            self.mishaps.complain(name, why, number)
        self._attempt("trim_failures", self._trim)

    def _store_apart(self, ended: Ended) -> None:
        """Write a row by itself, since one of those that were to be written together cannot be: without its capture if
        need be, and drop it if even that fails.
        """
        if self._attempt("write_failures", lambda: self._store([ended])):
            return
        self._strip(ended)
        if not self._attempt("write_failures", lambda: self._store([ended])):
            self.mishaps.complain("rows_dropped", "it cannot be written")

    def _opened(self) -> Shelf:
        if self._shelf is None:
            self._shelf = Shelf(self.settings.folder, self.settings.capture, self.settings.sync)
        return self._shelf

    def _hold(self, error: Exception) -> None:
        """Keep what could not be written within bounds; a database that is damaged is set aside for a new one."""
        while len(self._ended) > BACKLOG:
            self._ended_bytes -= self._ended.popleft().size
            self.mishaps.count("rows_dropped")
        self._spent = isinstance(error, sqlite3.Error) and getattr(error, "sqlite_errorcode", 0) & 0xFF in SPENT
        for ended in self._ended:
            if self._ended_bytes <= WAITING_BYTES:
                break
            self._strip(ended)
        if self._spent and self._shelf is not None:
            self._attempt("relief_failures", self._shelf.relieve)
        if damaged(error):
            self._attempt("renew_failures", self._renew)
        time.sleep(PERIOD)

    def _strip(self, ended: Ended) -> None:
        """Give up a capture to keep its row."""
        if ended.redacted is not None:
            self._ended_bytes -= ended.size
            ended.redacted, ended.size = None, 0
            self.mishaps.complain("captures_dropped", "their rows were kept")

    def _renew(self) -> None:
        shelf, self._shelf = self._shelf, None
        if shelf is not None:
            shelf.close()
        aside = renew(self.settings.folder, time.time())
        if aside is not None:
            self.mishaps.complain(
                "databases_set_aside", f"meter.db is damaged; it is now {aside.name}, and a new one begun"
            )

    def _trim(self) -> None:
        """Keep the archive within its limits, at the start and then once a minute of use."""
        now = time.time()
        if now < self._trim_at:
            return
        self._trim_at = now + TRIM_SECONDS
        gone = self._opened().trim(now, self.settings.archive_bytes, self.settings.archive_days)
        if gone:
            log.info("mitmeter: deleted %d segments of captures beyond the archive's limits", len(gone))

    def health(self) -> Health:
        """Return how the meter itself is; on any thread."""
        unread = sum(live.fed - live.drained for live in tuple(self._open.values()))
        return Health(
            in_flight=self._under_way(),
            waiting_s=self._waiting_s,
            queued=len(self._inbox) + len(self._ended),
            backlog_bytes=self._taken_bytes - self._done_bytes + unread,
            lag_s=self._lag_s,
            counters=dict(self.mishaps.totals) | watermark.mishaps(self.settings.folder),
            **watermark.standing(self.settings.folder),
        )

    def _close(self) -> None:
        lost = len(self._ended)
        if lost:
            log.error("mitmeter: %d rows could not be written", lost)
        self._attempt("outlets_failures", self.outlets.close)
        try:
            self._board.clear()
            if self._shelf is not None:
                self._shelf.close()
        except (sqlite3.Error, OSError) as error:
            log.warning("mitmeter: closing: %s", error)
