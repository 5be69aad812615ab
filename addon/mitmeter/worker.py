"""The one thread: drains tees, feeds recorders, calls the sinks.

The event loop only appends to deques and puts ended exchanges on a queue. Everything that costs time happens here.
Open streams are drained every `PERIOD` seconds, so that memory, live progress and the work at a stream's end stay
bounded. What cannot be kept up with or written is dropped, counted by name and reported in one line.
"""

import logging
import queue
import sqlite3
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

from msgspec import Struct

from mitmeter.exchange import Exchange
from mitmeter.live import Ending, Item, Live
from mitmeter.recorder import Limits
from mitmeter.redact import Redacted
from mitmeter.shelf import Kept, Shelf, private_folder, secret_of
from mitmeter.store.schema import SchemaError

PERIOD = 0.2
BACKLOG = 1000
TRIM_SECONDS = 60.0

log = logging.getLogger("mitmeter")


class Settings(Struct, frozen=True, kw_only=True):
    """Where and what to keep."""

    folder: Path
    capture: Kept = "all"
    limits: Limits = Limits()
    archive_bytes: int = 2 << 30
    archive_days: int | None = None


type Ended = tuple[Live, Exchange, Redacted | None]
type Show = Callable[[Any, Exchange, int], None]


class Worker:
    """Turns lives into rows and captures. `show(tag, exchange, id)` is called on the worker's thread for each row."""

    def __init__(self, settings: Settings, show: Show) -> None:
        self.settings = settings
        self.counters: Counter[str] = Counter()
        self._show = show
        self._open: dict[int, Live] = {}
        self._queue: queue.SimpleQueue[Live | threading.Event | None] = queue.SimpleQueue()
        self._ended: deque[Ended] = deque()
        self._thread = threading.Thread(target=self._run, name="mitmeter", daemon=True)
        self._shelf: Shelf | None = None
        self._secret = b""
        self._complained: set[str] = set()
        self._trim_at = 0.0

    def start(self) -> None:
        """Make the folder and start; raises OSError where the folder cannot be used."""
        private_folder(self.settings.folder)
        self._secret = secret_of(self.settings.folder)
        self._thread.start()

    def watch(self, live: Live) -> None:
        """Drain this exchange's stream from now on."""
        self._queue.put(live)

    def end(self, live: Live, ending: Ending) -> None:
        """Hand over an exchange that has ended; a second time does nothing."""
        if live.ending is None:
            live.ending = ending
            self._queue.put(live)

    def flush(self, seconds: float) -> bool:
        """Wait until what was handed over is on disk; False when it took longer, or the disk does not take it."""
        done = threading.Event()
        self._queue.put(done)
        return done.wait(seconds) and not self._ended

    def stop(self, seconds: float) -> bool:
        """Write what is there and end the thread; False when it took longer."""
        self._queue.put(None)
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def _run(self) -> None:
        running = True
        while running:
            waiting = self._take(PERIOD)
            running = None not in waiting
            for item in waiting:
                # An ending is seen as soon as it is set, so it may have been acted on before its turn in the queue.
                if isinstance(item, Live) and not item.finished:
                    self._open[id(item)] = item
            for live in tuple(self._open.values()):
                self._advance(live)
            self._write()
            for item in waiting:
                if isinstance(item, threading.Event):
                    item.set()
        self._close()

    def _take(self, seconds: float) -> list[Live | threading.Event | None]:
        taken: list[Live | threading.Event | None] = []
        try:
            taken.append(self._queue.get(timeout=seconds if self._open or self._ended else None))
            while len(taken) < BACKLOG:
                taken.append(self._queue.get_nowait())
        except queue.Empty:
            pass
        return taken

    def _advance(self, live: Live) -> None:
        """Read what has arrived. Whatever a recorder raises costs this exchange its details, never its row."""
        ending = live.ending
        items: list[Item] = []
        try:
            if not live.broken:
                items += live.read(self.settings.limits, self._secret)
            if ending is not None:
                items += live.end(ending)
        except Exception as error:
            live.broken = True
            self._complain("metering_failed", f"{type(error).__name__} while reading {live.opening.flow_id}")
            if ending is not None:
                items.append(live.bare(ending))
        self._ended += [(live, exchange, redacted) for exchange, redacted in items]
        if ending is not None:
            live.finished = True
            self._open.pop(id(live), None)
            if live.lost:
                self._count("lagged_bytes", live.lost)

    def _write(self) -> None:
        """Write what has ended. A disk that fails keeps it waiting, and beyond a bound the oldest is dropped."""
        if not self._ended:
            return
        try:
            shelf = self._shelf or Shelf(self.settings.folder, self.settings.capture)
            self._shelf = shelf
            items = [(exchange, redacted) for _, exchange, redacted in self._ended]
            idents, failures = shelf.write(items, time.time(), self.counters)
        except (sqlite3.Error, SchemaError, OSError) as error:
            self._complain("write_failures", f"{type(error).__name__}: {error}")
            while len(self._ended) > BACKLOG:
                self._ended.popleft()
                self._count("rows_dropped")
            time.sleep(PERIOD)
            return
        self.counters.clear()
        for failure in failures[:1]:
            self._complain("captures_dropped", failure, 0)
        for (live, exchange, _), ident in zip(self._ended, idents, strict=True):
            self._show(live.tag, exchange, ident)
        self._ended.clear()
        self._trim(shelf)

    def _trim(self, shelf: Shelf) -> None:
        """Keep the archive within its limits, at the start and then once a minute of use."""
        now = time.time()
        if now < self._trim_at:
            return
        self._trim_at = now + TRIM_SECONDS
        try:
            gone = shelf.trim(now, self.settings.archive_bytes, self.settings.archive_days)
        except (sqlite3.Error, OSError) as error:
            self._complain("trim_failures", f"{type(error).__name__}: {error}")
            return
        if gone:
            log.info("mitmeter: deleted %d segments of captures beyond the archive's limits", len(gone))

    def _count(self, name: str, number: int = 1) -> None:
        self.counters[name] += number

    def _complain(self, name: str, what: str, number: int = 1) -> None:
        """Count a failure, and report its first occurrence."""
        self._count(name, number)
        if name not in self._complained:
            self._complained.add(name)
            log.warning("mitmeter: %s (%s); counted from now on, see `mitmeter stats`", name, what)

    def _close(self) -> None:
        lost = len(self._ended)
        if lost:
            log.error("mitmeter: %d rows could not be written", lost)
        try:
            if self._shelf is not None:
                self._shelf.close()
        except (sqlite3.Error, OSError) as error:
            log.warning("mitmeter: closing: %s", error)
