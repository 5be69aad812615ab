"""What the page takes at a million rows, and what an open one costs 20 streams: `scripts/bench page [rows] [part]`.

Times are of requests over HTTP, in another process than the server; of each the least and the median of some.
"""

import multiprocessing
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from statistics import median, quantiles
from urllib.parse import parse_qs, urlsplit

from bench_rows import BEGIN, DAY, fill
from click import echo

from harness import Mitm, fetch
from harness.client import Connection, Reply
from harness.mitm import ROOT
from harness.ports import free_port
from harness.rows import MITMETER
from mitmeter.store.sqlite import Store
from provider import Provider

DAYS = 30.0
TIMES = 7
STREAMS = 20
ROUNDS = 4
ASKED = {"model": "m", "max_tokens": 99, "stream": True, "messages": [{"role": "user", "content": "a " * 40}]}
PACE = {"x-pace-first": "50", "x-pace-gap": "10"}
SHOWN = re.compile(r"the page is at (http\S+)")
SPAN = f"start={time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime(BEGIN + (DAYS - 1) * DAY))}"
HALF = f"start={time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime(BEGIN + DAYS / 2 * DAY))}"

FIRST = {
    "the page": "/meter",
    "first page": "/api/metrics/activity?limit=50",
    "last day's stats": f"/api/metrics/stats?{SPAN}",
    "last day's series": f"/api/metrics/series?{SPAN}",
}
LISTS = {
    "newest": "",
    "page 10,001": "page=10001",
    **{f"by {name}": f"sort={name}" for name in ("time", "model", "duration", "generated", "gen_speed", "client")},
    "by duration, page 10,001": "sort=duration&page=10001",
    "a model": "model=model-3",
    "models by pattern": "model=model-1*",
    "errors": "outcome=error",
    "a model's errors": "model=model-3&outcome=error",
    "a provider's complete ones": "provider=openai&outcome=complete",
    "a provider's, by duration": "provider=openai&sort=duration",
    "complete ones, by client": "outcome=complete&sort=client",
    "500 by status": "status=500",
    "last day, by tokens": f"{SPAN}&sort=generated",
    "half of the time": HALF,
    "half of the time, a model, by duration": f"{HALF}&model=model-3&sort=duration",
}
SUMS = {
    "stats, last day": f"stats?{SPAN}",
    "stats, last day, a model": f"stats?{SPAN}&model=model-3",
    "series, last day": f"series?{SPAN}",
    "stats, a model": "stats?model=model-3",
    "stats, a provider": "stats?provider=openai",
    "stats, all": "stats?",
    "series, all": "series?",
    "values": "values?",
}


class Place:
    """Where the page is, on one connection."""

    def __init__(self, url: str) -> None:
        address = urlsplit(url)
        self.port, token = address.port or 0, parse_qs(address.query)["token"][0]
        self.headers = {"Authorization": f"Bearer {token}"}

    def get(self, path: str) -> tuple[float, Reply]:
        """Milliseconds, and the answer."""
        begun = time.perf_counter()
        with Connection(self.port, timeout=120) as connection:
            reply = connection.request("GET", path, self.headers)
        if reply.status != 200:
            raise RuntimeError(f"{path}: {reply.status} {reply.body[:300]!r}")
        return (time.perf_counter() - begun) * 1000, reply


@contextmanager
def served(folder: Path) -> Iterator[Place]:
    command = [sys.executable, "-c", MITMETER, "--dir", str(folder), "serve", "--port", "0"]
    env = os.environ | {"PYTHONPATH": str(ROOT / "addon"), "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            yield Place(process.stdout.readline().strip())
        finally:
            process.terminate()


def report(name: str, taken: list[float]) -> None:
    echo(f"{name:42}{min(taken):9.1f} ms least {median(taken):9.1f} ms median")


def measure(place: Place, name: str, path: str) -> None:
    # Another parameter each time: an answer that was dear would be given again.
    sign = "&" if "?" in path else "?"
    report(name, [place.get(f"{path}{sign}n={turn}")[0] for turn in range(TIMES)])


def rows(folder: Path) -> None:
    with served(folder) as place:
        echo("the first requests, at once:")
        threads = [threading.Thread(target=lambda one=one: report(one, [place.get(FIRST[one])[0]])) for one in FIRST]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        report("the first sort, for which all is read", [place.get("/api/metrics/activity?sort=duration")[0]])
        echo("from then on:")
        for name, query in LISTS.items():
            measure(place, name, f"/api/metrics/activity?{query}")
        for name, query in SUMS.items():
            measure(place, name, f"/api/metrics/{query}")


def gaps(port: int) -> list[float]:
    """Milliseconds between the chunks of streams side by side."""
    found: list[float] = []

    def stream() -> None:
        arrivals = fetch(port, "/v1/messages", ASKED, PACE).arrivals_ms
        found.extend(later - earlier for earlier, later in pairwise(arrivals))

    threads = [threading.Thread(target=stream) for _ in range(STREAMS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def watch(place: Place) -> None:
    """A page that is open, for ever: it listens, and asks anew for its rows and sums each second."""

    def listen() -> None:
        with Connection(place.port, timeout=3600) as connection:
            connection.request("GET", "/api/events", place.headers)

    threading.Thread(target=listen, daemon=True).start()
    while True:
        for path in ("activity?limit=50", "activity?sort=duration", f"stats?{SPAN}"):
            place.get(f"/api/metrics/{path}")
        time.sleep(1.0)


@contextmanager
def watching(place: Place) -> Iterator[None]:
    # In a process of its own: this one measures.
    process = multiprocessing.get_context("spawn").Process(target=watch, args=(place,), daemon=True)
    process.start()
    time.sleep(2.0)
    try:
        yield
    finally:
        process.terminate()
        process.join()


def streams(folder: Path, scratch: Path) -> None:
    options = {"meter_port": str(free_port())}
    with Provider() as upstream, Mitm(upstream.url, scratch, options=options, meter_dir=folder) as proxy:
        while not (shown := SHOWN.search(proxy.output)):
            time.sleep(0.1)
        place = Place(shown[1])
        alone, seen = list[float](), list[float]()
        gaps(proxy.port)
        place.get("/api/metrics/activity?sort=duration")
        for _ in range(ROUNDS):
            alone += gaps(proxy.port)
            with watching(place):
                seen += gaps(proxy.port)
        for name, found in (("alone", alone), ("with the page open", seen)):
            at = quantiles(found, n=100)
            echo(
                f"gaps of {STREAMS} streams, {name:20} p50 {at[49]:6.2f} ms  p95 {at[94]:6.2f} ms  p99 {at[98]:6.2f} ms"
            )


def main() -> None:
    number = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    parts = set(sys.argv[2:]) or {"rows", "streams"}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(os.environ.get("BENCH_DIR") or Path(scratch) / "meter")
        if not (folder / "meter.db").exists():
            folder.mkdir(mode=0o700)
            with Store(folder / "meter.db") as store:
                fill(store, number, DAYS)
        if "rows" in parts:
            rows(folder)
        if "streams" in parts:
            streams(folder, Path(scratch) / "proxy")


if __name__ == "__main__":
    main()
