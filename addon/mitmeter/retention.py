"""What goes from the archive: the oldest segments beyond a limit, and single captures, for good.

A segment that loses some of its captures is written anew without them. The index changes in one transaction, in which
the old file is marked as gone: a start after a crash deletes it, and never takes its captures for lost ones.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path

from msgspec import Struct

from mitmeter.archive.content import sync
from mitmeter.archive.rewrite import UNFINISHED, rewrite
from mitmeter.archive.segments import SUFFIX, is_open
from mitmeter.exchange import Place
from mitmeter.recovery import Verdict, examine
from mitmeter.store.sqlite import Store

DAY_SECONDS = 86_400

type Seen = Callable[[str], None]


class Pruned(Struct, kw_only=True):
    """What went: captures, rows, bytes on disk; captures that stay since a living writer holds their segment.

    `unreadable` are captures that could not be read, lay in a segment that was written anew, and went with it.
    """

    captures: int = 0
    rows: int = 0
    freed_bytes: int = 0
    unreadable: int = 0
    held: list[str] = []
    held_captures: int = 0


def trim(folder: Path, store: Store, now: float, limit_bytes: int, days: float | None) -> list[str]:
    """Delete the oldest segments beyond a size or an age, but none that a writer has open; rows stay.

    `now` is epoch seconds. Returns the names of what is gone; raises sqlite3.Error and OSError.
    """
    found = [(path, path.stat()) for path in sorted((folder / "captures").glob(f"*{SUFFIX}"))]
    excess = sum(status.st_size for _, status in found) - limit_bytes
    gone: list[str] = []
    for path, status in found:
        aged = days is not None and now - status.st_mtime > days * DAY_SECONDS
        if (excess <= 0 and not aged) or is_open(path):
            continue
        with store.batch() as batch:
            batch.forget(path.name)
            batch.mark(path.name, status.st_size, gone=True)
        _unlink(path, store)
        excess -= status.st_size
        gone.append(path.name)
    return gone


def prune(
    folder: Path, store: Store, idents: Iterable[int], *, rows: bool, dry: bool = False, seen: Seen = lambda name: None
) -> Pruned:
    """Delete the captures of these rows for good, and with `rows` the rows; those that a living writer holds stay.

    With `dry` nothing changes, and what would is counted. Raises sqlite3.Error and OSError.
    """
    told, wanted = Pruned(), set(idents)
    told.held = []
    by_segment: defaultdict[str, list[tuple[int, Place]]] = defaultdict(list)
    for ident, place in store.places():
        if ident in wanted:
            by_segment[place.segment].append((ident, place))
    for name, chosen in sorted(by_segment.items()):
        seen(name)
        path = folder / "captures" / name
        if path.exists() and is_open(path):
            told.held.append(name)
            told.held_captures += len(chosen)
            wanted -= {ident for ident, _ in chosen}
            continue
        told.captures += len(chosen)
        if not dry:
            _without(path, store, {ident for ident, _ in chosen}, told)
    told.rows = len(wanted) if rows else 0
    if rows and not dry:
        with store.batch() as batch:
            batch.delete(wanted)
    if not dry:
        store.scrub()
    return told


def _without(path: Path, store: Store, idents: set[int], told: Pruned) -> None:
    """Take the captures of these rows out of a segment that nobody writes."""
    if not path.exists():
        with store.batch() as batch:
            batch.release(idents)
        return
    # Captures in it that the index does not know are not to go with it.
    examine(path, store, Verdict(), True)
    before = path.stat().st_size
    kept = [(ident, place) for ident, place in store.held(path.name) if ident not in idents]
    fresh, moved = rewrite(path.parent, path.name, [place for _, place in kept]) if kept else (None, {})
    with store.batch() as batch:
        batch.forget(path.name)
        for ident, place in kept:
            if place.offset in moved:
                batch.place(ident, moved[place.offset])
        batch.mark(path.name, before, gone=True)
        if fresh is not None:
            named = fresh.with_name(fresh.name.removesuffix(UNFINISHED))
            batch.mark(named.name, fresh.stat().st_size)
            fresh.rename(named)
            sync(path.parent)
            told.freed_bytes -= named.stat().st_size
    told.unreadable += len(kept) - len(moved)
    told.freed_bytes += before
    _unlink(path, store)


def _unlink(path: Path, store: Store) -> None:
    path.unlink(missing_ok=True)
    with store.batch() as batch:
        batch.unmark(path.name)
