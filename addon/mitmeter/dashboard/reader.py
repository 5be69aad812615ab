"""A thread with a source of its own, for what would take too long on an event loop."""

import asyncio
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from mitmeter.dashboard.source import Source, Unreadable, opened
from mitmeter.fleet.address import Address
from mitmeter.fleet.connection import FleetError
from mitmeter.store.schema import SchemaError

SECONDS = 30.0
WAITING = 100


class Reader:
    """Does one thing after the other with a meter_dir, in which nothing may be yet, or with a fleet."""

    def __init__(self, place: Path | Address, name: str) -> None:
        self.place = place
        self._threads = ThreadPoolExecutor(1, thread_name_prefix=f"mitmeter-{name}")
        self._source: Source | None = None
        self._file: tuple[int, int] | None = None
        self._waiting = 0
        self._closed = threading.Event()

    async def ask[T](
        self, work: Callable[[Source], T], gone: threading.Event | None = None, seconds: float = SECONDS
    ) -> T | None:
        """Return what the work returns, None where nothing has been metered yet.

        It ends early once nobody waits for it (`gone`), or after some seconds. Raises Unreadable, and what it raises.
        """
        if self._waiting >= WAITING or self._closed.is_set():
            raise Unreadable("too much is being asked")
        self._waiting += 1
        try:
            call = partial(self._do, work, gone or threading.Event(), time.monotonic() + seconds)
            return await asyncio.get_running_loop().run_in_executor(self._threads, call)
        finally:
            self._waiting -= 1

    def close(self) -> None:
        """End what it is doing, and the thread."""
        self._closed.set()
        self._threads.submit(self._shut)
        self._threads.shutdown(wait=False)

    def _do[T](self, work: Callable[[Source], T], gone: threading.Event, deadline: float) -> T | None:
        if gone.is_set() or self._closed.is_set():
            raise Unreadable("nobody waits for it")
        try:
            source = self._opened()
        except FileNotFoundError:
            return None
        except (OSError, SchemaError, sqlite3.Error) as error:
            raise Unreadable(str(error)) from error
        source.stopped = lambda: gone.is_set() or self._closed.is_set() or time.monotonic() > deadline
        try:
            return work(source)
        except sqlite3.Error as error:
            if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_INTERRUPT:
                raise Unreadable("it takes too long") from error
            self._shut()
            raise Unreadable(str(error)) from error
        except FleetError as error:
            self._shut()
            raise Unreadable(str(error)) from error

    def _opened(self) -> Source:
        """The source; another one where the file is no longer the same."""
        file = self._file
        if isinstance(self.place, Path):
            status = (self.place / "meter.db").stat()
            file = (status.st_dev, status.st_ino)
        if self._source is None or file != self._file:
            self._shut()
            self._source, self._file = opened(self.place), file
        return self._source

    def _shut(self) -> None:
        if self._source is not None:
            self._source.close()
            self._source = None
