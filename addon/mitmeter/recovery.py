"""The archive against its index: what lies in the segments is found again, what cannot be read is named.

A capture that the index does not know had a row that was never committed, or comes from elsewhere. Its row is made
again out of the record's own, unless there is one for that flow and time: ids of rows that were rolled back are given
again, so a record's id says nothing. No index entry is taken away: a segment that is missing may come back.
"""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

from mitmeter.archive.content import content, is_sealed, records
from mitmeter.archive.record import Record, RecordError, checksum, decode, verify
from mitmeter.archive.rewrite import UNFINISHED
from mitmeter.archive.segments import SUFFIX, is_open
from mitmeter.exchange import Exchange, Place
from mitmeter.store.sqlite import Batch, Store

BUDGET_SECONDS = 1.0

type Kind = Literal["missing", "damaged", "unreadable", "unknown", "database"]
type Seen = Callable[[Path], None]


class Finding(Struct, frozen=True, kw_only=True):
    """One thing that is wrong: where, what, and the ids of the rows whose captures it costs."""

    kind: Kind
    segment: str
    what: str
    offset: int | None = None
    idents: list[int] = []


class Verdict(Struct, kw_only=True):
    """What was looked at and found. `indexed` are captures that were readable and not in the index, and now are."""

    segments: int = 0
    captures: int = 0
    indexed: int = 0
    rows_made: int = 0
    duplicates: int = 0
    open: int = 0
    deleted: int = 0
    left: int = 0
    findings: list[Finding] = []

    @property
    def sound(self) -> bool:
        """Whether nothing is missing or damaged."""
        return not self.findings


def verify_all(folder: Path, store: Store, *, change: bool = True, seen: Seen = lambda path: None) -> Verdict:
    """Read every segment and compare; with `change`, index what is not indexed. Raises sqlite3.Error and OSError."""
    verdict = Verdict(findings=[Finding(kind="database", segment="", what=what) for what in store.complaints()])
    captures = folder / "captures"
    found = {path.name: path for path in sorted(captures.glob(f"*{SUFFIX}"))}
    gone = _sweep(captures, store, change)
    verdict.deleted = len(gone)
    for name in sorted(store.segments() - found.keys()):
        lost = [ident for ident, _ in store.held(name)]
        verdict.findings.append(Finding(kind="missing", segment=name, what="the file is missing", idents=lost))
    for name, path in found.items():
        seen(path)
        if name not in gone:
            examine(path, store, verdict, change)
    return verdict


def recover(folder: Path, store: Store, seconds: float = BUDGET_SECONDS) -> Verdict:
    """What a start does: look at segments that nobody writes any more, were not looked at since and lack their end.

    The newest come first; once that took more than `seconds`, the rest is left for the next time (`left`). Raises
    sqlite3.Error and OSError.
    """
    deadline = time.monotonic() + seconds
    captures, verdict = folder / "captures", Verdict()
    verdict.deleted = len(_sweep(captures, store, True))
    marks, known = store.marks(), store.segments()
    ended: list[tuple[str, int]] = []
    for path in sorted(captures.glob(f"*{SUFFIX}"), reverse=True):
        if time.monotonic() > deadline:
            verdict.left += marks.get(path.name) is None
            continue
        try:
            size = path.stat().st_size
            if marks.get(path.name, (-1, False))[0] == size or is_open(path):
                continue
            if path.name in known and is_sealed(path):
                ended.append((path.name, size))
                continue
        except OSError:
            continue
        examine(path, store, verdict, True)
    if ended:
        with store.batch() as batch:
            for name, size in ended:
                batch.mark(name, size)
    return verdict


def _sweep(captures: Path, store: Store, change: bool) -> set[str]:
    """Delete what a rewrite that was interrupted left; the names of segments that are to be deleted."""
    gone = {name for name, (_, gone) in store.marks().items() if gone}
    if not change:
        return gone
    for name in gone:
        (captures / name).unlink(missing_ok=True)
    for path in captures.glob(f"*{SUFFIX}{UNFINISHED}"):
        path.unlink(missing_ok=True)
    if gone:
        with store.batch() as batch:
            for name in gone:
                batch.unmark(name)
    return gone


