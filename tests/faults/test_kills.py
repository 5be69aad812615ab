"""kill -9 at random moments under load: what had ended is there and whole, nothing is twice."""

import contextlib
import itertools
import random
import secrets
import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from faulty import THOROUGH, until

from harness import Connection, End, Mitm, capture, kept_body, rows
from harness.asking import CHAT, STREAM
from harness.rows import holes
from provider import Provider

KILLS = 50 if THOROUGH else 6
CLIENTS = 4
WRITTEN_SECONDS = 0.9  # within which a row is written after its end, on a machine that other tests share


def load(port: int, name: str, ended: dict[str, float], over: threading.Event) -> None:
    with contextlib.suppress(OSError), Connection(port, timeout=5) as connection:
        for turn in itertools.count():
            agent = f"{name}-{turn}"
            body = {**STREAM, "messages": [{"role": "user", "content": secrets.token_hex(1000)}]}
            if over.is_set() or connection.request("POST", CHAT, {"user-agent": agent}, body).end is not End.COMPLETE:
                return
            ended[agent] = time.monotonic()


def count(meter_dir: Path) -> int:
    """How many rows there are."""
    if not (meter_dir / "meter.db").exists():
        return 0
    with contextlib.closing(sqlite3.connect(meter_dir / "meter.db")) as database, contextlib.suppress(sqlite3.Error):
        return int(database.execute("SELECT count(*) FROM exchanges").fetchone()[0])
    return 0


def test_kills(upstream: Provider, tmp_path: Path) -> None:
    chance = random.Random(4)
    meter_dir = tmp_path / "meter"
    promised: set[str] = set()
    checked = 0
    for number in range(KILLS):
        ended: dict[str, float] = {}
        over = threading.Event()
        with ThreadPoolExecutor(CLIENTS) as pool:
            with Mitm(upstream.url, tmp_path / "proxy", meter_dir=meter_dir) as proxy:
                for client in range(CLIENTS):
                    pool.submit(load, proxy.port, f"{number}-{client}", ended, over)
                if number % 2:  # else it may be before the first row: a start takes a while on a busy machine
                    assert until(lambda before=checked: count(meter_dir) > before, 20)
                time.sleep(chance.uniform(0.05, 1.0))
                killed = time.monotonic()
                assert proxy.kill() == -9
            over.set()
        promised |= {agent for agent, at in ended.items() if at < killed - WRITTEN_SECONDS}
        if not (meter_dir / "meter.db").exists():
            continue
        with contextlib.closing(sqlite3.connect(meter_dir / "meter.db")) as database:
            assert database.execute("pragma integrity_check").fetchall() == [("ok",)]
        found = rows(meter_dir)
        there = [row["client"]["agent"] for row in found]
        assert len(there) == len(set(there))
        assert promised <= set(there), f"kill {number}: {sorted(promised - set(there))}"
        assert holes(set(there), set(ended)) == [], f"kill {number}"
        for row in found[checked:][-20:]:
            assert row["outcome"] in ("complete", "client_aborted", "upstream_aborted")
            if row["outcome"] == "complete":
                assert (kept_body(capture(meter_dir, row), "response") or b"").endswith(b"data: [DONE]\n\n")
        checked = len(found)
    assert checked > 10 * KILLS
    for row in random.Random(5).sample(rows(meter_dir), 20):
        assert capture(meter_dir, row)["status"] == 200
