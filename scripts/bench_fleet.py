"""What a fleet costs and holds, on ClickHouse's engine: `scripts/bench fleet [outage|session|rows|traffic] [NUMBER]`.

`outage`: four mitmdump, NUMBER (5,000) exchanges each, with the engine stopped and started twice and a sender killed.
`session`: the agent session of `scripts/bench archive`, spread over four proxies, after a merge.
`rows`: NUMBER (5,000,000) synthetic rows, and how long the questions of commands and of the page take.
`traffic`: what clients notice of a proxy that sends, beside one that does not, in rounds of NUMBER (6) seconds.
"""

import os
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from importlib import import_module
from pathlib import Path
from typing import Any

from bench_archive import session
from bench_fleet_traffic import SECONDS, traffic
from click import echo

from mitmeter.fleet import schema
from mitmeter.fleet.address import address
from mitmeter.fleet.connection import Connection
from mitmeter.fleet.figures import Figures
from mitmeter.fleet.remote import Remote
from mitmeter.fleet.shipper import Shipper
from mitmeter.shelf import Shelf, private_folder
from mitmeter.store.figures import MEASURED
from mitmeter.store.filters import Filter, Window

PROXIES = 4
TIMES = 5
MONTH = 30 * 86_400.0
SIZES = """
    SELECT table, sum(data_compressed_bytes), sum(rows), count() FROM system.parts
    WHERE database = 'mitmeter' AND active GROUP BY table ORDER BY table
"""

PROJECTED = SIZES.replace("system.parts", "system.projection_parts").replace("table", "name")


def agent_session(folder: Path) -> None:
    turns = list(session(0))
    url = f"chdb://{folder / 'engine'}"
    for proxy in range(PROXIES):
        place = folder / str(proxy)
        private_folder(place)
        with Shelf(place) as shelf:
            for turn in turns[proxy::PROXIES]:
                shelf.write([(turn.exchange, turn.redacted)], turn.exchange.started, {})
        shipper = Shipper(place, address(url))
        while shipper.step():
            pass
        shipper.close()
    wire = sum(turn.wire_bytes for turn in turns)
    local = sum(path.stat().st_size for path in folder.glob("*/captures/*"))
    connection = Connection(address(url))
    echo(f"{len(turns)} turns over {PROXIES} proxies, {wire / 2**20:.2f} MiB on the wire")
    echo(f"{'their segments':24}{local / 2**20:8.3f} MiB  1/{wire / local:.1f}")
    for when in ("as it came", "merged"):
        size = sum(row[1] for row in connection.query(SIZES) if row[0] in ("captures", "exchanges", "minutes"))
        echo(f"{'ClickHouse, ' + when:24}{size / 2**20:8.3f} MiB  1/{wire / size:.1f}")
        for table in ("captures", "exchanges"):
            connection.command(f"OPTIMIZE TABLE mitmeter.{table} FINAL")
    with Remote(address(url)) as remote:
        idents = [row.id for row in remote.rows()]
        taken = sorted(timed(lambda: remote.capture(idents[-1]), 1)[0] for _ in range(20))
        echo(f"{'reading the last capture':24}{statistics.median(taken):8.1f} ms")


def timed(work: Callable[[], Any], times: int) -> list[float]:
    taken = []
    for _ in range(times):
        begun = time.perf_counter()
        work()
        taken.append((time.perf_counter() - begun) * 1000)
    return sorted(taken)


