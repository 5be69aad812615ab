"""What a fleet has of a meter_dir: `shipped.json` beside the archive, written before and after each batch."""

import json
import os
import secrets
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from mitmeter import private
from mitmeter.archive.content import sync
from mitmeter.telemetry.health import archive_bytes

NAME = "shipped.json"


class Watermark(Struct, kw_only=True):
    """`source` is this database of rows, `number` what the fleet knows it by; all rows up to the id `last` are there.

    `flow_id` is that row's, by which another database in its place shows. A batch up to `upto` may be there or not, and
    is sent again as it was. `ended_us` is the last row's place in the fleet's order. Counted are rows `shipped`,
    batches `refused` or not answered, rows `left_out` since the server would never take them, and captures `lost`
    before they were sent. `backlog` rows wait, the oldest for `lag_s` seconds, at the time `at` (epoch seconds).
    In an outage `held` captures were seen to wait, of rows up to the id `seen`.
    """

    source: str
    number: int | None = None
    last: int = 0
    flow_id: str | None = None
    upto: int = 0
    ended_us: int = 0
    shipped: int = 0
    refused: int = 0
    left_out: int = 0
    lost: int = 0
    backlog: int = 0
    lag_s: float = 0.0
    at: float = 0.0
    seen: int = 0
    held: int = 0

    @property
    def counts(self) -> tuple[int, int, int]:
        """What a batch adds to once the server has all of it."""
        return self.shipped, self.left_out, self.lost

    @counts.setter
    def counts(self, told: tuple[int, int, int]) -> None:
        self.shipped, self.left_out, self.lost = told


def standing(folder: Path) -> dict[str, Any]:
    """Return what a meter_dir holds and what of it waits to be sent, by fields of `Health`."""
    mark = _known(folder)
    waits = {} if mark is None else {"ship_backlog": mark.backlog, "ship_lag_s": mark.lag_s}
    return {"archive_bytes": archive_bytes(folder), **waits}


def mishaps(folder: Path) -> dict[str, int]:
    """Return what went wrong with what was to be sent, by name; nothing where nothing is."""
    mark = _known(folder)
    if mark is None:
        return {}
    return {"ship_refused": mark.refused, "ship_left_out": mark.left_out, "ship_captures_lost": mark.lost}


def _known(folder: Path) -> Watermark | None:
    try:
        return load(folder)
    except OSError:
        return None


def fresh() -> Watermark:
    """Return that of a database of which nothing was sent."""
    return Watermark(source=secrets.token_hex(16))


def load(folder: Path) -> Watermark | None:
    """Read it, None where nothing was sent yet; raises OSError where it cannot be read or is damaged."""
    path = folder / NAME
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    try:
        return msgspec.json.decode(data, type=Watermark)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise OSError(f"{path} is damaged ({error}); with it moved away everything is sent again") from error


def save(folder: Path, mark: Watermark) -> None:
    """Write it, on the disk itself; raises OSError."""
    path = folder / f".{NAME}-{os.getpid()}-{secrets.token_hex(4)}"
    try:
        with os.fdopen(private.create(path), "wb") as file:
            file.write(json.dumps(msgspec.to_builtins(mark), indent=1).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        path.replace(folder / NAME)
    finally:
        path.unlink(missing_ok=True)
    sync(folder)
