"""An addon for `bench proxy`, loaded after the meter: how long each hook of ours takes, and each call of a tee.

Beside the wall clock stands the event loop's own CPU time: another thread or process that runs meanwhile is not in it.
"""

import sys
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from mitmproxy import ctx

NAMES = ("requestheaders", "responseheaders", "response", "error")
BAR_US = 50.0


class Hooks:
    """The times of each, in microseconds: (wall, CPU)."""

    def __init__(self) -> None:
        self.times: defaultdict[str, list[tuple[float, float]]] = defaultdict(list)

    def running(self) -> None:
        meter: Any = ctx.master.addons.lookup["meter"]
        for name in NAMES:
            setattr(meter, name, self.timed(name, getattr(meter, name)))

    def timed(self, name: str, hook: Callable[..., Any]) -> Callable[..., Any]:
        times, wall, cpu = self.times[name], time.perf_counter_ns, time.thread_time_ns

        def call(*given: Any) -> Any:
            used, started = cpu(), wall()
            told = hook(*given)
            ended = wall()
            times.append(((ended - started) / 1000, (cpu() - used) / 1000))
            if name == "responseheaders" and callable(given[0].response.stream):
                given[0].response.stream = self.timed("tee", given[0].response.stream)
            return told

        return call

    def done(self) -> None:
        sys.stdout.write("hooks, us\n")
        for name, times in self.times.items():
            if times:
                walls, cpus = (sorted(values) for values in zip(*times, strict=True))
                shown = f"wall {told(walls)}   CPU {told(cpus)}"
                late = at(walls, 0.99)
                verdict = f"p99 bar {BAR_US:.0f}: {'holds' if late <= BAR_US else 'DOES NOT HOLD'}"
                sys.stdout.write(f"  {name:16}{len(times):7}  {shown}  {verdict}\n")
        sys.stdout.flush()


def at(values: list[float], share: float) -> float:
    return values[min(len(values) - 1, int(len(values) * share))]


def told(values: list[float]) -> str:
    return f"median {at(values, 0.5):5.1f} p90 {at(values, 0.9):5.1f} p99 {at(values, 0.99):6.1f}"


addons = [Hooks()]
