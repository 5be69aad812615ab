"""Rows, the place of each capture, and counters, in one SQLite database that several processes may share."""

import contextlib
import os
import sqlite3
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from msgspec import ValidationError, convert, to_builtins
from msgspec.structs import astuple, replace

from mitmeter import private
from mitmeter.exchange import Exchange, Place, Usage
from mitmeter.store import top
from mitmeter.store.filters import EVERY, Filter, Window, where
from mitmeter.store.rows import COLUMNS, Row, Stat, flatten, unflatten, valid_text
from mitmeter.store.schema import MIGRATIONS, OlderError, SchemaError, check, migrate
from mitmeter.store.stats import Group, collect
from mitmeter.store.top import Measure, Most, Of

_BUSY_MS = 5000
ROUNDED = 7e-7
_ALL = Filter()

# Has the whole schema read, so that one that is damaged is known of at once.
_PROBE = "SELECT 1 FROM exchanges LIMIT 1"

_INSERT = f"INSERT INTO exchanges ({', '.join(COLUMNS)}) VALUES ({', '.join('?' * len(COLUMNS))})"
_SELECT = f"SELECT id, EXISTS (SELECT 1 FROM captures WHERE exchange_id = id), {', '.join(COLUMNS)} FROM exchanges "
_PLACE = "INSERT INTO captures (exchange_id, segment, offset, size, checksum) VALUES (?, ?, ?, ?, ?)"
# A reading is not counted after anything else, what made the answer not after a reading that began later.
_COUNTED = """
    SELECT 1 FROM exchanges WHERE stored AND response_id = ? AND source IS NOT NULL AND host = ?
    AND (? OR (operation = 'retrieve' AND started >= ?)) LIMIT 1
"""
_FOLLOWED = """
    SELECT session FROM exchanges WHERE stored AND response_id = ? AND host = ? AND credential IS ?
    AND session IS NOT NULL ORDER BY id LIMIT 1
"""
_COUNT = (
    "INSERT INTO counters (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = value + excluded.value"
)


