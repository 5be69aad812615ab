"""One meter_dir: `meter.db`, `captures/` and `secret`, used together.

Captures are written first and rows committed after, so a row never points at bytes that are not there. A capture that
cannot be written costs the capture, not the row.
"""

import os
import secrets
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from msgspec import to_builtins

from mitmeter.archive.record import Record, decode, encode
from mitmeter.archive.segments import SUFFIX, SegmentWriter, is_open, read
from mitmeter.exchange import Exchange
from mitmeter.redact import Redacted, without_bodies
from mitmeter.store.sqlite import Batch, Store

type Kept = Literal["all", "headers", "none"]
type Item = tuple[Exchange, Redacted | None]

SECRET_BYTES = 32
DAY_SECONDS = 86_400


def private_folder(folder: Path) -> None:
    """Make a folder that only its owner can enter; raises OSError where that cannot be had."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    status = folder.stat()
    if stat.S_IMODE(status.st_mode) & 0o077:
        folder.chmod(0o700)
    if not os.access(folder, os.W_OK | os.X_OK):
        raise PermissionError(f"{folder} is not writable")


def secret_of(folder: Path) -> bytes:
    """Return the key of the credential hashes, made at first use in `<folder>/secret`, 0600."""
    path = folder / "secret"
    fresh = path.with_name(f".secret-{os.getpid()}-{secrets.token_hex(4)}")
    if not path.exists():
        handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        with os.fdopen(handle, "wb") as file:
            os.fchmod(file.fileno(), 0o600)
            file.write(secrets.token_bytes(SECRET_BYTES))
        try:
            os.link(fresh, path)
        except FileExistsError:
            pass
        finally:
            fresh.unlink()
    return path.read_bytes()


class Shelf:
    """A meter_dir open for writing, from one thread."""

    def __init__(self, folder: Path, kept: Kept = "all") -> None:
        """Open it; raises OSError, sqlite3.Error or SchemaError where it cannot be used."""
        self.folder = folder
        self.kept = kept
        self.store = Store(folder / "meter.db")
        self.captures = folder / "captures"
        self._writer = SegmentWriter(self.captures)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def write(self, items: Iterable[Item], now: float, counters: Mapping[str, int]) -> tuple[list[int], list[str]]:
        """Write exchanges in one transaction; `now` is epoch seconds.

        Returns the ids of the rows, and what went wrong with captures that could not be written. Raises sqlite3.Error
        where the rows cannot be; then none of them is.
        """
        idents: list[int] = []
        failures: list[str] = []
        with self.store.batch() as batch:
            for exchange, redacted in items:
                ident = batch.add(exchange)
                idents.append(ident)
                if redacted is not None and self.kept != "none":
                    try:
                        self._archive(batch, ident, exchange, redacted, now)
                    except OSError as error:
                        failures.append(str(error))
                        batch.count("captures_dropped", 1)
            for name, number in counters.items():
                batch.count(name, number)
        return idents, failures

    def _archive(self, batch: Batch, ident: int, exchange: Exchange, redacted: Redacted, now: float) -> None:
        kept = redacted if self.kept == "all" else without_bodies(redacted)
        batch.place(ident, self._writer.append(encode(ident, kept, to_builtins(exchange)), now))

    def trim(self, now: float, limit_bytes: int, days: int | None) -> list[str]:
        """Delete the oldest segments beyond a size or an age, but none that a writer has open; rows stay.

        `now` is epoch seconds. Returns the names of what is gone; raises sqlite3.Error and OSError.
        """
        found = [(path, path.stat()) for path in sorted(self.captures.glob(f"*{SUFFIX}"))]
        excess = sum(status.st_size for _, status in found) - limit_bytes
        gone: list[str] = []
        for path, status in found:
            aged = days is not None and now - status.st_mtime > days * DAY_SECONDS
            if (excess <= 0 and not aged) or is_open(path):
                continue
            with self.store.batch() as batch:
                batch.forget(path.name)
            path.unlink(missing_ok=True)
            excess -= status.st_size
            gone.append(path.name)
        return gone

    def close(self) -> None:
        """Seal the segment and close the database; raises OSError where the seal cannot be written."""
        try:
            self._writer.close()
        finally:
            self.store.close()


def capture(folder: Path, store: Store, ident: int) -> Record | None:
    """Return the capture of a row, None where it has none; raises SegmentError or RecordError where it is damaged."""
    place = store.place(ident)
    return None if place is None else decode(read(folder / "captures", place))
