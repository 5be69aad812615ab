"""Disks that fill up or become read-only, databases that are locked or damaged: told once, traffic goes on."""

import contextlib
import secrets
import sqlite3
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from faulty import complaints, counters, disk, remount, until

from harness import End, Mitm, capture, kept_body, rows, wait_rows
from harness.asking import STREAM, ask, one
from provider import Provider


@contextlib.contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Another process's lock on the database, as SQLite sees it."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("BEGIN EXCLUSIVE")
        yield


def test_a_disk_that_fills_under_load(upstream: Provider, tmp_path: Path) -> None:
    with disk(tmp_path / "disk", "9m") as small, Mitm(upstream.url, tmp_path, meter_dir=small / "meter") as proxy:

        def exchange(number: int) -> None:
            agent = f"load-{number}"
            body = {**STREAM, "messages": [{"role": "user", "content": secrets.token_hex(30_000)}]}
            through, direct = ask(proxy.port, agent, body=body), ask(upstream.port, agent, body=body)
            assert (through.end, sha256(through.body).digest()) == (End.COMPLETE, sha256(direct.body).digest())

        (small / "filler").write_bytes(bytes(6 << 20))
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(exchange, range(200)))
        assert until(lambda: complaints(proxy))
        assert len(complaints(proxy)) == len(set(complaints(proxy))) <= 3
        assert rows(proxy.meter_dir)
        (small / "filler").unlink()
        assert ask(proxy.port, "afterwards").end is End.COMPLETE
        assert one(proxy, "afterwards")["outcome"] == "complete"
        assert sum(counters(proxy.meter_dir).values()) > 0
        assert len(rows(proxy.meter_dir)) + counters(proxy.meter_dir).get("rows_dropped", 0) == 201
        assert proxy.stop() == 0
        assert "Traceback" not in proxy.output


def fill(path: Path) -> None:
    """All that is left of its disk."""
    with path.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(bytes(4096)) == 4096:
            pass


def test_rows_get_through_on_a_disk_that_stays_full(upstream: Provider, tmp_path: Path) -> None:
    """Captures stop first; then somebody else takes all that is left, and the rows still find what was put by."""
    with disk(tmp_path / "disk", "12m") as small, Mitm(upstream.url, tmp_path, meter_dir=small / "meter") as proxy:
        asked = 0

        def exchanges(number: int, body: dict[str, Any]) -> None:
            nonlocal asked
            with ThreadPoolExecutor(4) as pool:
                list(pool.map(lambda at: ask(proxy.port, f"full-{asked + at}", body=body), range(number)))
            asked += number
            assert len(wait_rows(proxy.meter_dir, asked, 20)) == asked

        noise = {**STREAM, "messages": [{"role": "user", "content": secrets.token_hex(150_000)}]}
        exchanges(1, STREAM)
        for _ in range(40):
            noise["messages"][0]["content"] = secrets.token_hex(150_000)
            exchanges(2, noise)
        captured = [row for row in rows(proxy.meter_dir) if row["has_capture"]]
        assert 20 < len(captured) < asked
        assert counters(proxy.meter_dir)["captures_dropped"] == asked - len(captured)
        assert "the disk is nearly full" in proxy.output
        fill(small / "filler")
        exchanges(400, STREAM)
        assert counters(proxy.meter_dir).get("rows_dropped", 0) == 0
        assert proxy.stop() == 0
        assert "Traceback" not in proxy.output


def test_a_disk_that_becomes_read_only(upstream: Provider, tmp_path: Path) -> None:
    with disk(tmp_path / "disk", "16m") as small, Mitm(upstream.url, tmp_path, meter_dir=small / "meter") as proxy:
        ask(proxy.port, "before")
        wait_rows(proxy.meter_dir, 1)
        # Files that are open for writing keep a disk from it: what is then left is a folder that takes no new files.
        with contextlib.suppress(Exception):
            remount(small, "ro")
        for number in range(5):
            assert ask(proxy.port, f"meanwhile-{number}").body == ask(upstream.port, f"meanwhile-{number}").body
        remount(small, "rw")
        assert len(wait_rows(proxy.meter_dir, 6)) == 6
        assert len(complaints(proxy)) == len(set(complaints(proxy)))
        assert proxy.stop() == 0


