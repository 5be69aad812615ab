"""What the addon costs mitmproxy, in ratios to mitmdump with `stream=True` in the same run, rounds interleaved.

`scripts/bench proxy [--quick] [--profile] [--rounds N] [CASE…]`. The proxy runs on one core; upstream and clients,
processes of their own, on another. CPU is that of the whole mitmdump process, with what its threads do after the load.
"""

import argparse
import asyncio
import json
import os
import signal
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from itertools import cycle
from pathlib import Path

from bench_proxy_load import Seen, plain, second

from harness.mitm import ADDON
from harness.ports import free_port

HERE = Path(__file__).parent
WAYS = ("direct", "bare", "stream", "meter")
CORES = sorted(os.sched_getaffinity(0))
STREAM_ALL = "def responseheaders(flow):\n    flow.response.stream = True\n"


@dataclass(frozen=True)
class Case:
    """A load: `number` requests of `size` bytes over `connections`; the bar is for CPU against `stream`."""

    what: str
    number: int
    connections: int = 1
    size: int = 300
    fresh: bool = False
    chunks: int = 0
    http2: bool = False
    bar: float | None = None
    ways: tuple[str, ...] = WAYS
    quick: tuple[str, int] | None = None
    rounds: int | None = None


BIG = 512 << 20
CASES = {
    "json-1": Case("json", 400, 1, bar=1.25, quick=("json", 200)),
    "json-16": Case("json", 800, 16, bar=1.25, quick=("json", 300)),
    "sse-100": Case("sse 100", 200, 4, chunks=100, bar=1.40, quick=("sse 100", 80)),
    "sse-paced": Case("paced 300 10 50", 20, 20, chunks=300, quick=("paced 100 10 50", 20)),
    "sse-flat": Case("sse 2000", 20, 10, chunks=2000, quick=("sse 2000", 8)),
    "gzip": Case("gzip 100", 200, 4, chunks=100, quick=("gzip 100", 60)),
    "zstd": Case("zstd 100", 200, 4, chunks=100, quick=("zstd 100", 60)),
    "http2-100": Case("sse 100", 100, 1, chunks=100, http2=True, ways=WAYS[1:], quick=("sse 100", 30)),
    "200kB": Case("json", 150, 2, 200_000, bar=1.50, quick=("json", 60)),
    "200kB-fresh": Case("json", 150, 2, 200_000, fresh=True, bar=1.50, quick=("json", 60)),
    "2MB": Case("json", 30, 2, 2_000_000, bar=2.2, quick=("json", 10)),
    "2MB-fresh": Case("json", 30, 2, 2_000_000, fresh=True, bar=2.2, quick=("json", 10)),
    "body-512MB": Case(f"bytes {BIG}", 1, quick=(f"bytes {BIG >> 3}", 1)),
    "json-10000": Case("json", 10_000, 16, rounds=2, ways=WAYS[2:], quick=("json", 1000)),
    "open-500": Case("paced 5 600 100", 500, 500, chunks=5, quick=("paced 2 600 100", 500)),
}


