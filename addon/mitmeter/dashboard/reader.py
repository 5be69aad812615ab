"""A thread with a database of its own, for what would take too long on an event loop."""

import asyncio
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from mitmeter.store.facts import Facts
from mitmeter.store.schema import SchemaError
from mitmeter.store.sqlite import Store

SECONDS = 30.0
WAITING = 100

_CHECKED_STEPS = 100_000


class Unreadable(Exception):
    """The database cannot be read now; the message says why."""


class Database:
    """What work is done with: the store, its facts, and whether to go on."""

    def __init__(self, folder: Path, store: Store) -> None:
        self.folder = folder
        self.store = store
        self.stopped: Callable[[], bool] = lambda: False
        self._facts: Facts | None = None

    @property
    def facts(self) -> Facts:
        """The facts as of now; the first time takes seconds for a million rows."""
        if self._facts is None:
            self._facts = Facts(self.store.connection)
        self._facts.catch_up()
        return self._facts

    def go_on(self) -> None:
        """Raise Unreadable where nobody waits any more, or it takes too long."""
        if self.stopped():
            raise Unreadable("it takes too long")


class Reader:
    """Does one thing after the other with the database of a meter_dir, which may not be there yet."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder = folder
        self._threads = ThreadPoolExecutor(1, thread_name_prefix=f"mitmeter-{name}")
        self._database: Database | None = None
        self._file: tuple[int, int] | None = None
        self._waiting = 0
        self._closed = threading.Event()

    async def ask[T](
        self, work: Callable[[Database], T], gone: threading.Event | None = None, seconds: float = SECONDS
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

    def _do[T](self, work: Callable[[Database], T], gone: threading.Event, deadline: float) -> T | None:
        if gone.is_set() or self._closed.is_set():
            raise Unreadable("nobody waits for it")
        try:
            database = self._opened()
        except FileNotFoundError:
            return None
        except (OSError, SchemaError, sqlite3.Error) as error:
            raise Unreadable(str(error)) from error
        database.stopped = lambda: gone.is_set() or self._closed.is_set() or time.monotonic() > deadline
        database.store.connection.set_progress_handler(database.stopped, _CHECKED_STEPS)
        try:
            return work(database)
        except sqlite3.Error as error:
            if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_INTERRUPT:
                raise Unreadable("it takes too long") from error
            self._shut()
            raise Unreadable(str(error)) from error

    def _opened(self) -> Database:
        """The database; another one where the file is no longer the same."""
        status = (self.folder / "meter.db").stat()
        file = (status.st_dev, status.st_ino)
        if self._database is None or file != self._file:
            self._shut()
            self._database, self._file = Database(self.folder, Store(self.folder / "meter.db", readonly=True)), file
        return self._database

    def _shut(self) -> None:
        if self._database is not None:
            self._database.store.close()
            self._database = None
