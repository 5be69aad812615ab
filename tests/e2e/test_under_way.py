"""What is under way can be seen from other processes: a file for each proxy, `mitmeter tail`."""

import json
import os
import pty
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from faulty import until

from harness import Mitm, wait_rows
from harness.asking import CHAT, MESSAGES, TURNS, ask
from harness.mitm import ROOT
from harness.rows import MITMETER
from mitmeter import inflight
from provider import Provider

SECRET = "sk-proj-" + "Ab3dEf6hIj" * 4
ASKED: dict[str, Any] = {
    "model": "m",
    "max_tokens": 100,
    "stream": True,
    "thinking": {"type": "enabled"},
    "messages": TURNS,
}


@pytest.fixture(scope="module")
def proxy(upstream: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mitm]:
    with Mitm(upstream.url, tmp_path_factory.mktemp("underway")) as started:
        yield started


@pytest.fixture(scope="module")
def upstream() -> Iterator[Provider]:
    with Provider() as started:
        yield started


def asking(
    port: int, agent: str, path: str = MESSAGES, body: dict[str, Any] = ASKED, **headers: str
) -> threading.Thread:
    thread = threading.Thread(target=ask, args=(port, agent, path, body), kwargs=headers)
    thread.start()
    return thread


def watch(folder: Path, thread: threading.Thread) -> list[inflight.InFlight]:
    """All that was to be seen while a client waited."""
    seen = []
    while thread.is_alive():
        seen += inflight.read(folder)
        time.sleep(0.1)
    return seen


def files(folder: Path) -> list[Path]:
    return [path for path in (folder / "open").glob("*") if not path.name.startswith(".")]


def environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(ROOT / "addon"), "PYTHONUNBUFFERED": "1", "TERM": "xterm", "COLUMNS": "140"}


def command(folder: Path, *arguments: str) -> list[str]:
    return [sys.executable, "-c", MITMETER, "--dir", str(folder), "tail", *arguments]


def test_it_waits_thinks_and_generates(proxy: Mitm) -> None:
    seen = watch(proxy.meter_dir, asking(proxy.port, "watched", x_pace_first="1200", x_pace_gap="80"))
    assert list(dict.fromkeys(one.state for one in seen)) == ["waiting", "thinking", "generating"]
    for values in ([one.elapsed_ms for one in seen], [one.response_bytes for one in seen]):
        assert values == sorted(values)
    first, last = seen[0], seen[-1]
    assert (first.request_model, first.stream, first.status, first.client.agent) == ("m", True, 200, "watched")
    assert (last.api, last.path, last.status, last.stream) == ("messages", MESSAGES, 200, True)
    assert last.usage is not None
    assert last.usage.input_tokens == 4
    assert last.response_bytes > 1000
    assert until(lambda: not files(proxy.meter_dir), 2)


def test_nobody_else_reads_the_file(proxy: Mitm) -> None:
    thread = asking(proxy.port, "private", x_pace_first="1500")
    while not files(proxy.meter_dir):
        assert thread.is_alive()
        time.sleep(0.05)
    (file,) = files(proxy.meter_dir)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    thread.join()


def test_what_is_short_is_never_written(proxy: Mitm) -> None:
    assert until(lambda: not files(proxy.meter_dir), 2)
    before = (proxy.meter_dir / "open").stat().st_mtime_ns
    for number in range(40):
        ask(proxy.port, f"short-{number}", CHAT)
    time.sleep(0.6)
    assert (proxy.meter_dir / "open").stat().st_mtime_ns == before


def test_secrets_do_not_reach_the_file(proxy: Mitm) -> None:
    body, seen = {**ASKED, "model": f"m-{SECRET}"}, []
    path = f"/v1/messages?key={SECRET}"
    thread = asking(proxy.port, f"agent {SECRET}", path, body, x_pace_first="1500", x_api_key=SECRET)
    while thread.is_alive():
        seen += [file.read_text() for file in files(proxy.meter_dir)]
        time.sleep(0.05)
    assert seen
    assert not any(SECRET in text for text in seen)
    assert any("m-[REDACTED" in text for text in seen)


def test_two_proxies_and_one_that_was_killed(upstream: Provider, proxy: Mitm, tmp_path: Path) -> None:
    with Mitm(upstream.url, tmp_path, meter_dir=proxy.meter_dir) as other:
        threads = [asking(one.port, f"one-of-{one.port}", x_pace_first="6000") for one in (proxy, other)]
        agents = {f"one-of-{one.port}" for one in (proxy, other)}
        assert until(lambda: {one.client.agent for one in inflight.read(proxy.meter_dir)} == agents, 5)
        other.kill()
        assert [one.client.agent for one in inflight.read(proxy.meter_dir)] == [f"one-of-{proxy.port}"]
        assert len(files(proxy.meter_dir)) == 1
        for thread in threads:
            thread.join()


def test_a_proxy_that_stops_leaves_no_file(upstream: Provider, tmp_path: Path) -> None:
    with Mitm(upstream.url, tmp_path) as proxy:
        thread = asking(proxy.port, "cut", x_pace_first="6000")
        assert until(lambda: len(files(proxy.meter_dir)) == 1, 5)
        proxy.stop()
        thread.join()
        assert files(proxy.meter_dir) == []


@pytest.mark.parametrize("content", [b"", b"[]", b'{"written": 1, "open": []}', b'{"written": "x"}', b"\xff\xfe"])
def test_files_that_are_stale_or_broken(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "open").mkdir()
    path = tmp_path / "open" / f"{os.getpid()}-0.json"
    path.write_bytes(content)
    (tmp_path / "open" / "not-a-process.json").write_bytes(content)
    assert inflight.read(tmp_path) == []
    assert path.exists()


def test_tail_in_json(proxy: Mitm) -> None:
    arguments = command(proxy.meter_dir, "--json", "--open", "-n", "0")
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, env=environment()) as tail:
        time.sleep(1.0)
        asking(proxy.port, "tailed", x_pace_first="1200", x_pace_gap="60").join()
        wait_rows(proxy.meter_dir, 1, wanted=lambda row: row["client"]["agent"] == "tailed")
        time.sleep(1.0)
        tail.terminate()
        told = [json.loads(line) for line in tail.communicate()[0].splitlines()]
    states = [one.get("state") for one in told if one["client"]["agent"] == "tailed"]
    assert list(dict.fromkeys(states)) == ["waiting", "thinking", "generating", None]
    assert len({one["flow_id"] for one in told if one["client"]["agent"] == "tailed"}) == 1
    assert len({one["started"] for one in told if one["client"]["agent"] == "tailed"}) == 1


def test_tail_on_a_terminal(proxy: Mitm) -> None:
    ours, theirs = pty.openpty()
    with subprocess.Popen(command(proxy.meter_dir, "-n", "1"), stdout=theirs, stderr=theirs, env=environment()) as tail:
        os.close(theirs)
        thread = asking(proxy.port, "on-a-terminal", x_pace_first="1200", x_pace_gap="60")
        seen = b""
        deadline = time.monotonic() + 15
        while b"waiting" not in seen or b"generating" not in seen or thread.is_alive():
            assert time.monotonic() < deadline, seen
            seen += os.read(ours, 1 << 16)
        tail.terminate()
    os.close(ours)
    assert b"on-a-terminal" in seen