def bodies(size: int, fresh: bool) -> Iterator[bytes]:
    """Chat requests: a history that is resent with a new turn, or source text that was never seen before."""
    text, made = source(18 * size if fresh else size), []
    for number in range(18):
        part = text[number * size :][:size] if fresh else text
        spans = range(0, size - size // 30, 2500) if size > 2500 else ()
        turns = [{"role": ("user", "assistant")[at % 2], "content": part[at:][:2400]} for at in spans]
        asked = {"model": "gpt-4o", "stream": True, "messages": [*turns, {"role": "user", "content": f"turn {number}"}]}
        made.append(json.dumps(asked, separators=(",", ":")).encode())
    return cycle(made)


@cache
def source(size: int) -> str:
    """Text as agents send it: the standard library's and the installed packages'."""
    parts: list[str] = []
    for folder in sysconfig.get_path("stdlib"), sysconfig.get_path("purelib"):
        for path in sorted(Path(folder).rglob("*.py")):
            parts.append(path.read_text(encoding="utf-8", errors="replace"))
            size -= len(parts[-1])
            if size <= 0:
                return "".join(parts)
    raise RuntimeError("there is not that much text here")


@dataclass
class Figures:
    """One case and one way: a value for each round."""

    cpu: list[float] = field(default_factory=list)
    first: list[float] = field(default_factory=list)
    delay: list[float] = field(default_factory=list)
    late: list[float] = field(default_factory=list)
    speed: list[float] = field(default_factory=list)
    rss: list[float] = field(default_factory=list)
    grown: list[float] = field(default_factory=list)


class Process:
    """A process that is pinned to a core, and what it has used."""

    def __init__(self, command: list[str], core: int, log: Path) -> None:
        here = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {core})
        try:
            with log.open("wb") as file:
                self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=file, stderr=file)
        finally:
            os.sched_setaffinity(0, here)
        self._clock = (~self._process.pid << 3) | 2  # clock_getcpuclockid(3): all threads, user and system

    def cpu(self) -> float:
        return time.clock_gettime(self._clock)

    def settled(self) -> float:
        """CPU seconds once it has nothing left to do."""
        before, calm = self.cpu(), 0
        for _ in range(200):
            time.sleep(0.06)
            now = self.cpu()
            calm = calm + 1 if now - before < 0.0005 else 0
            before = now
            if calm == 3:
                break
        return before

    def rss(self) -> float:
        told = Path(f"/proc/{self._process.pid}/status").read_text(encoding="ascii")
        return int(told.partition("VmRSS:")[2].split()[0]) / 1024

    def peak(self, reset: bool = False) -> float:
        """The highest RSS since the last reset, MB."""
        if reset:
            Path(f"/proc/{self._process.pid}/clear_refs").write_text("5", encoding="ascii")
        told = Path(f"/proc/{self._process.pid}/status").read_text(encoding="ascii")
        return int(told.partition("VmHWM:")[2].split()[0]) / 1024

    def stop(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(15)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(10)


class Bench:
    """The upstream and three proxies."""

    def __init__(self, folder: Path, profile: bool) -> None:
        self.processes: dict[str, Process] = {}
        self.ports: dict[str, int] = {}
        log = folder / "upstream.log"
        self.processes["upstream"] = Process([sys.executable, str(HERE / "bench_proxy_upstream.py")], CORES[-1], log)
        while not log.read_text(encoding="ascii").endswith("\n"):
            time.sleep(0.01)
        self.ports["direct"] = int(log.read_text(encoding="ascii"))
        scripts = {"bare": None, "stream": folder / "stream.py", "meter": ADDON}
        (folder / "stream.py").write_text(STREAM_ALL, encoding="ascii")
        for way, script in scripts.items():
            port = free_port()
            command = [str(Path(sys.executable).parent / "mitmdump"), "-q", "--set", f"confdir={folder / way}"]
            command += ["--mode", f"reverse:http://127.0.0.1:{self.ports['direct']}", "--listen-host", "127.0.0.1"]
            command += ["--listen-port", str(port), *(["-s", str(script)] if script else [])]
            if profile and way == "meter":
                command += ["-s", str(HERE / "bench_proxy_profile.py")]
            self.processes[way] = Process(command, CORES[0], folder / f"{way}.log")
            self.ports[way] = port

    def warm(self) -> None:
        for way in WAYS:
            for what in ("json", "sse 100", "gzip 10", "zstd 10"):
                for _ in range(100):
                    try:
                        asyncio.run(plain(self.ports[way], what, bodies(300, False), 20, 2))
                        break
                    except OSError:
                        time.sleep(0.1)

    def run(self, way: str, case: Case, quick: bool) -> tuple[Seen, float, float, float]:
        """Runs one load; returns what was seen, and of the proxy CPU seconds, growth of RSS and the most RSS, MB."""
        what, number = case.quick if quick and case.quick else (case.what, case.number)
        texts = bodies(case.size, case.fresh)
        port, proxy = self.ports[way], self.processes.get(way)
        before, small = (proxy.cpu(), proxy.rss()) if proxy else (0.0, 0.0)
        if proxy:
            proxy.peak(reset=True)
        work = second(port, what, texts, number) if case.http2 else plain(port, what, texts, number, case.connections)
        seen = asyncio.run(work)
        return (seen, proxy.settled() - before, proxy.rss() - small, proxy.peak()) if proxy else (seen, 0.0, 0.0, 0.0)

    def stop(self) -> None:
        for process in reversed(self.processes.values()):
            process.stop()


def at(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))] if values else 0.0


