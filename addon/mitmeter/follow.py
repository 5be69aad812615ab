"""`mitmeter tail`: rows as they come, and below them what is under way in every proxy that uses the folder."""

import contextlib
import sys
import time
from collections import deque
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any

import click
from msgspec import to_builtins
from msgspec.structs import replace
from rich.console import Console
from rich.live import Live

from mitmeter import inflight, tables
from mitmeter.export import jsonl
from mitmeter.inflight import InFlight
from mitmeter.metered import Metered
from mitmeter.store.rows import Row, Stat
from mitmeter.store.surface import instant, to_json
from mitmeter.terminal import Place, as_json, at, console

POLL_SECONDS = 0.5
WATCH_SECONDS = 2.0
ENDED = 1000

type Look = Callable[[], tuple[list[Stat], dict[str, int]]]


def in_json(place: Place, lines: int, under_way: bool) -> None:
    """Print an object a line for ever: rows, and what is `under_way` each time that it has changed."""
    seen: dict[str, InFlight] = {}
    ended: deque[str] = deque(maxlen=ENDED)
    for rows in _rows(place, lines):
        for row in rows:
            click.echo(as_json(to_json(row)))
            ended.append(row.exchange.flow_id)
        if under_way:
            found = _under_way(place, ended)
            before, seen = seen, {one.flow_id: replace(one, elapsed_ms=0.0) for one in found}
            for one in found:
                if before.get(one.flow_id) != seen[one.flow_id]:
                    click.echo(as_json(plain(one)))
        sys.stdout.flush()


def for_people(place: Place, lines: int) -> None:
    """Print a line for each row for ever, and on a terminal what is under way."""
    console = Console(highlight=False, soft_wrap=True)
    if not console.is_terminal:
        for rows in _rows(place, lines):
            for row in rows:
                click.echo(tables.tail_line(row))
            sys.stdout.flush()
    ended: deque[str] = deque(maxlen=ENDED)
    with Live(console=console, auto_refresh=False, transient=True) as live:
        for rows in _rows(place, lines):
            for row in rows:
                console.print(tables.tail_line(row), markup=False, soft_wrap=True)
                ended.append(row.exchange.flow_id)
            live.update(tables.under_way(_under_way(place, ended)), refresh=True)


def sums(look: Look, group: str, nothing: str, in_json: bool) -> None:
    """Print what rows come to, again and again, until Ctrl-C."""
    with contextlib.suppress(KeyboardInterrupt), Live(console=console(), auto_refresh=False) as live:
        while True:
            stats, counters = look()
            if in_json:
                click.echo(as_json(jsonl.sums(group, stats, counters)))
                sys.stdout.flush()
            else:
                live.update(tables.totals(stats, counters, group, nothing), refresh=True)
            time.sleep(WATCH_SECONDS)


def plain(one: InFlight) -> dict[str, Any]:
    """Return an open exchange as the object that users read; like in a row, `started` is a time in UTC."""
    return {**to_builtins(one), "started": instant(one.started)}


def _under_way(place: Place, ended: Collection[str]) -> list[InFlight]:
    """Return what is under way, but nothing whose row is there; a WebSocket connection goes on after a row."""
    if not isinstance(place, Path):
        return []
    return [one for one in inflight.read(place) if one.flow_id not in ended or one.status == 101]


def _rows(place: Place, lines: int) -> Iterator[list[Row]]:
    """Yield what is new, twice a second: at first the newest rows."""
    waits = False
    while not (metered := _opened(place)):
        if not waits:
            click.echo(f"nothing has been metered in {place} yet; waiting", err=True)
        waits = True
        yield []
        time.sleep(POLL_SECONDS)
    with metered:
        newest, mark = metered.arrivals(limit=max(lines, 1))
        yield newest[max(0, len(newest) - lines) :]
        while True:
            time.sleep(POLL_SECONDS)
            new, mark = metered.arrivals(mark)
            yield new


def _opened(place: Place) -> Metered | None:
    try:
        return at(place)
    except FileNotFoundError:
        return None