class Batch:
    """One open transaction, from `Store.batch`. Raises sqlite3.Error where the database refuses."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def add(self, exchange: Exchange) -> int:
        """Insert a row; its id, which another row gets if the batch is rolled back."""
        values = flatten(exchange)
        try:
            cursor = self._connection.execute(_INSERT, values)
        except UnicodeEncodeError:
            cursor = self._connection.execute(_INSERT, valid_text(values))
        return cursor.lastrowid or 0

    def once(self, exchange: Exchange) -> Exchange:
        """The exchange without its tokens and price if another row has counted the answer that both show.

        To be asked in the transaction that adds it, so that of several proxies one counts.
        """
        if not exchange.stored or exchange.usage.source is None or exchange.response_id is None:
            return exchange
        anyone = exchange.operation == "retrieve"
        asked = valid_text([exchange.response_id, exchange.host, anyone, exchange.started])
        if self._connection.execute(_COUNTED, asked).fetchone() is None:
            return exchange
        return replace(exchange, usage=Usage(), cost_usd=None, cost_source=None)

    def joined(self, exchange: Exchange) -> Exchange:
        """The exchange in the session of the response that it follows, where that is known."""
        if exchange.follows is None:
            return exchange
        asked = valid_text([exchange.follows, exchange.host, exchange.credential])
        found = self._connection.execute(_FOLLOWED, asked).fetchone()
        return replace(exchange, follows=None, session=found[0] if found else exchange.session)

    def place(self, ident: int, place: Place) -> None:
        """Say where the capture of a row lies; to be called once it lies there."""
        self._connection.execute(_PLACE, (ident, *astuple(place)))

    def forget(self, segment: str) -> None:
        """Forget the captures of a segment, before it is deleted; their rows stay."""
        self._connection.execute("DELETE FROM captures WHERE segment = ?", (segment,))

    def release(self, idents: Iterable[int]) -> None:
        """Forget the captures of these rows; the rows stay."""
        self._connection.executemany("DELETE FROM captures WHERE exchange_id = ?", ((ident,) for ident in idents))

    def delete(self, idents: Iterable[int]) -> None:
        """Delete these rows, and what is known of their captures."""
        self._connection.executemany("DELETE FROM exchanges WHERE id = ?", ((ident,) for ident in idents))

    def mark(self, segment: str, size: int, *, gone: bool = False) -> None:
        """Say that a segment of this many bytes on disk is in order, or that it is to be deleted."""
        self._connection.execute("INSERT OR REPLACE INTO segments VALUES (?, ?, ?)", (segment, size, gone))

    def unmark(self, segment: str) -> None:
        """Say nothing any more about a segment."""
        self._connection.execute("DELETE FROM segments WHERE name = ?", (segment,))

    def count(self, name: str, n: int) -> None:
        """Add to a counter, which begins at 0."""
        self._connection.execute(_COUNT, (name, n))


class Store:
    """An open database. It belongs to the thread that opened it; sqlite3.ProgrammingError in any other."""

    def __init__(self, path: Path, *, readonly: bool = False) -> None:
        """Open it; unless `readonly`, make it (0600, its folder 0700) and bring its tables up to date.

        Raises FileNotFoundError where it is to be read and is not there, SchemaError where it is not a database of
        ours or was written by a newer version, sqlite3.Error where it cannot be used, OSError where it cannot be made.
        """
        if readonly and not path.exists():
            raise FileNotFoundError(f"no database at {path}: nothing has been metered there yet")
        if not readonly:
            _make_private(path)
        self._connection = _connect(path, readonly)
        with contextlib.ExitStack() as failed:
            failed.callback(self._connection.close)
            try:
                _prepare(self._connection, readonly)
            except OlderError as error:
                # No proxy of this version has run since it was written.
                try:
                    Store(path).close()
                except (sqlite3.Error, OSError) as refused:
                    raise SchemaError(f"{path}: {error} ({refused})") from refused
                _prepare(self._connection, readonly)
            except SchemaError as error:
                raise SchemaError(f"{path}: {error}") from error
            except UnicodeDecodeError as error:
                # What sqlite3 makes of SQLite's own complaint where that quotes a damaged name.
                raise sqlite3.DatabaseError(f"{path} is damaged") from error
            failed.pop_all()

    def sync_commits(self) -> None:
        """From now on a commit returns when it is on the disk: the power may fail right after it."""
        self._connection.execute("PRAGMA synchronous = FULL")

    @property
    def connection(self) -> sqlite3.Connection:
        """The connection, for `facts` and what is made of them."""
        return self._connection

    def close(self) -> None:
        """Close it; a second time does nothing."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    @contextlib.contextmanager
    def batch(self) -> Iterator[Batch]:
        """One write transaction: committed when the block is left, rolled back where it is left by an exception.

        Waits up to 5 s for other writers, then raises sqlite3.OperationalError, as it does for a full disk.
        """
        self._connection.execute("BEGIN IMMEDIATE")
        with self._connection:
            yield Batch(self._connection)

    def rows(self, window: Window = EVERY) -> list[Row]:
        """The rows of a window in ascending order of id; raises sqlite3.DatabaseError where one is damaged."""
        condition, values = where(window.wanted, self._connection)
        for sign, bound in ((">", window.after), ("<", window.before)):
            if bound is not None:
                condition += f" AND id {sign} ?"
                values.append(bound)
        order = "DESC" if window.newest else "ASC"
        # The ids first: they may come out of an index alone, and sorting them is cheaper than sorting rows.
        chosen = f"SELECT id FROM exchanges WHERE {condition} ORDER BY id {order} LIMIT ?"
        query = f"{_SELECT}WHERE id IN ({chosen}) ORDER BY id {order}"
        found = self._connection.execute(query, (*values, -1 if window.limit is None else max(0, window.limit)))
        rows = [_row(*values) for values in found]
        if window.newest:
            rows.reverse()
        return rows

    def row(self, ident: int) -> Row | None:
        """One row, None where there is none of that id."""
        for values in self._connection.execute(f"{_SELECT}WHERE id = ?", (ident,)):
            return _row(*values)
        return None

    def requests(self, wanted: Filter = _ALL) -> int:
        """How many rows are wanted."""
        condition, values = where(wanted, self._connection)
        found: int = self._connection.execute(f"SELECT count(*) FROM exchanges WHERE {condition}", values).fetchone()[0]
        return found

    def idents(self, wanted: Filter = _ALL) -> list[int]:
        """The ids of the rows that are wanted, in ascending order."""
        condition, values = where(wanted, self._connection)
        query = f"SELECT id FROM exchanges WHERE {condition} ORDER BY id"
        return [ident for (ident,) in self._connection.execute(query, values)]

    def place(self, ident: int) -> Place | None:
        """Where the capture of a row lies, None where it has none."""
        query = "SELECT segment, offset, size, checksum FROM captures WHERE exchange_id = ?"
        found = self._connection.execute(query, (ident,)).fetchone()
        return None if found is None else _place(*found)

    def places(self, wanted: Filter = _ALL) -> list[tuple[int, Place]]:
        """The ids of the rows that are wanted and have captures, and where these lie; by id."""
        condition, values = where(wanted, self._connection)
        query = f"""
            SELECT exchange_id, segment, offset, size, checksum
            FROM exchanges JOIN captures ON exchange_id = id WHERE {condition} ORDER BY id
        """
        return [(ident, _place(*place)) for ident, *place in self._connection.execute(query, values)]

    def held(self, segment: str) -> list[tuple[int, Place]]:
        """The ids of the rows whose captures lie in a segment, and where; by offset. A row may be gone."""
        query = "SELECT exchange_id, segment, offset, size, checksum FROM captures WHERE segment = ? ORDER BY offset"
        return [(ident, _place(*place)) for ident, *place in self._connection.execute(query, (segment,))]

    def segments(self) -> set[str]:
        """The segments in which captures lie."""
        found = self._connection.execute("SELECT DISTINCT segment FROM captures")
        return {_place(name, 0, 0, None).segment for (name,) in found}

    def marks(self) -> dict[str, tuple[int, bool]]:
        """What is said about segments: the bytes each had when it was in order, and whether it is to be deleted."""
        return {name: (size, bool(gone)) for name, size, gone in self._connection.execute("SELECT * FROM segments")}

    def find(self, flow_id: str, started: float) -> int | None:
        """The id of the exchange of that flow and time (epoch seconds; recordings have it rounded to microseconds), by
        which an import knows what is here.
        """
        query = "SELECT id FROM exchanges WHERE flow_id = ? AND started BETWEEN ? AND ? ORDER BY id LIMIT 1"
        found = self._connection.execute(query, (flow_id, started - ROUNDED, started + ROUNDED)).fetchone()
        return None if found is None else found[0]

    def starts(self, flow_id: str, since: float, until: float) -> list[float]:
        """When the exchanges of a flow began (epoch seconds), of those that did in this time; a WebSocket has many."""
        query = "SELECT started FROM exchanges WHERE flow_id = ? AND started BETWEEN ? AND ? ORDER BY started"
        return [started for (started,) in self._connection.execute(query, (flow_id, since, until))]

    def stats(self, group: Group, wanted: Filter = _ALL) -> list[Stat]:
        """Sums and medians over the exchanges that are wanted, by group; the group with the most requests first."""
        try:
            return collect(self._connection, group, wanted)
        except (TypeError, KeyError, OverflowError) as error:
            raise sqlite3.DatabaseError(f"a row is damaged ({error})") from error

    def top(self, measure: Measure, of: Of, limit: int, wanted: Filter = _ALL) -> list[Most]:
        """The groups that took the most of something, the first one most."""
        return top.collect(self._connection, measure, of, limit, wanted)

    def complaints(self) -> list[str]:
        """What SQLite finds wrong with the file, empty where it is whole; reads all of it."""
        found = [text for (text,) in self._connection.execute("PRAGMA integrity_check(20)")]
        return [] if found == ["ok"] else found

    def scrub(self) -> None:
        """Empty the write-ahead log, in which what has been deleted could still be read; waits for readers."""
        self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def counters(self) -> dict[str, int]:
        """Every counter, by name."""
        found = self._connection.execute("SELECT name, value FROM counters ORDER BY name")
        return {str(name): value for name, value in found if isinstance(value, int)}


