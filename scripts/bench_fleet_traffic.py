"""What clients notice of a proxy that sends to ClickHouse: `scripts/bench fleet traffic [SECONDS]`.

Two proxies run side by side, one of which sends, and one client asks each in turn, at a pace that leaves the cores idle
for a part of the time. So both have the same machine, and the ratio of their times is what sending does to traffic.
Each state of ClickHouse is measured in ROUNDS; a ratio is given as their median, with the least and the greatest.
"""

import asyncio
import json
import os
import random
import shutil
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module
from pathlib import Path
from typing import Any

from click import echo

from mitmeter.fleet import watermark

ROUNDS = 5
SECONDS = 6.0
WARM_SECONDS = 2.0
PAUSE_SECONDS = 0.012
BACKLOG = 40_000
SHARES = (0.5, 0.9, 0.99)
FULL = b"Code: 243. DB::Exception: Cannot reserve 1.00 MiB, not enough space. (NOT_ENOUGH_SPACE)"

type Times = tuple[list[float], list[float]]


def request(number: int) -> bytes:
    """The next turn of a conversation of ten."""
    turns = [{"role": "user", "content": f"{number // 10} {turn} " + "word " * 40} for turn in range(number % 10 + 1)]
    body = json.dumps({"model": "m", "messages": turns}).encode()
    head = (
        "POST /v1/chat/completions HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nAuthorization: Bearer k\r\n"
    )
    return f"{head}X-Session-ID: {number // 10}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> float:
    """Milliseconds until the last byte of the answer."""
    begun = time.perf_counter()
    writer.write(request(number))
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    if b"content-length:" in head:
        await reader.readexactly(int(head.split(b"content-length:")[1].split(b"\r\n")[0]))
    else:
        await reader.readuntil(b"0\r\n\r\n")
    return (time.perf_counter() - begun) * 1000


async def alternate(ports: tuple[int, int], seconds: float) -> Times:
    """Ask one after the other, whose turn it is to be first changing, with pauses by chance."""
    wires = [await asyncio.open_connection("127.0.0.1", port) for port in ports]
    taken: Times = ([], [])
    dice, number, until = random.Random(1), 0, time.monotonic() + seconds
    while time.monotonic() < until:
        for which in (number % 2, 1 - number % 2):
            taken[which].append(await ask(*wires[which], number))
            await asyncio.sleep(PAUSE_SECONDS * dice.uniform(0.5, 1.5))
        number += 1
    for _, writer in wires:
        writer.close()
    return taken


def share(times: list[float], part: float) -> float:
    return sorted(times)[min(len(times) - 1, int(len(times) * part))]


class Refusing(BaseHTTPRequestHandler):
    """A server that says after a while that its disk is full."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length")
        if length is not None:
            self.rfile.read(int(length))
        time.sleep(0.3)
        self.close_connection = True
        self.send_response(500)
        self.send_header("X-ClickHouse-Exception-Code", "243")
        self.send_header("Content-Length", str(len(FULL)))
        self.end_headers()
        self.wfile.write(FULL)

    def log_message(self, *args: Any) -> None:
        """Say nothing."""


@contextmanager
def silent(*, answers: bool) -> Iterator[str]:
    """A port that is closed, or one where connections are taken and nothing is ever said."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        if answers:
            taken.listen(64)
        yield f"clickhouse://user@127.0.0.1:{taken.getsockname()[1]}/mitmeter"


@contextmanager
def refusing() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Refusing) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"clickhouse://user@127.0.0.1:{server.server_port}/mitmeter"
        server.shutdown()


@contextmanager
def engine(folder: Path) -> Iterator[str]:
    server = import_module("conftest").Server(folder).start()
    yield server.url()
    server.stop()


@contextmanager
def upstream() -> Iterator[str]:
    """The provider in a process of its own."""
    with subprocess.Popen([sys.executable, "-m", "provider"], stdout=subprocess.PIPE, encoding="utf-8") as process:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
        process.kill()


def processor_ms(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) * 1000 / os.sysconf("SC_CLK_TCK")


def measured(name: str, folder: Path, url: str | None, provider: str, seconds: float, backlog: int) -> None:
    from harness import Mitm

    if backlog:
        import_module("traffic").fill(folder / "with" / "meter", backlog, together=100)
        shutil.copytree(folder / "with" / "meter", folder / "without" / "meter")
    with ExitStack() as stack:
        proxies = []
        for which, options in (("without", {}), ("with", {} if url is None else {"meter_clickhouse": url})):
            place = folder / which
            proxies.append(stack.enter_context(Mitm(provider, place, options=options, meter_dir=place / "meter")))
        ports = (proxies[0].port, proxies[1].port)
        asyncio.run(alternate(ports, WARM_SECONDS))
        pids = [proxy.process.pid for proxy in proxies if proxy.process]
        before = [processor_ms(pid) for pid in pids]
        rounds = [asyncio.run(alternate(ports, seconds)) for _ in range(ROUNDS)]
        used = [processor_ms(pid) - at for pid, at in zip(pids, before, strict=True)]
    left = watermark.load(proxies[1].meter_dir)
    waiting = left.backlog if left else 0
    told = []
    for part in SHARES:
        plain, sending = ([share(times[which], part) for times in rounds] for which in (0, 1))
        ratios = [there / here for here, there in zip(plain, sending, strict=True)]
        middle = f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
        told.append(
            f"p{part * 100:.0f} {statistics.median(plain):.1f} to {statistics.median(sending):.1f} ms, {middle}"
        )
    each = sum(len(times[1]) for times in rounds)
    echo(f"{name:24} {'; '.join(told)}")
    echo(
        f"{'':24} CPU {used[0] / each:.2f} to {used[1] / each:.2f} ms an exchange, {each} each; {waiting} wait at last"
    )


def traffic(folder: Path, seconds: float = SECONDS) -> None:
    """Print the ratios for each state of ClickHouse."""
    os.environ["MITMETER_CLICKHOUSE_PASSWORD"] = "right"
    states: tuple[tuple[str, Callable[[], Any], int], ...] = (
        ("neither sends", lambda: nullcontext(None), 0),
        ("connection refused", lambda: silent(answers=False), 0),
        ("it never answers", lambda: silent(answers=True), 0),
        ("500 after 0.3 s", refusing, 0),
        ("it takes them", lambda: engine(folder / "engine"), 0),
        (f"it takes {BACKLOG:,} more", lambda: engine(folder / "late"), BACKLOG),
    )
    echo("times of a proxy that does not send and of one that does, and their ratio: median (least to greatest)")
    with upstream() as provider:
        for at, (name, state, backlog) in enumerate(states):
            with state() as url:
                measured(name, folder / str(at), url, provider, seconds, backlog)
