"""Several real mitmdump under load, one ClickHouse that goes away and comes back, and a sender that is killed.

Three proxies send by themselves, the last one's `meter_dir` has a `mitmeter ship` of its own, which is killed with -9.
"""

import http.client
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from clickhouse import Server

from harness import Mitm
from harness.mitm import ROOT
from mitmeter.fleet import watermark
from mitmeter.fleet.address import address
from mitmeter.fleet.connection import Connection
from mitmeter.local import Local
from mitmeter.store.sqlite import Store

PROXIES = 4
CHAT = "/v1/chat/completions"
STORY: tuple[tuple[float, str], ...] = (
    *((0.2, "stop"), (0.4, "start"), (0.5, "kill"), (0.6, "stop"), (0.7, "ship"), (0.8, "start")),
)

type Say = Callable[[str], object]


@dataclass
class Load:
    """What clients saw: milliseconds of each exchange."""

    taken: list[tuple[str, float]] = field(default_factory=list)
    failed: int = 0

    def percentile(self, share: float, *names: str) -> float:
        """Of all, or of the clients of these names."""
        ordered = sorted(ms for name, ms in self.taken if not names or name in names)
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


@dataclass
class Outage:
    """What it came to."""

    asked: int
    here: tuple[int, int, int]
    there: tuple[int, int, int]
    minutes: tuple[int, int]
    # How many durations `measures` has, by its numbers and by its values.
    durations: tuple[int, int]
    copies: int
    load: Load
    drained_s: float
    resident_mb: list[tuple[float, float]]


def clients(port: int, number: int, load: Load, name: str) -> None:
    """Ask so often on one connection: conversations of ten turns, with a session of their own."""
    asking = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    for at in range(number):
        turns = [
            {"role": "user", "content": f"{name} {at // 10} {turn} " + "word " * 20} for turn in range(at % 10 + 1)
        ]
        headers = {"Content-Type": "application/json", "Authorization": "Bearer k", "X-Session-ID": f"{at // 10 % 50}"}
        begun = time.perf_counter()
        try:
            asking.request("POST", CHAT, json.dumps({"model": "m", "messages": turns}), headers)
            asking.getresponse().read()
        except (OSError, http.client.HTTPException):
            load.failed += 1
            asking.close()
        load.taken.append((name, (time.perf_counter() - begun) * 1000))
    asking.close()


def shipping(folder: Path, url: str) -> subprocess.Popen[bytes]:
    """`mitmeter ship` as a process."""
    code = f"import sys; sys.path.insert(0, {str(ROOT / 'addon')!r}); from mitmeter.cli import main; main()"
    return subprocess.Popen([sys.executable, "-c", code, "--dir", str(folder), "ship", "--to", url])


def resident_mb(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGESIZE") / 2**20


def run(folder: Path, upstream: str, each: int, say: Say = lambda line: None) -> Outage:
    """Run it, and wait until all is there; each proxy has its exchanges from one client."""
    server = Server(folder / "server").start()
    load, senders = Load(), list[subprocess.Popen[bytes]]()
    with ExitStack() as stack:
        stack.callback(server.stop)
        stack.callback(lambda: [sender.kill() for sender in senders])
        proxies = []
        for number in range(PROXIES):
            options = {"meter_clickhouse": server.url()} if number < PROXIES - 1 else {}
            place = folder / f"meter{number}"
            proxies.append(stack.enter_context(Mitm(upstream, folder / str(number), options=options, meter_dir=place)))
        folders = [proxy.meter_dir for proxy in proxies]
        threads = [
            threading.Thread(target=clients, args=(proxy.port, each, load, str(number)))
            for number, proxy in enumerate(proxies)
        ]
        for thread in threads:
            thread.start()
        senders.append(shipping(folders[-1], server.url()))
        story, early = list(STORY), list[float]()
        while any(thread.is_alive() for thread in threads) or story:
            time.sleep(0.02)
            done = len(load.taken) / (PROXIES * each)
            if not early and done > 0.3:
                early = [resident_mb(proxy.process.pid) for proxy in proxies if proxy.process]
            while story and done >= story[0][0]:
                _, act = story.pop(0)
                say(f"{done:6.0%} {act}")
                if act in ("stop", "start"):
                    getattr(server, act)()
                elif act == "kill":
                    senders[-1].kill()
                    senders[-1].wait()
                else:
                    senders.append(shipping(folders[-1], server.url()))
        begun = time.perf_counter()
        late = [resident_mb(proxy.process.pid) for proxy in proxies if proxy.process]
        drain(folders, each)
        drained_s = time.perf_counter() - begun
        return told(server.url(), folders, each, load, drained_s, list(zip(early, late, strict=True)))


def drain(folders: list[Path], each: int, seconds: float = 300.0) -> None:
    """Wait until every proxy has written all its rows, and the fleet has them."""
    deadline = time.monotonic() + seconds
    for folder in folders:
        while True:
            with Store(folder / "meter.db", readonly=True) as store:
                rows = store.requests()
            mark = watermark.load(folder)
            if rows >= each and mark is not None and mark.last >= rows:
                break
            if time.monotonic() > deadline:
                raise TimeoutError(f"{folder}: {rows} rows, {mark}")
            time.sleep(0.2)


def told(
    url: str, folders: list[Path], each: int, load: Load, drained_s: float, resident: list[tuple[float, float]]
) -> Outage:
    here = [0, 0, 0]
    for folder in folders:
        with Local(folder) as local:
            for row in local.rows():
                usage = row.exchange.usage
                here = [here[0] + 1, here[1] + (usage.input_tokens or 0), here[2] + (usage.output_tokens or 0)]
    connection = Connection(address(url))
    summed = "count(), sum(input_tokens), sum(output_tokens)"
    [there] = connection.query(f"SELECT {summed} FROM mitmeter.exchanges FINAL")
    [minutes] = connection.query("SELECT sum(requests), sum(input_tokens) FROM mitmeter.minutes")
    told = "sum(number), sum(length(values)) FROM mitmeter.measures"
    [durations] = connection.query(f"SELECT {told} WHERE measure = 'duration_ms'")
    [[rows]] = connection.query("SELECT count() FROM mitmeter.exchanges")
    asked, copies = each * len(folders), int(rows) - int(there[0])
    told_there, told_minutes = (int(there[0]), int(there[1]), int(there[2])), (int(minutes[0]), int(minutes[1]))
    kept = (int(durations[0]), int(durations[1]))
    return Outage(asked, (here[0], here[1], here[2]), told_there, told_minutes, kept, copies, load, drained_s, resident)