def examine(path: Path, store: Store, verdict: Verdict, change: bool) -> None:
    """Compare one segment with its index entries, and with `change` index what is not indexed, into a verdict."""
    verdict.segments += 1
    try:
        size, held_open = path.stat().st_size, is_open(path)
        # The index before the bytes: what is written meanwhile is then no entry without its capture.
        entries = store.held(path.name)
        data, damage = content(path)
    except OSError as error:
        lost = [ident for ident, _ in store.held(path.name)]
        verdict.findings.append(Finding(kind="unreadable", segment=path.name, what=str(error), idents=lost))
        return
    verdict.open += held_open
    orphans = list(_strangers(path.name, data, entries, verdict, damage))
    if held_open:
        # Its writer may be about to commit them.
        return
    if change:
        _adopt(path.name, orphans, store, verdict, size)
    else:
        verdict.indexed += len(orphans)


def _strangers(
    name: str, data: bytes, entries: list[tuple[int, Place]], verdict: Verdict, damage: str | None
) -> Iterator[tuple[Place, Record]]:
    """Check the entries, and yield the captures that none of them is for."""
    at, lost, sound = 0, [], []
    for ident, place in entries:
        if _is_there(data, place):
            verdict.captures += 1
            sound.append(place)
        else:
            lost.append(ident)
    gaps = []
    for place in sound:
        gaps.append((at, place.offset))
        at = max(at, place.offset + place.size)
    gaps.append((at, len(data)))
    unknown = None
    for start, end in gaps:
        for offset, record in records(data, start, end):
            try:
                decoded = None if record is None else decode(record)
            except RecordError:
                decoded = None
            if record is not None and decoded is not None:
                yield Place(name, offset, len(record), checksum(record)), decoded
            elif unknown is None and (damage is not None or end < len(data)):
                unknown = offset
    if lost or damage is not None or unknown is not None:
        what = f"{len(lost)} captures cannot be read" if lost else "no capture that is known of is lost"
        what += f" (readable up to byte {len(data)} of the records: {damage})" if damage else ""
        verdict.findings.append(Finding(kind="damaged", segment=name, what=what, offset=unknown, idents=lost))


def _is_there(data: bytes, place: Place) -> bool:
    if place.offset < 0 or place.size <= 0 or place.offset + place.size > len(data):
        return False
    try:
        verify(data[place.offset : place.offset + place.size], place.checksum)
    except RecordError:
        return False
    return True


def _adopt(name: str, orphans: list[tuple[Place, Record]], store: Store, verdict: Verdict, size: int) -> None:
    """Index captures in one transaction. A writer holds it from its first byte on, so none of them is under way."""
    with store.batch() as batch:
        taken = {place.offset for _, place in store.held(name)}
        for place, record in orphans:
            if place.offset not in taken:
                _take(batch, store, place, record, verdict)
        batch.mark(name, size)


def _take(batch: Batch, store: Store, place: Place, record: Record, verdict: Verdict) -> None:
    capture = record.capture
    ident = store.find(capture.flow_id, capture.started)
    if ident is None:
        exchange = exchange_of(record)
        if exchange is None:
            what = "a capture that carries no row"
            verdict.findings.append(Finding(kind="unknown", segment=place.segment, offset=place.offset, what=what))
            return
        ident = batch.add(batch.once(exchange))
        verdict.rows_made += 1
    elif store.place(ident) is not None:
        verdict.duplicates += 1
        return
    batch.place(ident, place)
    verdict.indexed += 1
    verdict.captures += 1


def exchange_of(record: Record) -> Exchange | None:
    """The row that a record carries, None where it carries none or another one's."""
    if record.row is None:
        return None
    try:
        exchange = msgspec.convert(record.row, Exchange)
    except msgspec.ValidationError:
        return None
    same = (exchange.flow_id, exchange.started) == (record.capture.flow_id, record.capture.started)
    return exchange if same else None
