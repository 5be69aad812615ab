"""What has been metered, as commands, pages and APIs read it, wherever it is kept.

There are two: `local` is a meter_dir (SQLite and segments), `fleet` one ClickHouse for many proxies.
"""

from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Any, Protocol, Self

from mitmeter.archive.record import Record
from mitmeter.store.filters import EVERY, Filter, Window
from mitmeter.store.rows import Row, Stat
from mitmeter.store.stats import Group

ALL = Filter()

type Captured = tuple[Row, Record | None, str | None]
type Mark = Any


class Metered(Protocol):
    """Rows with their captures. To be used in one thread; what goes wrong is raised as OSError or sqlite3.Error."""

    @property
    def name(self) -> str:
        """Where it is kept, as people are told."""
        ...

    def rows(self, window: Window = EVERY) -> list[Row]:
        """Return the rows of a window, oldest first."""
        ...

    def row(self, ident: int) -> Row | None:
        """Return one row, None where there is none of that id."""
        ...

    def requests(self, wanted: Filter = ALL) -> int:
        """Return how many rows are wanted."""
        ...

    def stats(self, group: Group, wanted: Filter = ALL) -> list[Stat]:
        """Return sums and medians by group: the group with the most requests first, days and hours in their order."""
        ...

    def counters(self) -> dict[str, int]:
        """Return what was dropped or went wrong, by name."""
        ...

    def capture(self, ident: int) -> Record | None:
        """Return the capture of a row, None where it has none; raises RecordError where it is damaged."""
        ...

    def captures(self, rows: Iterable[Row]) -> Iterator[Captured]:
        """Yield the rows with their captures, and where one cannot be read, why; the order may change."""
        ...

    def arrivals(self, mark: Mark = None, limit: int = 500) -> tuple[list[Row], Mark]:
        """Return rows that have come since a mark, at most so many, and the next mark; without one, the newest."""
        ...

    def close(self) -> None:
        """Close it."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None: ...
