"""Stops, kills, reloads, full disks: what was metered is there, once, and traffic goes on."""

import contextlib
import itertools
import os
import secrets
import shutil
import sqlite3
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from harness import Connection, End, Mitm, Reply, capture, kept_body, rows, wait_rows
from harness.asking import ASKED, CHAT, DOCUMENT, MESSAGES, SAID, STREAM, ask, counted, one
from harness.mitm import ADDON, ROOT
from harness.rows import holes
from provider import Provider


@pytest.fixture(scope="module")
def upstream() -> Iterator[Provider]:
    with Provider() as provider:
        yield provider


def mid_stream(proxy: Mitm, number: int) -> None:
    """Waits until so many responses are under way; mitmproxy says so in its log."""
    deadline = time.monotonic() + 10
    while proxy.output.count("Streaming response") < number and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(0.2)


@contextlib.contextmanager
def clients(number: int) -> Iterator[ThreadPoolExecutor]:
    """Clients that nobody waits for once the proxy is gone."""
    pool = ThreadPoolExecutor(number)
    try:
        yield pool
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


STOPS: dict[str, Callable[[Mitm], int]] = {"TERM": Mitm.stop, "INT": Mitm.interrupt, "HUP": Mitm.hang_up}


@pytest.mark.parametrize("how", STOPS)
def test_a_stop_finishes_what_is_open(upstream: Provider, tmp_path: Path, how: str) -> None:
    with Mitm(upstream.url, tmp_path) as proxy, clients(4) as pool:
        ask(proxy.port, "done")
        pool.submit(ask, proxy.port, "chat", x_fault="hang:5")
        pool.submit(ask, proxy.port, "messages", MESSAGES, x_fault="hang:4")
        pool.submit(ask, proxy.port, "document", body=DOCUMENT, x_fault="hang:2")
        pool.submit(ask, proxy.port, "silent", x_fault="silent")
        mid_stream(proxy, 3)
        started = time.monotonic()
        assert STOPS[how](proxy) == 0
        assert time.monotonic() - started < 5
        found = {row["client"]["agent"]: row for row in rows(proxy.meter_dir)}
        assert len(rows(proxy.meter_dir)) == len(found) == 5
        assert (found["done"]["outcome"], counted(found["done"])) == ("complete", (ASKED, SAID))
        for name in ("chat", "messages", "document", "silent"):
            assert found[name]["outcome"] in ("client_aborted", "upstream_aborted")
            assert "stop" in found[name]["error"]
            assert found[name]["has_capture"]
        assert counted(found["messages"]) == (ASKED, 1)
        assert found["chat"]["timing"]["first_token_ms"] is not None
        assert "stay with me" in (kept_body(capture(proxy.meter_dir, found["silent"]), "request") or b"").decode()
        assert "Traceback" not in proxy.output


# Within which a row is written after its end, on a machine that is busy with other tests.
WRITTEN_SECONDS = 1.2


def test_a_kill_loses_only_what_was_in_flight(upstream: Provider, tmp_path: Path) -> None:
    """The worker writes in order, a moment after a reply has ended: a kill costs a client its last replies at most."""
    workers, over = 4, threading.Event()
    ended: dict[str, float] = {}

    def load(number: int) -> None:
        with contextlib.suppress(OSError), Connection(proxy.port, timeout=5) as connection:
            for turn in itertools.count():
                agent = f"{number}-{turn}"
                body = {**STREAM, "messages": [{"role": "user", "content": secrets.token_hex(2000)}]}
                if connection.request("POST", CHAT, {"user-agent": agent}, body).end is not End.COMPLETE:
                    return
                ended[agent] = time.monotonic()
                if over.is_set():
                    return

    with clients(workers) as pool:
        with Mitm(upstream.url, tmp_path) as proxy:
            running = [pool.submit(load, number) for number in range(workers)]
            time.sleep(1.5)
            killed = time.monotonic()
            assert proxy.kill() == -9
        over.set()
        for future in running:
            future.result()
    with contextlib.closing(sqlite3.connect(proxy.meter_dir / "meter.db")) as database:
        assert database.execute("pragma integrity_check").fetchall() == [("ok",)]
    found = rows(proxy.meter_dir)
    there = [row["client"]["agent"] for row in found]
    assert len(there) == len(set(there))
    assert holes(set(there), set(ended)) == []
    assert [agent for agent, at in ended.items() if at < killed - WRITTEN_SECONDS and agent not in there] == []
    assert len(there) > 20
    for row in [*found[:5], *found[-10:]]:
        assert row["outcome"] == "complete"
        body = kept_body(capture(proxy.meter_dir, row), "response")
        assert body is not None
        assert body.endswith(b"data: [DONE]\n\n")
    with Mitm(upstream.url, tmp_path) as proxy:
        ask(proxy.port, "afterwards")
        assert one(proxy, "afterwards")["outcome"] == "complete"
        # What was archived and not yet committed when it was killed has its rows again.
        again = [row["client"]["agent"] for row in rows(proxy.meter_dir)]
        assert len(again) == len(set(again)) and set(again) >= {*there, "afterwards"}


