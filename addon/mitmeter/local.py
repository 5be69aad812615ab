"""A meter_dir as what was metered: rows from `meter.db`, captures from its segments."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from mitmeter import shelf
from mitmeter.archive.record import Record
from mitmeter.metered import ALL, Captured, Mark
from mitmeter.store.filters import EVERY, Filter, Window
from mitmeter.store.rows import Row, Stat
from mitmeter.store.sqlite import Store
from mitmeter.store.stats import Group


class Local:
    """A meter_dir open for reading; `store` is its database."""

    def __init__(self, folder: Path, store: Store | None = None) -> None:
        """Open it; raises FileNotFoundError where nothing has been metered yet, SchemaError and sqlite3.Error."""
        self.folder = folder
        self.store = store or Store(folder / "meter.db", readonly=True)

    @property
    def name(self) -> str:
        """Where it is kept, as people are told."""
        return str(self.folder)

    def rows(self, window: Window = EVERY) -> list[Row]:
        """Return the rows of a window in ascending order of id."""
        return self.store.rows(window)

    def row(self, ident: int) -> Row | None:
        """Return one row, None where there is none of that id."""
        return self.store.row(ident)

    def requests(self, wanted: Filter = ALL) -> int:
        """Return how many rows are wanted."""
        return self.store.requests(wanted)

    def stats(self, group: Group, wanted: Filter = ALL) -> list[Stat]:
        """Return sums and medians by group."""
        return self.store.stats(group, wanted)

    def counters(self) -> dict[str, int]:
        """Return what was dropped or went wrong, by name."""
        return self.store.counters()

    def capture(self, ident: int) -> Record | None:
        """Return the capture of a row, None where it has none; raises SegmentError or RecordError."""
        return shelf.capture(self.folder, self.store, ident)

    def captures(self, rows: Iterable[Row]) -> Iterator[Captured]:
        """Yield the rows with their captures, a segment after the other."""
        return shelf.captures(self.folder, self.store, rows)

    def arrivals(self, mark: Mark = None, limit: int = 500) -> tuple[list[Row], Mark]:
        """Return rows that have come since a mark, which is an id: rows are numbered as they come."""
        found = self.store.rows(Window(after=mark, limit=limit, newest=mark is None))
        return found, found[-1].id if found else mark or 0

    def close(self) -> None:
        """Close the database."""
        self.store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()