def test_a_read_only_folder_is_told_at_the_start(upstream: Provider, tmp_path: Path) -> None:
    with disk(tmp_path / "disk", "1m") as small:
        remount(small, "ro")
        proxy = Mitm(upstream.url, tmp_path, meter_dir=small / "meter")
        assert proxy.finish(10) == 1
        assert "meter_dir" in proxy.output
        assert "accepted is a folder that can be written to" in proxy.output


def test_a_locked_database(upstream: Provider, tmp_path: Path) -> None:
    with Mitm(upstream.url, tmp_path) as proxy:
        ask(proxy.port, "before")
        wait_rows(proxy.meter_dir, 1)
        with exclusive(proxy.meter_dir / "meter.db"):
            started = time.monotonic()
            for number in range(20):
                assert ask(proxy.port, f"meanwhile-{number}").end is End.COMPLETE
            assert time.monotonic() - started < 5
            assert until(lambda: "write_failures" in complaints(proxy), 12)
        found = wait_rows(proxy.meter_dir, 21, 15)
        assert len({row["client"]["agent"] for row in found}) == len(found) == 21
        assert complaints(proxy).count("write_failures") == 1
        assert proxy.stop() == 0


GARBAGE = secrets.token_bytes(40_000)


def test_a_damaged_database_is_set_aside_at_the_start(upstream: Provider, tmp_path: Path) -> None:
    folder = tmp_path / "meter"
    folder.mkdir(mode=0o700)
    (folder / "meter.db").write_bytes(GARBAGE)
    with Mitm(upstream.url, tmp_path, meter_dir=folder) as proxy:
        ask(proxy.port, "new")
        assert one(proxy, "new")["has_capture"]
        (aside,) = folder.glob("meter.db.corrupt-*")
        assert aside.read_bytes() == GARBAGE
        assert complaints(proxy).count("databases_set_aside") == 1
        assert until(lambda: counters(folder).get("databases_set_aside") == 1)


@pytest.mark.parametrize("how", ["garbage", "middle"])
def test_a_database_that_is_damaged_meanwhile(upstream: Provider, tmp_path: Path, how: str) -> None:
    with Mitm(upstream.url, tmp_path) as proxy:
        for number in range(30):
            ask(proxy.port, f"before-{number}")
        wait_rows(proxy.meter_dir, 30)
        path = proxy.meter_dir / "meter.db"
        with contextlib.closing(sqlite3.connect(path)) as database:
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        with path.open("r+b") as file:
            file.seek(0 if how == "garbage" else 4096)
            file.write(GARBAGE)
        assert ask(proxy.port, "meanwhile").end is End.COMPLETE
        assert until(lambda: list(proxy.meter_dir.glob("meter.db.corrupt-*")), 15) or how == "middle"
        assert ask(proxy.port, "afterwards").end is End.COMPLETE
        proxy.stop()
        assert "Traceback" not in proxy.output
    with Mitm(upstream.url, tmp_path) as proxy:
        ask(proxy.port, "next")
        assert one(proxy, "next")["outcome"] == "complete"


def test_a_newer_database_is_left_alone(upstream: Provider, tmp_path: Path) -> None:
    folder = tmp_path / "meter"
    folder.mkdir(mode=0o700)
    with contextlib.closing(sqlite3.connect(folder / "meter.db")) as database:
        database.execute("PRAGMA user_version = 999")
    with Mitm(upstream.url, tmp_path, meter_dir=folder) as proxy:
        assert ask(proxy.port, "new").end is End.COMPLETE
        assert until(lambda: "write_failures" in complaints(proxy))
        assert "newer" in proxy.output
        assert not list(folder.glob("*corrupt*"))


def test_a_truncated_segment(upstream: Provider, tmp_path: Path) -> None:
    """A kill may tear the last record: its row says so when it is asked for, all others are whole."""
    with Mitm(upstream.url, tmp_path) as proxy:
        for number in range(5):
            ask(proxy.port, f"before-{number}")
        wait_rows(proxy.meter_dir, 5)
        proxy.kill()
    (segment,) = (proxy.meter_dir / "captures").glob("*.zst")
    with segment.open("r+b") as file:
        file.truncate(segment.stat().st_size - 20)
    with Mitm(upstream.url, tmp_path) as proxy:
        ask(proxy.port, "after")
        found = wait_rows(proxy.meter_dir, 6)
        assert len(found) == 6
        for row in (*found[:4], found[5]):
            assert (kept_body(capture(proxy.meter_dir, row), "response") or b"").endswith(b"[DONE]\n\n")
        assert proxy.stop() == 0
        assert "Traceback" not in proxy.output
