"""What to look for among the rows, as SQL. Pure."""

from typing import Any

from msgspec import Struct

MATCHED = ("model", "provider", "host", "path", "outcome")


class Filter(Struct, frozen=True, kw_only=True):
    """Rows that meet every part that is given; of the values of one part any will do.

    `since` <= started < `until`, in epoch seconds. Text may hold the wildcards `*` and `?`. `status` is a code, or
    one digit for its class (`5` for 500 to 599). `idents` are ids of rows.
    """

    since: float | None = None
    until: float | None = None
    model: tuple[str, ...] = ()
    provider: tuple[str, ...] = ()
    host: tuple[str, ...] = ()
    path: tuple[str, ...] = ()
    outcome: tuple[str, ...] = ()
    status: tuple[int, ...] = ()
    idents: tuple[int, ...] | None = None
    captured: bool = False


def where(wanted: Filter) -> tuple[str, list[Any]]:
    """The condition, `1` where there is none, and its parameters."""
    conditions: list[str] = []
    values: list[Any] = []
    for at, bound in (("started >= ?", wanted.since), ("started < ?", wanted.until)):
        if bound is not None:
            conditions.append(at)
            values.append(bound)
    for column in MATCHED:
        _match(column, getattr(wanted, column), conditions, values)
    if wanted.status:
        parts = ["status BETWEEN ? AND ?" for _ in wanted.status]
        conditions.append(f"({' OR '.join(parts)})")
        for code in wanted.status:
            values += (code * 100, code * 100 + 99) if code < 10 else (code, code)
    if wanted.idents is not None:
        conditions.append(f"id IN ({', '.join(str(int(ident)) for ident in wanted.idents)})")
    if wanted.captured:
        conditions.append("EXISTS (SELECT 1 FROM captures WHERE exchange_id = id)")
    return " AND ".join(conditions) or "1", values


def _match(column: str, texts: tuple[str, ...], conditions: list[str], values: list[Any]) -> None:
    if not texts:
        return
    parts = []
    for text in texts:
        wild = "*" in text or "?" in text
        parts.append(f"{column} GLOB ?" if wild else f"{column} = ?")
        values.append(text.replace("[", "[[]") if wild else text)
    conditions.append(f"({' OR '.join(parts)})")
