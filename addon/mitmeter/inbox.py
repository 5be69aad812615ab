"""What other threads hand to the worker, which takes it in batches.

What ends within `LINGER` seconds is taken together, the longer time where much ends: a commit costs more than an
exchange, and taking turns with the event loop as much. As long as things come the worker looks for them itself: to
wake a thread that waits costs the event loop more than all else that a hook does.
"""

import queue
import threading
import time

LINGER = (0.05, 0.1)
BUSY = 3
MOST = 1000
AWAKE_SECONDS = 1.0


class Inbox[Item]:
    """A queue of many writers and one reader."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[Item] = queue.SimpleQueue()
        self._urgent = threading.Event()
        self._awake_until = 0.0
        self._linger = LINGER[0]

    def __len__(self) -> int:
        return self._queue.qsize()

    def put(self, item: Item) -> None:
        """Hand over an item that may wait for a moment."""
        self._queue.put(item)

    def urge(self, item: Item) -> None:
        """Hand over an item that may not."""
        self._queue.put(item)
        self._urgent.set()

    def take(self, seconds: float | None) -> list[Item]:
        """Return up to `MOST` items, none where none came for so many seconds or, while things come, for a moment."""
        taken: list[Item] = []
        if time.monotonic() < self._awake_until:
            self._nap(seconds)
        else:
            try:
                taken.append(self._queue.get(timeout=seconds))
            except queue.Empty:
                return taken
            self._nap(None)
        try:
            while len(taken) < MOST:
                taken.append(self._queue.get_nowait())
        except queue.Empty:
            pass
        if taken:
            self._awake_until = time.monotonic() + AWAKE_SECONDS
            self._linger = LINGER[len(taken) >= BUSY]
        return taken

    def _nap(self, seconds: float | None) -> None:
        self._urgent.wait(self._linger if seconds is None else min(seconds, self._linger))
        self._urgent.clear()
