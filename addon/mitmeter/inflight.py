"""Exchanges under way: what is known of one, and where a running proxy tells other processes of its own.

A proxy keeps `<meter_dir>/open/<pid>-<token>.json` while something is under way that has lasted for `AGE_SECONDS`, and
writes it anew when that has changed, at most every `AGE_SECONDS`, or else every `BEAT_SECONDS`. Whoever reads these
files passes over those of processes that are gone, and those that are not written any more.
"""

import contextlib
import os
import secrets
import time
from pathlib import Path

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from mitmeter.exchange import Client, Usage
from mitmeter.progress import Doing

FOLDER = "open"
AGE_SECONDS = 0.5
BEAT_SECONDS = 2.0
STALE_SECONDS = 5.0
MOST = 500


class InFlight(Struct, frozen=True, kw_only=True):
    """An open exchange, without secrets. `usage` is what the server has said so far; None where it has said nothing.

    `started` is epoch seconds, `response_bytes` what has come of the body, before decompression.
    """

    flow_id: str
    started: float
    elapsed_ms: float
    method: str
    host: str
    path: str
    provider: str | None = None
    api: str | None = None
    operation: str | None = None
    model: str | None = None
    request_model: str | None = None
    stream: bool = False
    status: int | None = None
    state: Doing = "waiting"
    response_bytes: int = 0
    usage: Usage | None = None
    client: Client = Client()


class _Told(Struct, frozen=True):
    """What a file holds: when it was written (epoch seconds), and the exchanges."""

    written: float
    open: list[InFlight]


class Board:
    """The file of one proxy. To be used from one thread; each method may raise OSError."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / FOLDER
        self._path = self._folder / f"{os.getpid()}-{secrets.token_hex(4)}.json"
        self._shown: list[InFlight] = []
        self._written = 0.0

    def show(self, under_way: list[InFlight], now: float) -> None:
        """Tell of what is under way at `now`, epoch seconds: nothing is written where nothing has changed."""
        if not under_way:
            self.clear()
            return
        still = [replace(one, elapsed_ms=0.0) for one in under_way[:MOST]]
        if still == self._shown and 0 <= now - self._written < BEAT_SECONDS:
            return
        if not self._written:
            self._folder.mkdir(mode=0o700, exist_ok=True)
        fresh = self._path.with_name(f".{self._path.name}")
        handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(msgspec.json.encode(_Told(now, under_way[:MOST])))
        fresh.replace(self._path)
        self._shown, self._written = still, now

    def clear(self) -> None:
        """Tell that nothing is under way."""
        if self._written:
            self._path.unlink(missing_ok=True)
            self._shown, self._written = [], 0.0


def read(folder: Path) -> list[InFlight]:
    """Return what is under way in all proxies that use a meter_dir, oldest first; removes what dead ones have left.

    What has ended less than `AGE_SECONDS` ago may still be among it.
    """
    now, found = time.time(), list[InFlight]()
    for path in (folder / FOLDER).glob("*.json"):
        with contextlib.suppress(OSError, ValueError):
            if not _alive(int(path.name.partition("-")[0])):
                path.unlink()
                continue
            told = msgspec.json.decode(path.read_bytes(), type=_Told)
            late = now - told.written
            if abs(late) <= STALE_SECONDS:
                found += [replace(one, elapsed_ms=round(one.elapsed_ms + late * 1000, 3)) for one in told.open]
    return sorted(found, key=lambda one: one.started)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def words(state: Doing, elapsed_ms: float, response_bytes: int, usage: Usage | None) -> str:
    """Return `generating 12 s · 29 tok · 4.1 kB`."""
    told = "" if usage is None or usage.output_tokens is None else f"{usage.output_tokens} tok"
    size = f"{response_bytes / 1000:.1f} kB" if response_bytes else ""
    return " · ".join(filter(None, [f"{state} {elapsed_ms / 1000:.0f} s", told, size]))
