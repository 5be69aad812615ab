"""What the page asks, of a meter_dir or of a fleet: rows in any order, sums, and what has come."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from mitmeter.fleet.address import Address
from mitmeter.local import Local
from mitmeter.metered import Metered
from mitmeter.store import figures, sorting
from mitmeter.store.facts import Facts
from mitmeter.store.filters import Filter, Window
from mitmeter.store.rows import Row
from mitmeter.store.sorting import Order
from mitmeter.store.sqlite import Store

type Json = dict[str, Any]

CHECKED_STEPS = 100_000


class Unreadable(Exception):
    """It cannot be read now; the message says why."""


class Source(Protocol):
    """In one thread at a time. Raises OSError and sqlite3.Error, and Unreadable where nobody waits any more."""

    stopped: Callable[[], bool]
    # Histograms that it takes no longer to ask for at once than one by one.
    together: Sequence[Sequence[str]]

    @property
    def metered(self) -> Metered:
        """The rows and captures themselves."""
        ...

    @property
    def folder(self) -> Path | None:
        """The meter_dir, None of a fleet."""
        ...

    @property
    def last_id(self) -> int:
        """The row up to which the sums are."""
        ...

    def page(self, wanted: Filter, sort: str, order: Order, limit: int, offset: int) -> tuple[list[Row], int]:
        """Return a page of rows in an order, and how many there are on all pages."""
        ...

    def by_model(self, wanted: Filter) -> list[Json]:
        """Return the sums of each model."""
        ...

    def measured(self, names: Sequence[str], wanted: Filter) -> dict[str, Json | None]:
        """Return the histograms of some names."""
        ...

    def span(self, wanted: Filter) -> tuple[float, float] | None:
        """Return when the first and the last of the rows began."""
        ...

    def course(self, wanted: Filter, by: str, since: float, until: float, buckets: int, top: int) -> list[Json]:
        """Return sums over time."""
        ...

    def choices(self) -> dict[str, list[Any]]:
        """Return what there is to choose from."""
        ...

    def latest(self) -> int:
        """Return the id of the row that came last, 0 where there is none."""
        ...

    def after(self, ident: int, limit: int) -> list[int]:
        """Return the ids of the newest rows that have come since one came, oldest first."""
        ...

    def complete(self) -> bool:
        """Do some of what later answers take; whether nothing is left of it."""
        ...

    def close(self) -> None:
        """Close it."""
        ...


def go_on(source: Source) -> None:
    """Raise Unreadable where nobody waits any more, or it takes too long."""
    if source.stopped():
        raise Unreadable("it takes too long")


class Folder:
    """A meter_dir."""

    together: Sequence[Sequence[str]] = tuple((name,) for name in figures.MEASURED)

    def __init__(self, folder: Path) -> None:
        """Open it; raises FileNotFoundError where nothing has been metered yet, SchemaError, sqlite3.Error."""
        self.folder: Path | None = folder
        self.store = Store(folder / "meter.db", readonly=True)
        self.metered = Local(folder, self.store)
        self.stopped: Callable[[], bool] = lambda: False
        self._facts: Facts | None = None
        self.store.connection.set_progress_handler(lambda: self.stopped(), CHECKED_STEPS)

    @property
    def facts(self) -> Facts:
        """The facts as of now; of very many rows the older ones are taken in as they are asked for."""
        if self._facts is None:
            self._facts = Facts(self.store.connection)
        self._facts.catch_up()
        return self._facts

    @property
    def last_id(self) -> int:
        """The row up to which the sums are."""
        return 0 if self._facts is None else self._facts.last_id

    def page(self, wanted: Filter, sort: str, order: Order, limit: int, offset: int) -> tuple[list[Row], int]:
        """Return a page of rows in an order, and how many there are on all pages."""
        # By id the rows themselves do, too: for that alone nobody need wait until there are facts.
        narrow = sorting.needs_facts(wanted, sort, offset) and (sort != "id" or self._facts is not None)
        facts = self.facts if narrow else None
        idents = sorting.page(self.store.connection, facts, wanted, sort, order, limit, offset)
        total = self.store.requests(wanted) if facts is None else sorting.number(facts, wanted)
        rows = {row.id: row for row in self.store.rows(Window(wanted=Filter(idents=tuple(idents))))}
        return [rows[ident] for ident in idents if ident in rows], total

    def by_model(self, wanted: Filter) -> list[Json]:
        """Return the sums of each model."""
        return figures.by_model(self.facts, wanted)

    def measured(self, names: Sequence[str], wanted: Filter) -> dict[str, Json | None]:
        """Return the histograms of some names."""
        return {name: figures.measured(self.facts, name, wanted) for name in names}

    def span(self, wanted: Filter) -> tuple[float, float] | None:
        """Return when the first and the last of the rows began."""
        return figures.span(self.facts, wanted)

    def course(self, wanted: Filter, by: str, since: float, until: float, buckets: int, top: int) -> list[Json]:
        """Return sums over time."""
        return figures.course(self.facts, wanted, by, since, until, buckets, top)

    def choices(self) -> dict[str, list[Any]]:
        """Return what there is to choose from."""
        return figures.choices(self.facts)

    def latest(self) -> int:
        """Return the id of the newest row, 0 where there is none."""
        found: int | None = self.store.connection.execute("SELECT max(id) FROM exchanges").fetchone()[0]
        return found or 0

    def after(self, ident: int, limit: int) -> list[int]:
        """Return the ids of the newest rows after one, oldest first."""
        newest = self.latest()
        return list(range(max(ident, newest - limit) + 1, newest + 1))

    def complete(self) -> bool:
        """Take in some of the older rows, then what makes sums over all quick; whether nothing is left of it."""
        return figures.prepare(self.facts)

    def close(self) -> None:
        """Close the database."""
        self.store.close()


def opened(place: Path | Address) -> Source:
    """Open what is to be asked; raises FileNotFoundError where nothing has been metered yet, and what opening does."""
    if isinstance(place, Path):
        return Folder(place)
    from mitmeter.fleet.figures import Figures
    from mitmeter.fleet.remote import Remote

    return Figures(Remote(place))
