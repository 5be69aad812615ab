"""What outlives a hot reload: mitmproxy makes a new addon out of the script, but never imports our modules again."""

import asyncio
import atexit
import time
from collections.abc import Callable

from mitmproxy import ctx, http

from mitmeter import flows
from mitmeter.exchange import Outcome
from mitmeter.live import Ending
from mitmeter.roster import Roster
from mitmeter.tee import Watched
from mitmeter.worker import Worker

GRACE_SECONDS = 5.0

type Finish = Callable[[Worker, Roster], None]

_parked: list[tuple[Worker, Roster, Finish]] = []


def coming() -> bool:
    """Say whether an addon that is done makes room for its successor: the proxy goes on, and scripts are loaded."""
    stopping = getattr(ctx.master, "should_exit", None)
    return bool(getattr(ctx.options, "scripts", ())) and stopping is not None and not stopping.is_set()


def park(worker: Worker, watched: Roster, finish: Finish) -> None:
    """Keep a worker and its open exchanges for the successor; `finish` them where none comes."""
    _parked.append((worker, watched, finish))
    asyncio.get_running_loop().call_later(GRACE_SECONDS, _give_up)


def resume() -> tuple[Worker, Roster] | None:
    """Return what a predecessor has left."""
    return _parked.pop()[:2] if _parked else None


@atexit.register
def _give_up() -> None:
    while _parked:
        worker, watched, finish = _parked.pop()
        finish(worker, watched)


def cut(worker: Worker, watched: Roster, begin: Callable[[http.HTTPFlow, Watched], object], cause: str) -> None:
    """End every open exchange as cut."""
    for flow, known in list(watched.items()):
        if known.live is None:
            begin(flow, known)
        assert known.live is not None
        flows.fill(flow, known.kept)
        worker.end(known.live, Ending(outcome=Outcome.CLIENT_ABORTED, at=time.perf_counter(), cause=cause))
    watched.clear()
