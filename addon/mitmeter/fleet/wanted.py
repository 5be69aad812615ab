"""What to look for among a fleet's rows, as ClickHouse's SQL. Pure."""

from collections.abc import Collection
from typing import Any

from mitmeter.store.filters import TEXTS, Filter

# What began before or after is in the first or the last minute, and day.
FIRST, LAST = 0.0, 4_102_444_800.0

# Of a key, which has no NULL, an empty text stands for none: that of `exchanges`, and that of `minutes`.
KEY = ("session",)
MINUTES_KEY = ("model", "provider", "credential")


def where(wanted: Filter, key: Collection[str] = KEY) -> tuple[str, dict[str, Any]]:
    """Return the condition, `1` where there is none, and its parameters; it means what SQLite's means."""
    conditions: list[str] = []
    given: dict[str, Any] = {}

    def bind(value: Any, kind: str) -> str:
        name = f"p{len(given)}"
        given[name] = value
        return f"{{{name}:{kind}}}"

    for sign, bound in ((">=", wanted.since), ("<", wanted.until)):
        if bound is not None:
            # Parts are days.
            day = f"toDate(toDateTime({bind(second_of(bound), 'Int64')}, 'UTC'))"
            conditions.append(f"started {sign} {bind(bound, 'Float64')} AND day {sign.rstrip('=')}= {day}")
    for sign, bound in ((">=", wanted.first), ("<=", wanted.last)):
        if bound is not None:
            conditions.append(f"id {sign} {bind(bound, 'Int64')}")
    for name, column in TEXTS.items():
        texts = getattr(wanted, name)
        if texts:
            loose = column in key and any(not text or _is_pattern(text) for text in texts)
            known = f" AND {column} != ''" if loose else ""
            conditions.append(_any(_like(column, text, bind) for text in texts) + known)
    if wanted.status:
        conditions.append(_any(_status(code) for code in wanted.status))
    if wanted.idents is not None:
        conditions.append(f"id IN {bind([int(ident) for ident in wanted.idents], 'Array(Int64)')}")
    if wanted.captured:
        conditions.append("captured")
    return " AND ".join(conditions) or "1", given


def _any(conditions: Any) -> str:
    return f"({' OR '.join(conditions)})"


def second_of(at: float) -> int:
    """Return a whole second that `day` can hold."""
    return int(max(FIRST, min(at, LAST)))


def _status(code: int) -> str:
    return f"status BETWEEN {code * 100} AND {code * 100 + 99}" if code < 10 else f"status = {int(code)}"


def _is_pattern(text: str) -> bool:
    return "*" in text or "?" in text


def _like(column: str, text: str, bind: Any) -> str:
    if not _is_pattern(text):
        return f"{column} = {bind(text, 'String')}"
    escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"{column} LIKE {bind(escaped.replace('*', '%').replace('?', '_'), 'String')}"
