"""How the meter itself is."""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from msgspec import Struct

from mitmeter.telemetry import names
from mitmeter.telemetry.measures import Labels, Series, Value
from mitmeter.telemetry.names import Instrument


class Health(Struct, frozen=True, kw_only=True):
    """What the meter says of itself; `counters` are what was dropped or failed since it began, by name.

    `waiting_s` is how long the one that has waited longest waits for its first generated token, `lag_s` how long after
    the end of an exchange its row was there, at the last write. `ship_backlog` rows wait to be sent to the fleet, the
    oldest since `ship_lag_s`; None where there is no fleet.
    """

    in_flight: int = 0
    waiting_s: float = 0.0
    queued: int = 0
    backlog_bytes: int = 0
    lag_s: float = 0.0
    archive_bytes: int = 0
    ship_backlog: int | None = None
    ship_lag_s: float | None = None
    counters: Mapping[str, int] = {}


type Ask = Callable[[], Health]


def archive_bytes(folder: Path) -> int:
    """Return the bytes on disk of the captures in a meter_dir."""
    total = 0
    with suppress(OSError), os.scandir(folder / "captures") as found:
        for entry in found:
            with suppress(OSError):
                total += entry.stat(follow_symlinks=False).st_size
    return total


def of_health(health: Health) -> Iterator[Series]:
    """Yield what the meter says of itself."""
    nothing = Labels()
    told: dict[Instrument, Value] = {
        names.IN_FLIGHT: health.in_flight,
        names.WAITING: health.waiting_s,
        names.QUEUE: health.queued,
        names.BACKLOG: health.backlog_bytes,
        names.LAG: health.lag_s,
        names.ARCHIVE: health.archive_bytes,
    }
    if health.ship_backlog is not None and health.ship_lag_s is not None:
        told |= {names.SHIP_BACKLOG: health.ship_backlog, names.SHIP_LAG: health.ship_lag_s}
    for instrument, value in told.items():
        yield Series(instrument, [(nothing, value)])
    yield Series(names.COUNTED, [(Labels(("name", name)), number) for name, number in health.counters.items()])
