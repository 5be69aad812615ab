"""Traffic that was recorded before, brought into a meter_dir."""

import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from msgspec import Struct, field

from mitmeter import flows, recordings
from mitmeter.archive.content import content, records
from mitmeter.archive.record import RecordError, decode
from mitmeter.archive.segments import SUFFIX
from mitmeter.exchange import Exchange
from mitmeter.prices.pricing import Pricing
from mitmeter.recorder import Limits
from mitmeter.recovery import exchange_of
from mitmeter.redact import Redacted, redact
from mitmeter.shelf import Item, Shelf, captures, private_folder, secret_of
from mitmeter.store.filters import Window
from mitmeter.store.sqlite import Store
from mitmeter.usage.registry import Match

TOGETHER = 50
NEAR = 5.0
NAMED = 10

type Found = tuple[tuple[str, float], Callable[[], Item | None]]


class Imported(Struct, kw_only=True):
    """What an import came to: rows added, exchanges that were here already, flows that no dialect reads, and what could
    not be read, in a line each; `cut` says that a file has not been read to its end.
    """

    added: int = 0
    known: int = 0
    other: int = 0
    misread: int = 0
    cut: bool = False
    troubles: list[str] = field(default_factory=list)


def bring_in(
    folder: Path, files: Iterable[Path], seen: Callable[[], None] = lambda: None, prices: Path | None = None
) -> Imported:
    """Bring flow files, HAR logs, segments and other meter_dirs into a meter_dir; `seen` is called for each exchange.

    One that is there already, by its flow's id and its start, is not added again. `prices` is a file of prices, before
    those of the list; ValueError where it cannot be used. A file that is damaged is read up to there, and the next ones
    all the same. Raises OSError and sqlite3.Error.
    """
    pricing = Pricing(prices)
    private_folder(folder)
    secret, told = secret_of(folder), Imported()
    with Shelf(folder) as shelf:
        for path in files:
            fresh: dict[tuple[str, float], Item] = {}
            try:
                for key, make in _found(path, secret, shelf.store):
                    seen()
                    if key in fresh or shelf.store.find(*key) is not None:
                        told.known += 1
                        continue
                    try:
                        item = make()
                    except recordings.Unreadable as error:
                        told.misread += 1
                        if told.misread <= NAMED:
                            told.troubles.append(f"{path}: {error}")
                        continue
                    if item is None:
                        told.other += 1
                        continue
                    exchange, redacted = item
                    fresh[key] = pricing(exchange), redacted
                    if len(fresh) == TOGETHER:
                        told.added += _keep(shelf, fresh)
            except recordings.Misread as error:
                told.misread += error.many
                told.troubles.append(str(error))
            except recordings.Unreadable as error:
                told.cut = True
                told.troubles.append(str(error))
            finally:
                told.added += _keep(shelf, fresh)
    return told


def _found(path: Path, secret: bytes, store: Store) -> Iterator[Found]:
    if path.is_dir():
        yield from _archive(path)
    elif path.name.endswith(SUFFIX):
        yield from _segment(path)
    else:
        for flow in recordings.recorded(path):
            if flow.websocket is not None and (reader := flows.match(flow)) is not None:
                yield from _conversation(flow, reader, secret, store)
            else:
                yield (flow.id, flow.request.timestamp_start), partial(_metered, flow, secret)


def _metered(flow: Any, secret: bytes) -> Item | None:
    reader = flows.match(flow)
    return None if reader is None else recordings.metered(flow, reader, Limits(), secret)[0]


def _conversation(flow: Any, reader: Match, secret: bytes, store: Store) -> Iterator[Found]:
    """Yield the responses on a connection. Those that were metered live began at about the same times."""
    ended = recordings.metered(flow, reader, Limits(), secret)
    starts = [exchange.started for exchange, _ in ended]
    known = store.starts(flow.id, min(starts, default=0.0) - NEAR, max(starts, default=0.0) + NEAR)
    for (exchange, redacted), started in zip(ended, known if len(known) == len(ended) else starts, strict=True):
        yield (flow.id, started), partial(_pair, exchange, redacted)


def _archive(folder: Path) -> Iterator[Found]:
    """Yield what a meter_dir holds: its rows with their captures, or where it has no database, its segments alone."""
    if not (folder / "meter.db").exists():
        segments = sorted(folder.rglob(f"*{SUFFIX}"))
        if not segments:
            raise recordings.Unreadable(f"{folder} is no meter_dir: it has neither a meter.db nor segments")
        for path in segments:
            yield from _segment(path)
        return
    with Store(folder / "meter.db", readonly=True) as store:
        after = 0
        while page := store.rows(Window(limit=TOGETHER, after=after, newest=False)):
            after = page[-1].id
            for row, record, _ in captures(folder, store, page):
                redacted = None if record is None else redact(record.capture)
                yield (row.exchange.flow_id, row.exchange.started), partial(_pair, row.exchange, redacted)


def _segment(path: Path) -> Iterator[Found]:
    data, damage = content(path)
    for _, found in records(data, 0, len(data)):
        try:
            record = None if found is None else decode(found)
        except RecordError:
            record = None
        exchange = None if record is None else exchange_of(record)
        if record is not None and exchange is not None:
            key = (exchange.flow_id, exchange.started)
            yield key, partial(_pair, exchange, redact(record.capture))
    if damage is not None:
        raise recordings.Unreadable(f"{path}: {damage}")


def _pair(exchange: Exchange, redacted: Redacted | None) -> Item | None:
    return exchange, redacted


def _keep(shelf: Shelf, fresh: dict[tuple[str, float], Item]) -> int:
    kept = len(fresh)
    if fresh:
        shelf.write(fresh.values(), time.time(), {})
        fresh.clear()
    return kept
