"""What is asked of a meter_dir in a line or a table of plain text: totals, the most of something, text in captures."""

import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from time import monotonic

from msgspec import Struct
from msgspec.structs import replace

from mitmeter import choosing, exporting
from mitmeter.archive.record import Record
from mitmeter.choosing import Choice
from mitmeter.conversation import of_capture
from mitmeter.local import Local
from mitmeter.store.filters import Window
from mitmeter.store.rows import Row
from mitmeter.store.top import Measure, Most, Of
from mitmeter.summary import UNKNOWN, columns, printable, remark, totals

FOUND = 50
AROUND = 40
_PAGE = 200
_UNITS = {"cost": "US$", "duration": "s"}

type Tell = Callable[[str], None]


class Finding(Struct, frozen=True):
    """An exchange in which a text was found, and the text with what stands around it, on one line."""

    row: Row
    passage: str


def stats(folder: Path) -> str:
    """Return the totals by model."""
    with Local(folder) as metered:
        return totals(metered.stats("model"))


def top(folder: Path, measure: Measure, of: Of, limit: int, choice: Choice) -> str:
    """Return what took the most, a line each."""
    with Local(folder) as metered:
        found = metered.store.top(measure, of, limit, choosing.narrowed(metered, choice))
        if of != "exchange":
            return _table(measure, of, [(printable(one.name) or UNKNOWN, one) for one in found])
        named = [(_label(row) if (row := metered.row(one.newest)) else "", one) for one in found]
        return _table(measure, of, named)


def _table(measure: Measure, of: Of, named: list[tuple[str, Most]]) -> str:
    if not named:
        return f"nothing is known of {measure}"
    unit = _UNITS.get(measure, "tokens")
    digits = {"tokens": 0, "US$": 4, "s": 1}[unit]
    rows: list[tuple[str, ...]] = [(of, unit, "requests", "newest")]
    for name, one in named:
        value = f"{one.value:,.{digits}f}"
        rows.append((name, value, str(one.requests), f"#{one.newest} {when(one.started)}"))
    return columns(rows)


def _label(row: Row) -> str:
    exchange = row.exchange
    return f"#{row.id} {printable(exchange.model or exchange.request_model) or UNKNOWN} · {remark(exchange)}"


def when(started: float) -> str:
    """Return a time of day with its date, local."""
    return datetime.fromtimestamp(started).strftime("%Y-%m-%d %H:%M:%S")


def find(folder: Path, choice: Choice, seconds: float, tell: Tell, limit: int = FOUND) -> tuple[list[Finding], bool]:
    """Return the newest exchanges whose captures hold the choice's text, newest first, and whether all were read."""
    found: list[Finding] = []
    until, before = monotonic() + seconds, None
    wanted = replace(choice.filter, captured=True)
    with Local(folder) as metered:
        while page := metered.rows(Window(limit=_PAGE, before=before, wanted=wanted)):
            before = page[0].id
            held = [
                Finding(row, passage(row, record, choice.grep or ""))
                for row, record in choosing.matching(metered, page, choice, tell=tell)
            ]
            found += reversed(held)
            if len(found) >= limit or monotonic() > until:
                return found[:limit], False
    return found, True


def passage(row: Row, record: Record, text: str) -> str:
    """Return a text with what stands around it, from what was asked or answered, else from a body."""
    told = of_capture(row.exchange, record.capture)
    spoken = [block.text for turn in reversed(told.turns) for block in turn.blocks]
    spoken += [block.text for block in told.reply]
    bodies = (record.capture.request_body or b"", record.capture.response_body or b"")
    for held in (*spoken, *(body.decode("utf-8", "replace") for body in bodies)):
        at = held.find(text)
        if at >= 0:
            return printable(held[max(0, at - AROUND) : at + len(text) + AROUND], len(text) + 2 * AROUND)
    return ""


def export(folder: Path, path: Path, form: exporting.Format, choice: Choice, tell: Tell) -> str:
    """Write what is chosen into a file, and say how much that was; raises OSError, ValueError and what reading does."""
    began = time.monotonic()
    with Local(folder) as metered, exporting.destination(path) as file:
        found: Iterator[exporting.Captured] = choosing.captured(metered, choice, tell=tell)
        written, left = exporting.write(file, form, found)
    rest = f", {left} left out" if left else ""
    return f"{written} exported to {path}{rest} ({time.monotonic() - began:.1f} s)"
