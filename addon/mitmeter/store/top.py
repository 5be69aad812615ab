"""Which exchanges, models, sessions … took the most: tokens, money or time."""

import sqlite3
from typing import Literal, get_args

from msgspec import Struct

from mitmeter.store.filters import Filter, where

type Measure = Literal["tokens", "input", "output", "cost", "duration"]
type Of = Literal["exchange", "model", "session", "credential", "provider", "host", "client"]

MEASURES: tuple[Measure, ...] = get_args(Measure.__value__)
OF: tuple[Of, ...] = get_args(Of.__value__)

_MEASURED = {
    "tokens": "coalesce(input_tokens + output_tokens, input_tokens, output_tokens)",
    "input": "input_tokens",
    "output": "output_tokens",
    "cost": "cost_usd",
    "duration": "duration_ms / 1000",
}
_GROUPED = {
    "exchange": "id",
    **{name: name for name in ("model", "session", "credential", "provider", "host")},
    "client": "client_agent",
}
_TOP = """
    SELECT CAST({group} AS TEXT), count(*), sum({measure}) AS most, max(id), max(started)
    FROM exchanges WHERE {where} GROUP BY {group} HAVING most IS NOT NULL ORDER BY most DESC, 1 LIMIT ?
"""


class Most(Struct, frozen=True):
    """One group: its name (None: not known), how many exchanges it has and what they took together.

    `value` is tokens, US dollars or seconds; those of which it is not known are not in it. `newest` is the id of the
    newest exchange, `started` when that was, in epoch seconds.
    """

    name: str | None
    requests: int
    value: float
    newest: int
    started: float


def collect(connection: sqlite3.Connection, measure: Measure, of: Of, limit: int, wanted: Filter) -> list[Most]:
    """The groups that took the most; those of which it is not known are left out. Raises sqlite3.Error."""
    condition, bound = where(wanted, connection)
    asked = _TOP.format(group=_GROUPED[of], measure=_MEASURED[measure], where=condition)
    return [Most(*values) for values in connection.execute(asked, [*bound, limit])]