def _row(ident: int, captured: int, *values: Any) -> Row:
    """The row, its values of the types that were written: a damaged file may hold others."""
    try:
        plain = to_builtins(unflatten(values), builtin_types=(bytes,))
        return Row(ident, convert(plain, Exchange), bool(captured))
    except (ValueError, TypeError, AttributeError, ValidationError) as error:
        raise sqlite3.DatabaseError(f"row {ident} is damaged ({error})") from error


def _place(*values: Any) -> Place:
    try:
        return convert(dict(zip(Place.__struct_fields__, values, strict=True)), Place)
    except ValidationError as error:
        raise sqlite3.DatabaseError(f"the index of the captures is damaged ({error})") from error


def _connect(path: Path, readonly: bool) -> sqlite3.Connection:
    mode = "ro" if readonly else "rw"
    return sqlite3.connect(
        f"{path.resolve().as_uri()}?mode={mode}", uri=True, timeout=_BUSY_MS / 1000, isolation_level=None
    )


def _prepare(connection: sqlite3.Connection, readonly: bool) -> None:
    if readonly:
        version = check(connection)
        if version == 0 and not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            raise FileNotFoundError("the database is empty: nothing has been metered there yet")
        if version < len(MIGRATIONS):
            raise OlderError("the database is older than this mitmeter: run it once to bring the database up to date")
        connection.execute(_PROBE)
        return
    check(connection)
    _use_wal(connection)
    # NORMAL may lose the newest commits when the power fails, never consistency, and nothing when the process dies.
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA secure_delete = ON")
    migrate(connection)
    connection.execute(_PROBE)


def _use_wal(connection: sqlite3.Connection) -> None:
    """Change the journal, for which SQLite, unlike elsewhere, does not wait for another process that does the same."""
    deadline = time.monotonic() + _BUSY_MS / 1000
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return


def _make_private(path: Path) -> None:
    """Make an empty file of mode 0600 whatever the umask, where there is none; SQLite gives -wal and -shm its mode."""
    private.make_folder(path.parent)
    # Only a file that was not there is opened: closing any descriptor of a database in use drops SQLite's locks on it.
    with contextlib.suppress(FileExistsError):
        os.close(private.create(path, os.O_RDWR))
