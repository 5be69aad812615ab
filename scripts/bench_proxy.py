"""What the addon costs mitmproxy, in ratios to mitmdump with `stream=True` in the same run, rounds interleaved.

`scripts/bench proxy [--quick] [--profile] [--rounds N] [CASE…]`. The proxy runs on one core; upstream and clients,
processes of their own, on another. CPU is that of the whole mitmdump process, with what its threads do after the load.
Each bar of DESIGN is printed with the median of the rounds' ratios, their spread, and whether it holds. Where clients
ask without a pause the proxy's core is busy all the time, and the first byte then waits for CPU, not for the tee: there
it has no bar. A small document is left to mitmproxy, which holds it until it is whole: its first byte has its bar
against mitmdump without anything, and stands beside it against `stream=True`.
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
from dataclasses import dataclass, field, replace
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
    """A load: `number` requests of `size` bytes over `connections`, each after `pause` seconds.

    Bars are against `stream`: `cpu`, `first` byte and chunk `delay` as ratios, `chunk_us` of CPU more for each chunk;
    `held` is that of the first byte against `bare`.
    """

    what: str
    number: int
    connections: int = 1
    size: int = 300
    fresh: bool = False
    chunks: int = 0
    http2: bool = False
    pause: float = 0.0
    cpu: float | None = None
    first: float | None = None
    held: float | None = None
    delay: float | None = None
    chunk_us: float | None = None
    ways: tuple[str, ...] = WAYS
    quick: tuple[str, int] | None = None


# On a machine that others share CPU differs by a fifth from round to round: cases with a bar on it take more of them.
MORE = 3
BIG = 512 << 20
SOON = 1.05
CASES = {
    "json-1": Case("json", 400, 1, cpu=1.25, quick=("json", 200)),
    "json-16": Case("json", 800, 16, cpu=1.25, quick=("json", 300)),
    "json-paced": Case("json", 150, 1, pause=0.03, held=SOON, quick=("json", 60)),
    "sse-100": Case("sse 100", 200, 4, chunks=100, cpu=1.40, quick=("sse 100", 80)),
    "sse-1-paced": Case("paced 100 10 30", 3, 1, chunks=100, first=SOON, delay=SOON, quick=("paced 100 10 30", 2)),
    "sse-20-paced": Case("paced 300 10 50", 20, 20, chunks=300, first=SOON, delay=SOON, quick=("paced 100 10 50", 20)),
    "sse-flat": Case("sse 2000", 20, 10, chunks=2000, chunk_us=5.0, quick=("sse 2000", 8)),
    "gzip": Case("gzip 100", 200, 4, chunks=100, quick=("gzip 100", 60)),
    "zstd": Case("zstd 100", 200, 4, chunks=100, quick=("zstd 100", 60)),
    "http2-100": Case("sse 100", 100, 1, chunks=100, http2=True, ways=WAYS[1:], quick=("sse 100", 30)),
    "200kB": Case("json", 150, 2, 200_000, cpu=1.50, quick=("json", 60)),
    "200kB-fresh": Case("json", 150, 2, 200_000, fresh=True, cpu=1.50, quick=("json", 60)),
    "2MB": Case("json", 30, 2, 2_000_000, cpu=2.2, quick=("json", 10)),
    "2MB-fresh": Case("json", 30, 2, 2_000_000, fresh=True, cpu=2.2, quick=("json", 10)),
    "body-512MB": Case(f"bytes {BIG}", 1, quick=(f"bytes {BIG >> 3}", 1)),
    "open-500": Case("paced 5 600 100", 500, 500, chunks=5, quick=("paced 2 600 100", 500)),
}
CURVE = Case("json", 1000, 16, ways=WAYS[2:])
CURVE_STEPS, FLAT_MB = 10, 3.0
HOOKS = (Case("json", 800, 16), Case("sse 100", 200, 4), Case("sse 4000", 10, 2), Case("json", 40, 2, 1_000_000))


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

    def time_hooks(self, folder: Path, quick: bool) -> None:
        """Prints how long each hook takes, measured in a proxy of its own."""
        port = free_port()
        command = [str(Path(sys.executable).parent / "mitmdump"), "-q", "--set", f"confdir={folder / 'hooks'}"]
        command += ["--mode", f"reverse:http://127.0.0.1:{self.ports['direct']}", "--listen-host", "127.0.0.1"]
        command += ["--listen-port", str(port), "-s", str(ADDON), "-s", str(HERE / "bench_proxy_hooks.py")]
        self.processes["hooks"], self.ports["hooks"] = Process(command, CORES[0], folder / "hooks.log"), port
        self.warm(("hooks",))
        for case in HOOKS:
            self.run("hooks", replace(case, number=case.number // 4) if quick else case, False)
        self.processes["hooks"].stop()
        sys.stdout.write((folder / "hooks.log").read_text(encoding="utf-8"))

    def warm(self, ways: tuple[str, ...] = WAYS) -> None:
        for way in ways:
            for what in ("json", "sse 100", "gzip 10", "zstd 10"):
                for _ in range(100):
                    try:
                        asyncio.run(plain(self.ports[way], what, bodies(300, False), 20, 2))
                        break
                    except OSError:
                        time.sleep(0.1)

    def run(self, way: str, case: Case, quick: bool) -> tuple[Seen, float, float]:
        """Runs one load; returns what was seen, and of the proxy CPU seconds and the most RSS, MB."""
        what, number = case.quick if quick and case.quick else (case.what, case.number)
        texts = bodies(case.size, case.fresh)
        port, proxy = self.ports[way], self.processes.get(way)
        before = proxy.cpu() if proxy else 0.0
        if proxy:
            proxy.peak(reset=True)
        if case.http2:
            seen = asyncio.run(second(port, what, texts, number))
        else:
            seen = asyncio.run(plain(port, what, texts, number, case.connections, case.pause))
        return (seen, proxy.settled() - before, proxy.peak()) if proxy else (seen, 0.0, 0.0)

    def stop(self) -> None:
        for process in reversed(self.processes.values()):
            process.stop()


def at(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))] if values else 0.0


def note(figures: Figures, case: Case, run: tuple[Seen, float, float]) -> None:
    seen, cpu, peak = run
    figures.cpu.append(cpu / seen.requests * 1e6)
    figures.first.append(at(seen.first, 0.5) * 1e3)
    figures.delay.append(at(seen.delays, 0.5) * 1e3)
    figures.late.append(at(seen.delays, 0.99) * 1e3)
    figures.speed.append(seen.body / 1e6 / sum(seen.took) * case.connections)
    figures.rss.append(peak)


def told(name: str, case: Case, quick: bool, by_way: dict[str, Figures]) -> None:
    """Prints a case: the figures of each way, then what is held against a bar, and the rest in one line."""
    median = statistics.median
    out = sys.stdout.write
    out(f"{name}\n")
    for way, of in by_way.items():
        cpu = f"{median(of.cpu):9.0f} us CPU/request" if way != "direct" else f"{'':24}"
        delays = f"  chunk delay {median(of.delay):6.3f} ms, p99 {median(of.late):7.3f}" if any(of.delay) else ""
        speed = f"  {median(of.speed):6.0f} MB/s" if "bytes" in case.what else ""
        rss = f"  RSS at most {max(of.rss):5.0f} MB" if way != "direct" else ""
        out(f"  {way:7}{cpu}  first byte {median(of.first):8.3f} ms{delays}{speed}{rss}\n")
    ours, theirs = by_way["meter"], by_way["stream"]
    shown = [
        ("CPU", ratios(ours.cpu, theirs.cpu), case.cpu),
        ("first byte", ratios(ours.first, theirs.first), case.first),
    ]
    if case.held is not None:
        shown.append(("first byte to bare", ratios(ours.first, by_way["bare"].first), case.held))
    if any(ours.delay):
        shown.append(("chunk delay", ratios(ours.delay, theirs.delay), case.delay))
        shown.append(("chunk delay p99", ratios(ours.late, theirs.late), None))
    if case.chunks:
        chunks = int((case.quick if quick and case.quick else (case.what,))[0].split()[1])
        more = [(one - other) / chunks for one, other in zip(ours.cpu, theirs.cpu, strict=True)]
        shown.append(("us CPU more a chunk", more, case.chunk_us))
    for what, values, bar in shown:
        out(f"  = {what:20}{against(values, bar)}\n")
    sys.stdout.flush()


def ratios(ours: list[float], theirs: list[float]) -> list[float]:
    return [one / other for one, other in zip(ours, theirs, strict=True) if other]


def against(values: list[float], bar: float | None) -> str:
    """The median of the rounds, with the lowest and the highest, and whether it is within the bar."""
    middle = statistics.median(values)
    verdict = "" if bar is None else f"  bar {bar:.2f}: {'holds' if middle <= bar else 'DOES NOT HOLD'}"
    return f"{middle:6.2f} [{min(values):5.2f}…{max(values):5.2f}]{verdict}"


def curve(bench: Bench, quick: bool) -> None:
    """Prints how RSS goes over 10,000 exchanges, a figure for each thousand of them."""
    case = replace(CURVE, number=CURVE.number // 10) if quick else CURVE
    sys.stdout.write(f"RSS, MB, after each {case.number} of {case.number * CURVE_STEPS} exchanges\n")
    for way in case.ways:
        seen = []
        for _ in range(CURVE_STEPS):
            bench.run(way, case, False)
            seen.append(bench.processes[way].rss())
        grown = seen[-1] - seen[CURVE_STEPS // 2 - 1]
        verdict = "" if way != "meter" else f"  bar {FLAT_MB:.1f}: {'flat' if grown <= FLAT_MB else 'NOT FLAT'}"
        sys.stdout.write(f"  {way:7}{' '.join(f'{value:6.1f}' for value in seen)}  second half {grown:+.1f}{verdict}\n")
    sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/bench proxy", description=__doc__)
    named = ", ".join((*CASES, "memory", "hooks"))
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"of {named} (default: all)")
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
                if name not in CASES:
                    continue
                case = CASES[name]
                by_way: dict[str, Figures] = {way: Figures() for way in case.ways if not case.http2 or way != "direct"}
                for turn in range(rounds * (1 if given.quick or (case.cpu or case.chunk_us) is None else MORE)):
                    ways = list(by_way)
                    for way in ways[turn % len(ways) :] + ways[: turn % len(ways)]:
                        note(by_way[way], case, bench.run(way, case, given.quick))
                told(name, case, given.quick, by_way)
            if not given.cases or "memory" in given.cases:
                curve(bench, given.quick)
            if not given.cases or "hooks" in given.cases:
                bench.time_hooks(Path(folder), given.quick)
        finally:
            bench.stop()
            if given.profile:
                sys.stdout.write((Path(folder) / "meter.log").read_text(encoding="utf-8"))
    sys.stdout.write(f"load average {os.getloadavg()[0]:.2f}\n")


if __name__ == "__main__":
    main()
