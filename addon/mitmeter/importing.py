"""Traffic that was recorded before, brought into a meter_dir."""

import time
from collections.abc import Callable, Iterable
from itertools import batched
from pathlib import Path

from msgspec import Struct

from mitmeter import flows
from mitmeter.recorder import Limits
from mitmeter.shelf import Shelf, private_folder, secret_of

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
            for together in batched(flows.recorded(path), TOGETHER):
                items = []
                for flow in together:
                    seen()
                    reader = flows.match(flow)
                    if reader is None:
                        told.other += 1
                    elif shelf.store.find(flow.id, flow.request.timestamp_start) is not None:
                        told.known += 1
                    else:
                        items.append(flows.replayed(flow, reader, limits, secret))
                shelf.write(items, time.time(), {})
                told.added += len(items)
    return told
