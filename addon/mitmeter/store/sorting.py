"""A page of rows in the order of any column."""

import sqlite3
from typing import Literal

from mitmeter.store.facts import NAMED, Facts
from mitmeter.store.filters import TEXTS, Filter, where

type Order = Literal["asc", "desc"]

# The names under which llama-swap sorts, then ours; each with its column.
SORTS = {
    "id": "id",
    "time": "started",
    "model": "model",
    "req_path": "path",
    "resp_status_code": "status",
    "resp_content_type": "content_type",
    "cached": "cache_read_tokens",
    "prompt": "input_tokens",
    "generated": "output_tokens",
    "drafted": "draft_tokens",
    "prompt_speed": "prompt_per_second",
    "gen_speed": "tokens_per_second",
    "duration": "duration_ms",
    **{
        name: name for name in ("provider", "host", "outcome", "operation", "session", "stream", "credential", "finish")
    },
    "client": "client_address",
    "agent": "client_agent",
    "cache_write": "cache_write_tokens",
    "reasoning": "reasoning_tokens",
    "first_byte": "first_byte_ms",
    "first_token": "first_token_ms",
    "cost": "cost_usd",
    "request_bytes": "request_bytes",
    "response_bytes": "response_bytes",
}
DEEP = 20_000

_INDEXED = frozenset({"id", "started", "model", "provider", "host", "path", "status", "outcome"})
_ALL = Filter()


def needs_facts(wanted: Filter, sort: str, offset: int) -> bool:
    """Whether such a page, and how many rows there are for it, is found faster among `Facts` than by an index."""
    column = SORTS[sort]
    if offset > DEEP or column not in _INDEXED:
        return True
    return _parts(wanted) > 1 if column == "id" else wanted != _ALL


def _parts(wanted: Filter) -> int:
    """How many conditions rows have to meet, of which an index helps with one."""
    timed = wanted.since is not None or wanted.until is not None
    return sum(bool(getattr(wanted, name)) for name in (*TEXTS, "status", "captured")) + timed


def page(
    connection: sqlite3.Connection,
    facts: Facts | None,
    wanted: Filter,
    sort: str = "id",
    order: Order = "desc",
    limit: int = 25,
    offset: int = 0,
) -> list[int]:
    """The ids of a page, in order: ties by id, unknown before all that is known. With `facts` it is found there."""
    column = SORTS[sort]
    if facts is None:
        condition, values = where(wanted, connection)
        source = f"main.exchanges WHERE {condition}"
    else:
        condition, values = facts.where(wanted)
        source = f"facts WHERE {condition}"
        if condition == "1" and offset > DEEP and column not in ("id", *NAMED):
            facts.index(column)
        elif column != "id":
            key = column
            if column in NAMED:
                # A lookup of each row's name would take four times as long.
                key, values = f"substr(?, {column} * 3 - 2, 3)", [facts.ranks(), *values]
            # Walked from the end that is wanted, a row that ties with others does not displace them. Without a limit of
            # its own SQLite takes no heed of the order here; an index would be walked for what few rows have.
            inner = f"SELECT id, {key} AS value FROM facts NOT INDEXED WHERE {condition} ORDER BY id {order} LIMIT -1"
            source, column = f"({inner})", "value"
    by = f"id {order}" if column == "id" else f"{column} {order}, id {order}"
    query = f"SELECT id FROM {source} ORDER BY {by} LIMIT ? OFFSET ?"
    return [ident for (ident,) in connection.execute(query, (*values, limit, offset))]


def number(facts: Facts, wanted: Filter) -> int:
    """How many rows are wanted, by the facts."""

    def count(wanted: Filter) -> int:
        condition, values = facts.where(wanted)
        query = f"SELECT count(*) FROM facts NOT INDEXED WHERE {condition}"
        found: int = facts.connection.execute(query, values).fetchone()[0]
        return found

    total: int = facts.remembered("number", wanted, count, lambda before, newer: before + newer)
    return total
