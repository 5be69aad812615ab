"""An addon for `bench proxy --profile`: samples where our own time goes, and times each hook of ours and each tee.

Loaded after the meter. At the end it prints both. The time of a hook is the event loop's, waits for the GIL included.
"""

import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from types import FrameType
from typing import Any

from mitmproxy import ctx

HOOKS = ("requestheaders", "responseheaders", "response", "error")
SAMPLE_SECONDS = 0.001
MARK = "/mitmeter/"


class Profile:
    """Samples of all threads, and the hooks' times in microseconds."""

    def __init__(self) -> None:
        self.own: Counter[str] = Counter()
        self.within: Counter[str] = Counter()
        self.samples: Counter[str] = Counter()
        self.times: defaultdict[str, list[float]] = defaultdict(list)
        self.names: dict[int | None, str] = {}

    def running(self) -> None:
        meter: Any = ctx.master.addons.lookup["meter"]
        for name in HOOKS:
            setattr(meter, name, self.timed(name, getattr(meter, name)))
        threading.Thread(target=self.sample, daemon=True).start()

    def timed(self, name: str, hook: Callable[..., Any]) -> Callable[..., Any]:
        times, clock = self.times[name], time.perf_counter_ns

        def call(*given: Any) -> Any:
            started = clock()
            try:
                return hook(*given)
            finally:
                times.append((clock() - started) / 1000)
                flow = given[0]
                if name == "responseheaders" and callable(flow.response.stream):
                    flow.response.stream = self.timed("tee", flow.response.stream)

        return call

    def sample(self) -> None:
        me = threading.get_ident()
        while True:
            time.sleep(SAMPLE_SECONDS)
            for ident, frame in sys._current_frames().items():
                if ident != me:
                    self.take(ident, frame)

    def take(self, ident: int, top: FrameType) -> None:
        if ident not in self.names:
            self.names |= {thread.ident: thread.name for thread in threading.enumerate()}
        name = self.names.get(ident, "?")
        self.samples[name] += 1
        seen: set[str] = set()
        frame: FrameType | None = top
        while frame is not None:
            if MARK in frame.f_code.co_filename:
                place = f"{frame.f_code.co_filename.rpartition(MARK)[2]}:{frame.f_code.co_qualname}:{frame.f_lineno}"
                if not seen:
                    self.own[f"{name:11}{place}"] += 1
                seen.add(f"{name:11}{place.rpartition(':')[0]}")
            frame = frame.f_back
        self.within.update(seen)

    def done(self) -> None:
        say = sys.stdout.write
        say(f"samples: {dict(self.samples)}\n")
        for title, counter in (("innermost line of ours", self.own), ("within", self.within)):
            say(f"{title}:\n")
            for place, number in counter.most_common(45):
                say(f"  {number:6} {place}\n")
        say("hooks, us: number, median, p90, p99, most\n")
        for name, times in self.times.items():
            if times:
                times.sort()
                shown = [times[int(len(times) * share)] for share in (0.5, 0.9, 0.99)] + [times[-1]]
                say(f"  {name:16}{len(times):8}" + "".join(f"{value:10.1f}" for value in shown) + "\n")
        sys.stdout.flush()


addons = [Profile()]
