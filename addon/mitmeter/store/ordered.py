"""The values of a column of `Facts` in ascending order, without a list of them in Python."""

import sqlite3
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from mitmeter.store.facts import Facts
from mitmeter.store.filters import Filter
from mitmeter.store.histogram import Ordered

MANY = 100_000


class _Table(Sequence[float]):
    """Values in a temporary table, by rowid."""

    def __init__(self, connection: sqlite3.Connection, number: int) -> None:
        self._connection = connection
        self._number = number

    def __len__(self) -> int:
        return self._number

    def __getitem__(self, at: Any) -> Any:
        return self._connection.execute("SELECT value FROM ordered WHERE rowid = ?", (at + 1,)).fetchone()[0]

    def below(self, value: float) -> int:
        return bisect_left(self, value)


class _Index:
    """Values in the order of an index, which leads to a place from the nearer end."""

    def __init__(self, connection: sqlite3.Connection, column: str) -> None:
        self._connection, self._column = connection, column
        self._number = self._count(0.0, None)
        self._below = 0.0, 0

    def __len__(self) -> int:
        return self._number

    def __getitem__(self, at: int) -> float:
        last = self._number - 1 - at
        order, offset = ("ASC", at) if at < last else ("DESC", last)
        column = self._column
        query = f"SELECT {column} FROM facts WHERE {column} > 0 ORDER BY {column} {order} LIMIT 1 OFFSET ?"
        found: float = self._connection.execute(query, (offset,)).fetchone()[0]
        return found

    def below(self, value: float) -> int:
        edge, number = self._below
        self._below = value, number + self._count(edge, value)
        return self._below[1]

    def _count(self, edge: float, value: float | None) -> int:
        # 0 is no value: it says nothing of a speed.
        query = f"SELECT count(*) FROM facts WHERE {self._column} {'>=' if edge else '>'} ?"
        bounds: tuple[float, ...] = (edge,)
        if value is not None:
            query, bounds = f"{query} AND {self._column} < ?", (edge, value)
        found: int = self._connection.execute(query, bounds).fetchone()[0]
        return found


@contextmanager
def ordered(facts: Facts, column: str, wanted: Filter) -> Iterator[Ordered]:
    """Hand out the values above 0 of the rows that are wanted."""
    condition, values = facts.where(wanted)
    if condition == "1" and len(facts) > MANY:
        facts.index(column)
        yield _Index(facts.connection, column)
        return
    # A table that is made of a statement takes no parameters.
    facts.connection.execute("CREATE TEMP TABLE ordered (value REAL)")
    try:
        query = (
            f"INSERT INTO ordered SELECT {column} FROM facts NOT INDEXED WHERE {column} > 0 AND {condition} ORDER BY 1"
        )
        yield _Table(facts.connection, facts.connection.execute(query, values).rowcount)
    finally:
        facts.connection.execute("DROP TABLE ordered")