def note(figures: Figures, case: Case, run: tuple[Seen, float, float, float]) -> None:
    seen, cpu, grown, peak = run
    figures.grown.append(grown)
    figures.cpu.append(cpu / seen.requests * 1e6)
    figures.first.append(at(seen.first, 0.5) * 1e3)
    figures.delay.append(at(seen.delays, 0.5) * 1e3)
    figures.late.append(at(seen.delays, 0.99) * 1e3)
    figures.speed.append(seen.body / 1e6 / sum(seen.took) * case.connections)
    figures.rss.append(peak)


def ratio(ours: list[float], theirs: list[float]) -> str:
    """The median of the rounds' ratios, with the lowest and the highest."""
    rounds = [one / other for one, other in zip(ours, theirs, strict=True) if other]
    return f"{statistics.median(rounds):5.2f} [{min(rounds):4.2f}…{max(rounds):4.2f}]" if rounds else "  -"


def told(name: str, case: Case, quick: bool, by_way: dict[str, Figures]) -> None:
    """Prints a case: the figures of each way, then ratios of `meter` to `stream`."""
    median = statistics.median
    out = sys.stdout.write
    out(f"{name}\n")
    for way, of in by_way.items():
        cpu = f"{median(of.cpu):9.0f} us CPU/request" if way != "direct" else f"{'':24}"
        delays = f"  chunk delay {median(of.delay):6.3f} ms, p99 {median(of.late):7.3f}" if any(of.delay) else ""
        speed = f"  {median(of.speed):6.0f} MB/s" if "bytes" in case.what else ""
        rss = f"  RSS at most {max(of.rss):5.0f} MB, {of.grown[-1]:+.1f} in the last round" if way != "direct" else ""
        out(f"  {way:7}{cpu}  first byte {median(of.first):8.3f} ms{delays}{speed}{rss}\n")
    ours, theirs = by_way["meter"], by_way["stream"]
    bar = "" if case.bar is None else f" (bar {case.bar:.2f}: {'met' if met(ours, theirs, case.bar) else 'NOT MET'})"
    line = f"  = CPU {ratio(ours.cpu, theirs.cpu)}{bar}  first byte {ratio(ours.first, theirs.first)}"
    if any(ours.delay):
        line += f"  chunk delay {ratio(ours.delay, theirs.delay)}, p99 {ratio(ours.late, theirs.late)}"
    if case.chunks:
        chunks = int((case.quick if quick and case.quick else (case.what,))[0].split()[1])
        more = [(one - other) / chunks for one, other in zip(ours.cpu, theirs.cpu, strict=True)]
        line += f"  {median(more):.2f} us/chunk more [{min(more):.2f}…{max(more):.2f}]"
    out(line + "\n")
    sys.stdout.flush()


def met(ours: Figures, theirs: Figures, bar: float) -> bool:
    return statistics.median(one / other for one, other in zip(ours.cpu, theirs.cpu, strict=True)) <= bar


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/bench proxy", description=__doc__)
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"of {', '.join(CASES)} (default: all)")
    parser.add_argument("--quick", action="store_true", help="small loads, within a minute")
    parser.add_argument("--profile", action="store_true", help="print where our own time goes")
    parser.add_argument("--rounds", type=int, help="(default: 5, with --quick 2)")
    given = parser.parse_args()
    rounds = given.rounds or (2 if given.quick else 5)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    os.sched_setaffinity(0, {CORES[-1]})
    sys.stdout.write(f"load average {os.getloadavg()[0]:.2f}, {len(CORES)} cores, {rounds} rounds\n")
    with tempfile.TemporaryDirectory(prefix="mitmeter-bench-") as folder:
        bench = Bench(Path(folder), given.profile)
        try:
            bench.warm()
            for name in given.cases or CASES:
                case = CASES[name]
                by_way: dict[str, Figures] = {way: Figures() for way in case.ways if not case.http2 or way != "direct"}
                for turn in range(min(rounds, case.rounds or rounds)):
                    ways = list(by_way)
                    for way in ways[turn % len(ways) :] + ways[: turn % len(ways)]:
                        note(by_way[way], case, bench.run(way, case, given.quick))
                told(name, case, given.quick, by_way)
        finally:
            bench.stop()
            if given.profile:
                sys.stdout.write((Path(folder) / "meter.log").read_text(encoding="utf-8"))
    sys.stdout.write(f"load average {os.getloadavg()[0]:.2f}\n")


if __name__ == "__main__":
    main()