def synthetic(connection: Connection, number: int) -> None:
    """Make rows of a month: 40 models, 500 credentials, sessions of 25 turns."""
    day = MONTH / number
    told = {
        "id": "number",
        "position": "toInt64(started * 1000000) * 1024",
        "captured": "1",
        "flow_id": "hex(cityHash64(number, 1)) || hex(cityHash64(number, 2))",
        "started": f"1792000000 + number * {day} + (number % 997) / 1000",
        "session": "'s_' || lower(hex(cityHash64(intDiv(number, 100) * 4 + number % 4)))",
        "method": "'POST'",
        "host": "'h' || toString(intDiv(number, 100) % 7) || '.example'",
        "path": "'/v1/messages'",
        "provider": "'p' || toString(intDiv(number, 100) % 7)",
        "api": "'messages'",
        "operation": "'chat'",
        "model": "'model-' || toString(intDiv(number, 100) % 40)",
        "request_model": "'model'",
        "stream": "number % 3 > 0",
        "status": "if(number % 50 = 0, 429, 200)",
        "content_type": "'text/event-stream'",
        "outcome": "if(number % 50 = 0, 'error', 'complete')",
        "credential": "'k_' || lower(hex(toUInt32(cityHash64((intDiv(number, 100) * 4 + number % 4) % 500))))",
        "input_tokens": "cityHash64(number, 3) % 100000",
        "output_tokens": "cityHash64(number, 4) % 3000",
        "cache_read_tokens": "cityHash64(number, 5) % 90000",
        "cost_usd": "(cityHash64(number, 3) % 100000) / 1e6",
        "duration_ms": "(cityHash64(number, 6) % 60000000) / 1000",
        "first_token_ms": "(cityHash64(number, 7) % 3000000) / 1000",
        "tokens_per_second": "(cityHash64(number, 8) % 200000) / 1000",
        "prompt_per_second": "if(number % 3 > 0, (cityHash64(number, 11) % 9000000) / 1000, NULL)",
        "request_bytes": "cityHash64(number, 9) % 300000",
        "response_bytes": "cityHash64(number, 10) % 30000",
        "client_address": "'10.0.0.' || toString(number % 250)",
        "anomalies": "'[]'",
    }
    step = 500_000
    for first in range(0, number, step):
        chosen = f"SELECT {', '.join(f'{value} AS {name}' for name, value in told.items())}"
        rows = f"FROM numbers({first}, {min(step, number - first)})"
        connection.command(f"INSERT INTO mitmeter.exchanges ({', '.join(told)}) {chosen} {rows}")


def many_rows(folder: Path, number: int) -> None:
    place = address(f"chdb://{folder / 'engine'}")
    connection = Connection(place)
    schema.prepare(connection)
    begun = time.perf_counter()
    synthetic(connection, number)
    echo(f"{number:,} rows in {time.perf_counter() - begun:.0f} s")
    # The server does this by itself two hours after a day's last row.
    days = "SELECT DISTINCT partition FROM system.parts WHERE table = 'exchanges' AND active ORDER BY partition"
    for (day_before,) in connection.query(days)[:-1]:
        connection.command(f"OPTIMIZE TABLE mitmeter.exchanges PARTITION '{day_before}' FINAL")
    for table, size, rows, parts in (*connection.query(SIZES), *connection.query(PROJECTED)):
        echo(f"{table:12}{size / 2**20:10.1f} MiB {rows:12,} rows {parts:5} parts")
    newest = 1792000000 + MONTH
    day = Filter(since=newest - 86_400)
    minutes = """
        SELECT toDate(minute) AS day, model, sum(requests), sum(input_tokens), sum(output_tokens), sum(cost_usd)
        FROM mitmeter.minutes GROUP BY day, model
    """
    with Remote(place) as remote:
        some = remote.rows(Window(limit=2000))
        joined, middle = some[0].exchange.session or "", some[1000].id
        page = Figures(remote)
        speeds = Filter(since=newest - 7 * 86_400)
        questions: dict[str, Callable[[], Any]] = {
            "newest 50": lambda: remote.rows(Window(limit=50)),
            "newest 50, one model": lambda: remote.rows(Window(limit=50, wanted=Filter(model=("model-7",)))),
            "50 before one": lambda: remote.rows(Window(limit=50, before=middle)),
            "one row": lambda: remote.row(middle),
            "a session": lambda: remote.rows(Window(wanted=Filter(session=(joined,)))),
            "how many": remote.requests,
            "how many of a day": lambda: remote.requests(day),
            "stats by model, a day": lambda: remote.stats("model", day),
            "stats by model, all": lambda: remote.stats("model"),
            "minutes, a month": lambda: connection.query(minutes),
            "stats by day, all": lambda: remote.stats("day"),
            "page: newest 25": lambda: page.page(Filter(), "id", "desc", 25, 0),
            "page: 25 by tokens": lambda: page.page(Filter(), "generated", "desc", 25, 0),
            "page: 25 by tokens, a model": lambda: page.page(Filter(model=("model-7",)), "generated", "desc", 25, 0),
            "page: sums by model": lambda: page.by_model(Filter()),
            "page: sums by model, a day": lambda: page.by_model(day),
            "page: a histogram": lambda: page.measured(("duration_histogram",), Filter()),
            "page: a histogram, a week": lambda: page.measured(("duration_histogram",), speeds),
            "page: sums and 4 histograms": lambda: stats(page, Filter()),
            "page: the same of a week": lambda: stats(page, speeds),
            "page: the same of a model": lambda: stats(page, Filter(model=("model-7",))),
            "page: the same of a provider": lambda: stats(page, Filter(provider=("p3",))),
            "page: the same of errors": lambda: stats(page, Filter(outcome=("error",))),
            "page: course of a month": lambda: page.course(Filter(), "model", newest - MONTH, newest, 60, 8),
            "page: the same by outcome": lambda: page.course(Filter(), "outcome", newest - MONTH, newest, 60, 8),
            "page: the same by session": lambda: page.course(Filter(), "session", newest - MONTH, newest, 60, 8),
            "page: course of a day": lambda: page.course(day, "model", newest - 86_400, newest, 60, 8),
            "page: choices": page.choices,
        }
        echo(f"{'':28} milliseconds, least and median of {TIMES}: wall, CPU of all cores")
        for name, work in questions.items():
            told = "".join(f"{taken[0]:11.1f}{statistics.median(taken):8.1f}" for taken in measured(work))
            echo(f"{name:28}{told}")


