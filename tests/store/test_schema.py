"""Migrations: from nothing, step by step, by several processes at once; newer and foreign databases are refused."""

import sqlite3
from pathlib import Path

import pytest

from mitmeter.store.rows import COLUMNS
from mitmeter.store.schema import MIGRATIONS, SchemaError, check, migrate
from mitmeter.store.sqlite import Store


def connection(path: Path | str = ":memory:") -> sqlite3.Connection:
    return sqlite3.connect(path, isolation_level=None)


def tables(connected: sqlite3.Connection) -> set[str]:
    return {name for (name,) in connected.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}


def test_from_nothing() -> None:
    with connection() as connected:
        assert check(connected) == 0
        migrate(connected)
        assert check(connected) == len(MIGRATIONS)
        assert tables(connected) >= {"exchanges", "captures", "counters"}
        migrate(connected)


def test_tables_are_strict() -> None:
    with connection() as connected:
        migrate(connected)
        strict = {name: bool(flag) for _, name, kind, _, _, flag in connected.execute("PRAGMA table_list")}
        assert strict["exchanges"] and strict["captures"] and strict["counters"]


def test_columns_are_those_that_rows_are_made_of() -> None:
    with connection() as connected:
        migrate(connected)
        names = [name for _, name, *_ in connected.execute("PRAGMA table_info(exchanges)")]
    assert set(names) == {"id", *COLUMNS} and len(names) == len(COLUMNS) + 1


@pytest.mark.parametrize(
    ("query", "index"),
    [
        pytest.param("SELECT id FROM exchanges WHERE started > 1", "exchanges_started", id="by time"),
        pytest.param("SELECT id FROM exchanges WHERE model = 'm' ORDER BY id DESC", "exchanges_model", id="model"),
        pytest.param("SELECT id FROM exchanges WHERE flow_id = 'f' AND started = 1", "exchanges_started", id="by flow"),
        pytest.param("SELECT 1 FROM captures WHERE segment = 's'", "captures_segment", id="by segment"),
    ],
)
def test_indexes_are_used(query: str, index: str) -> None:
    with connection() as connected:
        migrate(connected)
        plan = connected.execute(f"EXPLAIN QUERY PLAN {query}").fetchall()
    assert index in str(plan)


def test_later_steps_are_applied_once() -> None:
    steps = (*MIGRATIONS, ("ALTER TABLE counters ADD COLUMN note TEXT",), ("CREATE TABLE later (n INTEGER) STRICT",))
    with connection() as connected:
        migrate(connected)
        migrate(connected, steps)
        migrate(connected, steps)
        assert check(connected, steps) == len(steps)
        assert "later" in tables(connected)


def test_a_step_that_fails_leaves_the_one_before() -> None:
    with connection() as connected:
        with pytest.raises(sqlite3.OperationalError):
            migrate(connected, (*MIGRATIONS, ("CREATE TABLE half (n INTEGER)", "CREATE NONSENSE")))
        assert check(connected) == len(MIGRATIONS)
        assert "half" not in tables(connected)
        assert not connected.in_transaction


@pytest.mark.parametrize("readonly", [False, True])
def test_a_newer_database_is_refused_and_left_alone(tmp_path: Path, readonly: bool) -> None:
    path = tmp_path / "meter.db"
    with connection(path) as connected:
        connected.execute("PRAGMA user_version = 99")
    before = path.read_bytes()
    with pytest.raises(SchemaError, match=r"meter\.db: the database has version 99, .* written by a newer one"):
        Store(path, readonly=readonly)
    assert path.read_bytes() == before


@pytest.mark.parametrize("readonly", [False, True])
def test_what_is_no_database_is_refused_and_left_alone(tmp_path: Path, readonly: bool) -> None:
    path = tmp_path / "meter.db"
    path.write_bytes(b"something else altogether\n" * 100)
    with pytest.raises(SchemaError, match="not a mitmeter database"):
        Store(path, readonly=readonly)
    assert path.read_bytes() == b"something else altogether\n" * 100


def test_an_empty_file_is_filled_but_not_read(tmp_path: Path) -> None:
    path = tmp_path / "meter.db"
    path.touch()
    with pytest.raises(FileNotFoundError, match="nothing has been metered there yet"):
        Store(path, readonly=True)
    Store(path).close()
    Store(path, readonly=True).close()


def old(path: Path) -> None:
    """A database as the first version made it, with nothing in it."""
    with connection(path) as connected:
        migrate(connected, MIGRATIONS[:1])
    connected.close()


def test_whoever_reads_an_older_database_brings_it_up_to_date(tmp_path: Path) -> None:
    old(tmp_path / "meter.db")
    with Store(tmp_path / "meter.db", readonly=True) as store:
        assert store.rows() == []
    with connection(tmp_path / "meter.db") as connected:
        assert check(connected) == len(MIGRATIONS)


def test_an_older_database_that_cannot_be_written(tmp_path: Path) -> None:
    old(tmp_path / "meter.db")
    with connection(tmp_path / "meter.db") as holder:
        holder.execute("BEGIN EXCLUSIVE")
        with pytest.raises((SchemaError, sqlite3.OperationalError), match=r"older|locked"):
            Store(tmp_path / "meter.db", readonly=True)
