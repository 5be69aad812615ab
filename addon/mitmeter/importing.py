"""Traffic that was recorded before, brought into a meter_dir."""

import time
from collections.abc import Callable, Iterable
from pathlib import Path

from msgspec import Struct

from mitmeter import flows
from mitmeter.recorder import Limits
from mitmeter.shelf import Item, Shelf, private_folder, secret_of

TOGETHER = 50


class Imported(Struct, kw_only=True):
    """What an import came to: rows added, exchanges that were here already, flows that no dialect reads."""

    added: int = 0
    known: int = 0
    other: int = 0


def bring_in(folder: Path, files: Iterable[Path], seen: Callable[[], None] = lambda: None) -> Imported:
    """Meter the flows of mitmproxy flow files and HAR logs into a meter_dir; `seen` is called for each flow.

    A flow that is there already, by its id and start, is not added again. Raises OSError, and flows.Unreadable after
    everything before the damage has been kept.
    """
    private_folder(folder)
    secret, limits, told = secret_of(folder), Limits(), Imported()
    with Shelf(folder) as shelf:
        for path in files:
            fresh: dict[tuple[str, float], Item] = {}
            try:
                for flow in flows.recorded(path):
                    seen()
                    reader, key = flows.match(flow), (flow.id, flow.request.timestamp_start)
                    if reader is None:
                        told.other += 1
                    elif key in fresh or shelf.store.find(*key) is not None:
                        told.known += 1
                    else:
                        fresh[key] = flows.replayed(flow, reader, limits, secret)
                    if len(fresh) == TOGETHER:
                        told.added += _keep(shelf, fresh)
            finally:
                told.added += _keep(shelf, fresh)
    return told


def _keep(shelf: Shelf, fresh: dict[tuple[str, float], Item]) -> int:
    kept = len(fresh)
    if fresh:
        shelf.write(fresh.values(), time.time(), {})
        fresh.clear()
    return kept