def stats(page: Figures, wanted: Filter) -> None:
    """What `/api/metrics/stats` asks."""
    page.by_model(wanted)
    page.measured(tuple(MEASURED), wanted)


def measured(work: Callable[[], Any]) -> tuple[list[float], list[float]]:
    """Milliseconds by the clock and of CPU, each in ascending order; the first time does not count."""
    work()
    wall, used = [], []
    for _ in range(TIMES):
        begun, before = time.perf_counter(), time.process_time()
        work()
        wall.append((time.perf_counter() - begun) * 1000)
        used.append((time.process_time() - before) * 1000)
    return sorted(wall), sorted(used)


def outage(folder: Path, each: int) -> None:
    os.environ["MITMETER_CLICKHOUSE_PASSWORD"] = "right"
    from harness import Mitm
    from provider import Provider

    ran: Any = import_module("outage")
    with Provider() as upstream:
        alone = ran.Load()
        with ExitStack() as stack:
            ports = [stack.enter_context(Mitm(upstream.url, folder / f"alone{at}")).port for at in range(PROXIES)]
            threads = [threading.Thread(target=ran.clients, args=(port, each // 5, alone, "alone")) for port in ports]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        found = ran.run(folder, upstream.url, each, echo)
    echo(f"{found.asked:,} exchanges, {found.load.failed} failed")
    echo(f"rows, input, output here   {found.here}")
    echo(f"the same there, FINAL      {found.there}, {found.copies} copies not merged yet")
    echo(f"requests, input by minutes {found.minutes}")
    echo(f"durations in measures      {found.durations}")
    echo(f"drained {found.drained_s:.1f} s after the last exchange")
    told = (
        *(("without a fleet", alone, ()), ("in an outage, proxies that send", found.load, ("0", "1", "2"))),
        ("at that time, one that does not", found.load, ("3",)),
    )
    for name, load, clients in told:
        shares = ", ".join(
            f"p{share * 100:.0f} {load.percentile(share, *clients):.1f} ms" for share in (0.5, 0.9, 0.99)
        )
        echo(f"{name:32} {shares}")
    echo("RSS at 30 % and at the end: " + ", ".join(f"{early:.0f} {late:.0f} MiB" for early, late in found.resident_mb))
    once = found.there == found.here and found.minutes == found.here[:2]
    if not (once and found.here[0] == found.asked and found.durations == (found.asked, found.asked)):
        raise SystemExit("rows are missing, or there twice")


def main() -> None:
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "fleet"))
    what = sys.argv[1] if len(sys.argv) > 1 else "outage"
    number = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    with tempfile.TemporaryDirectory() as folder:
        if what == "session":
            agent_session(Path(folder))
        elif what == "rows":
            many_rows(Path(folder), number or 5_000_000)
        elif what == "traffic":
            traffic(Path(folder), number or SECONDS)
        else:
            outage(Path(folder), number or 5_000)


if __name__ == "__main__":
    main()