@pytest.fixture(scope="module")
def reloaded(upstream: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mitm]:
    """A proxy whose script was touched while the stream of the client `across` was open."""
    directory = tmp_path_factory.mktemp("reload")
    script = directory / "script" / "meter.py"
    script.parent.mkdir()
    shutil.copy(ADDON, script)
    env = {"PYTHONPATH": str(ROOT / "addon")}
    with Mitm(upstream.url, directory, script=script, env=env) as proxy, clients(1) as pool:
        ask(proxy.port, "before")
        across = pool.submit(ask, proxy.port, "across", x_pace_gap="100")
        mid_stream(proxy, 2)
        os.utime(script, (time.time() + 10, time.time() + 10))
        reply = across.result()
        assert "Loading script" in proxy.output
        assert (reply.end, reply.body) == (End.COMPLETE, ask(upstream.port, "direct").body)
        ask(proxy.port, "after")
        wait_rows(proxy.meter_dir, 3)
        yield proxy


@pytest.mark.parametrize("agent", ["before", "across", "after"])
def test_a_reload_neither_loses_nor_doubles_a_row(reloaded: Mitm, agent: str) -> None:
    assert one(reloaded, agent)["has_capture"]
    assert len(rows(reloaded.meter_dir)) == 3


def test_a_stream_across_a_reload_is_complete(reloaded: Mitm) -> None:
    row = one(reloaded, "across")
    assert (row["outcome"], row["error"], counted(row)) == ("complete", None, (ASKED, SAID))


def test_a_reload_leaves_no_trace_in_the_log(reloaded: Mitm) -> None:
    assert "Traceback" not in reloaded.output
    assert "error" not in reloaded.output.lower()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 1 MB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)], capture_output=True)
    if mounted.returncode:
        pytest.skip(f"NO FULL DISK: a tmpfs cannot be mounted here ({mounted.stderr.decode().strip()})")
    try:
        yield disk
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


def test_a_full_disk_does_not_stop_the_traffic(upstream: Provider, small_disk: Path, tmp_path: Path) -> None:
    def exchange(port: int, number: int) -> Reply:
        noise = {**STREAM, "messages": [{"role": "user", "content": NOISE[number]}]}
        return ask(port, str(number), body=noise)

    with Mitm(upstream.url, tmp_path, meter_dir=small_disk / "meter") as proxy:
        for number in range(len(NOISE)):
            reply = exchange(proxy.port, number)
            assert (reply.status, reply.end, reply.body) == (200, End.COMPLETE, exchange(upstream.port, number).body)
        time.sleep(0.5)
        complaints = [line for line in proxy.output.splitlines() if "mitmeter: " in line]
        assert any("No space" in line or "full" in line for line in complaints), complaints
        assert len(complaints) == len({line.partition("mitmeter: ")[2].partition(" ")[0] for line in complaints})
        assert len(complaints) <= 3
        found = rows(proxy.meter_dir)
        assert found
        first = kept_body(capture(proxy.meter_dir, found[0]), "request")
        assert first is not None
        assert NOISE[0].encode() in first
        assert proxy.stop() == 0
        assert "Traceback" not in proxy.output


NOISE = [secrets.token_hex(100_000) for _ in range(20)]


def test_several_proxies_share_a_folder(upstream: Provider, tmp_path: Path) -> None:
    shared = tmp_path / "meter"
    with (
        Mitm(upstream.url, tmp_path / "a", meter_dir=shared) as first,
        Mitm(upstream.url, tmp_path / "b", meter_dir=shared) as second,
        clients(8) as pool,
    ):
        asked: list[Future[Reply]] = []
        for number in range(20):
            asked += [pool.submit(ask, proxy.port, f"{proxy.port}-{number}") for proxy in (first, second)]
        assert {future.result().end for future in asked} == {End.COMPLETE}
        found = wait_rows(shared, 40)
        assert len({row["client"]["agent"] for row in found}) == len(found) == 40
        assert {counted(row) for row in found} == {(ASKED, SAID)}
        assert all(capture(shared, row)["response_body"] for row in found)
