"""What telling numbers on costs for an exchange, on the worker; and importing the addon. `scripts/bench telemetry`.

The receiver of OTLP is a socket on loopback that takes everything; what the sending thread spends is beside the worker.
"""

import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from statistics import median
from typing import Any

from click import echo
from msgspec.structs import replace

from mitmeter.budget import Budget, Spent
from mitmeter.exchange import Exchange, Sizes, Timing, Trace, Usage
from mitmeter.moments import Moments
from mitmeter.outlets import Outgoing, Outlets
from mitmeter.prices.pricing import Pricing
from mitmeter.telemetry.health import Health
from mitmeter.telemetry.measures import Measures
from mitmeter.telemetry.otlp import Otlp
from mitmeter.telemetry.prometheus import Exposition

NUMBER = 2000
ROUNDS = 5
CHUNKS = 300
BAR_US = 200
PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
ADDON = "import meter"


class Taking(BaseHTTPRequestHandler):
    """Takes what is sent."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        pass


def exchange(chunks: int) -> Exchange:
    """A streamed exchange of a model that has a price."""
    arrivals = tuple(1.0 + at * 0.02 + (at % 7) * 0.003 for at in range(chunks))
    return Exchange(
        flow_id="f",
        started=time.time(),
        method="POST",
        host="api.openai.com",
        path="/v1/chat/completions",
        provider="openai",
        api="chat",
        operation="chat",
        model="gpt-4o-2024-08-06",
        request_model="gpt-4o",
        stream=chunks > 0,
        status=200,
        finish="stop",
        usage=Usage(input_tokens=4000, output_tokens=300, cache_read_tokens=3000, source="body"),
        timing=Timing(duration_ms=6000.0, first_byte_ms=300.0, first_token_ms=320.0, tokens_per_second=50.0),
        sizes=Sizes(request_bytes=20_000, response_bytes=60_000, decoded_bytes=60_000),
        trace=Trace(parent=PARENT, port=443, asked={"temperature": 0.2, "max_tokens": 4000}, arrivals=arrivals),
    )


def cost_us(work: Callable[[Exchange], object], asked: Exchange) -> float:
    """CPU of this thread for one, at the median of some rounds."""
    for _ in range(50):
        work(asked)
    found = []
    for _ in range(ROUNDS):
        began = time.thread_time()
        for _ in range(NUMBER):
            work(asked)
        found.append((time.thread_time() - began) / NUMBER * 1e6)
    return median(found)


def moments(chunks: int) -> float:
    """What the timeline and the arrivals cost the recorder."""
    made = Moments()
    made.add([200] * chunks, [1.0 + at * 0.02 + (at % 7) * 0.003 for at in range(chunks)])

    def work(_: Exchange) -> None:
        made.timeline(0.5)
        made.between(200, 200 * chunks)

    return cost_us(work, exchange(0))


def imports() -> tuple[float, float]:
    """Seconds to import the addon in a new process, and mitmproxy alone, each the best of three."""

    def best(code: str) -> float:
        timed = f"import time; t = time.perf_counter(); {code}; print(time.perf_counter() - t)"
        path = f"import sys; sys.path.insert(0, {str(Path(__file__).parents[1] / 'addon')!r}); "
        runs = (subprocess.run([sys.executable, "-c", path + timed], capture_output=True, text=True) for _ in range(3))
        return min(float(run.stdout) for run in runs)

    return best(ADDON), best("import mitmproxy.tools.dump")


def nothing_spent(since: float) -> Spent:
    return Spent()


def main() -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Taking)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    os.environ |= {
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{server.server_address[1]}",
        "OTEL_BSP_SCHEDULE_DELAY": "1000000",
        "OTEL_BSP_MAX_QUEUE_SIZE": str(10 * NUMBER * ROUNDS),
        "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": str(10 * NUMBER * ROUNDS),
    }
    echo(f"CPU of the worker's thread for one exchange, us (bar for all: {BAR_US}):")
    pricing, measures = Pricing(), Measures(old_names=True)
    otlp = Otlp(measures, Health, old_names=True)
    budget = Budget(1e9, 10**15, nothing_spent, echo)
    for chunks in (0, CHUNKS):
        asked = exchange(chunks)
        parts: dict[str, Callable[[Exchange], object]] = {
            "price": pricing,
            "budget": budget,
            "measures (Prometheus, OTLP metrics)": measures,
            "span": otlp,
        }
        found = {name: cost_us(work, asked) for name, work in parts.items()}
        for name, number in found.items():
            echo(f"  {chunks:>3} chunks  {name:<38} {number:8.1f}")
        echo(f"  {chunks:>3} chunks  {'all together':<38} {sum(found.values()):8.1f}")
        echo(f"  {chunks:>3} chunks  {'timeline and arrivals (recorder)':<38} {moments(max(chunks, 1)):8.1f}")
    with tempfile.TemporaryDirectory() as folder:
        outlets = Outlets(Outgoing(), Path(folder))
        for _, opening in outlets.openings(Health):
            opening()
        local = replace(exchange(0), host="127.0.0.1", trace=None)
        work = partial(outlets.amend, redacted=None)
        echo(f"with nothing asked for, a local engine             {cost_us(work, local):8.1f}")
    exposition = Exposition(measures, Health)
    began = time.perf_counter()
    for _ in range(50):
        size = len(exposition.render("text/plain")[1])
    echo(f"a scrape, on its own thread: {(time.perf_counter() - began) / 50 * 1e3:.2f} ms for {size} bytes")
    echo("on mitmproxy's hooks: 0; nothing of this is called there")
    ours, bare = imports()
    echo(f"import of the addon {ours:.2f} s, of mitmdump alone {bare:.2f} s")
    otlp._waiting.spans.clear()
    otlp.close()
    server.shutdown()


if __name__ == "__main__":
    main()
