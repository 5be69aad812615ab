"""The parameters of a request, as what is wanted of the rows. Pure, but for spans that end now."""

import math
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import click
from msgspec import Struct

from mitmeter.choosing import Choice, Header, Instant, Session, Status
from mitmeter.exchange import Outcome
from mitmeter.store.filters import TEXTS, Filter
from mitmeter.store.sorting import SORTS, Order

LIMIT, MOST = 25, 999
SEARCH_SECONDS, MOST_SECONDS = 5.0, 30.0

_ZONED = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)")
_OUTCOMES = frozenset(outcome.value for outcome in Outcome)

type Given = Mapping[str, Sequence[str]]


class Page(Struct, frozen=True, kw_only=True):
    """Which rows in which order; `number` counts pages from 1."""

    number: int = 1
    limit: int = LIMIT
    sort: str = "id"
    order: Order = "desc"


def choice(given: Given) -> Choice:
    """Return what the rows have to meet; raises ValueError that says what is accepted."""
    texts: dict[str, Any] = {name: _texts(given, name) for name in TEXTS}
    wrong = [text for text in texts["outcome"] if text not in _OUTCOMES and not set("*?") & set(text)]
    if wrong:
        raise ValueError(f"outcome is one of {', '.join(sorted(_OUTCOMES))}")
    texts["session"] = tuple(_converted(Session(), text) for text in texts["session"])
    first, last = _ident(given, "min_id"), _ident(given, "max_id")
    if first is not None and last is not None and first > last:
        raise ValueError("min_id must be <= max_id")
    since, until = _times(given)
    return Choice(
        Filter(
            **texts,
            since=since,
            until=until,
            status=tuple(_converted(Status(), text) for text in _texts(given, "status")),
            first=first,
            last=last,
            captured=_one(given, "captured") in ("1", "true"),
        ),
        _one(given, "text") or None,
        tuple(_converted(Header(), text) for text in _texts(given, "header")),
    )


def page(given: Given) -> Page:
    """Return the page; raises ValueError in llama-swap's words."""
    limit = _integer(given, "limit", LIMIT, "invalid limit")
    if not 1 <= limit <= MOST:
        raise ValueError(f"limit must be between 1 and {MOST}")
    number = _integer(given, "page", 1, "page must be >= 1")
    if not 1 <= number <= 2**40:
        raise ValueError("page must be >= 1")
    sort, order = _one(given, "sort") or "id", _one(given, "order") or "desc"
    if sort not in SORTS:
        raise ValueError("invalid sort column")
    if order not in ("asc", "desc"):
        raise ValueError("order must be asc or desc")
    return Page(number=number, limit=limit, sort=sort, order="asc" if order == "asc" else "desc")


def number(given: Given, name: str, default: int, most: int) -> int:
    """Return a number from 1 on; raises ValueError that says what is accepted."""
    wrong = f"{name} must be between 1 and {most}"
    value = _integer(given, name, default, wrong)
    if not 1 <= value <= most:
        raise ValueError(wrong)
    return value


def seconds(given: Given) -> float:
    """Return how long a search may take; raises ValueError that says what is accepted."""
    text = _one(given, "seconds")
    try:
        value = float(text) if text else SEARCH_SECONDS
    except ValueError:
        value = math.nan
    if not 0 < value <= MOST_SECONDS:
        raise ValueError(f"seconds must be more than 0 and at most {MOST_SECONDS:.0f}")
    return value


def _times(given: Given) -> tuple[float | None, float | None]:
    since, until = (_converted(Instant(), text) if (text := _one(given, name)) else None for name in ("since", "until"))
    start, end = _instant(given, "start"), _instant(given, "end")
    if start is not None and end is not None and start > end:
        raise ValueError("start must be before end")
    if end is not None:
        # Inclusive, and to the second: llama-swap's rows have no fractions.
        end = end + 1 if end.is_integer() else math.nextafter(end, math.inf)
    both = [time for time in (since, start) if time is not None], [time for time in (until, end) if time is not None]
    return max(both[0], default=None), min(both[1], default=None)


def _instant(given: Given, name: str) -> float | None:
    # A plus sign in a query stands for a space.
    text = re.sub(r" (\d\d:\d\d)$", r"+\1", _one(given, name))
    if not text:
        return None
    try:
        if _ZONED.fullmatch(text):
            return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError):
        pass
    raise ValueError(f"invalid '{name}' timestamp, use RFC3339 format")


def _ident(given: Given, name: str) -> int | None:
    if not _one(given, name):
        return None
    wrong = f"{name} must be >= 1"
    value = _integer(given, name, 0, wrong)
    if not 1 <= value < 2**63:
        raise ValueError(wrong)
    return value


def _integer(given: Given, name: str, default: int, wrong: str) -> int:
    text = _one(given, name)
    if not text:
        return default
    if not re.fullmatch(r"[+-]?\d{1,19}", text, re.ASCII):
        raise ValueError(wrong)
    return int(text)


def _converted(kind: Any, text: str) -> Any:
    try:
        return kind.convert(text, None, None)
    except click.BadParameter as error:
        raise ValueError(error.message) from error


def _texts(given: Given, name: str) -> tuple[str, ...]:
    return tuple(text.strip() for text in given.get(name, ()) if text.strip())


def _one(given: Given, name: str) -> str:
    return next(iter(_texts(given, name)), "")
