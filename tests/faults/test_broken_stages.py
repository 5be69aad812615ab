"""Metering that fails, a stage at a time: the client's bytes and times stay, and a row or a counter tells."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from statistics import median

import pytest
from faulty import complaints, counters, until

from harness import End, Mitm, rows, wait_rows
from harness.asking import ASKED, CHAT, DOCUMENT, SAID, STREAM, ask, counted
from harness.client import Reply
from provider import Provider

BREAK = """
import importlib

def fail(*given, **named):
    raise {error}("told to fail")

def running():
    module = importlib.import_module("{module}")
    owner = {owner}
    setattr(owner, "{name}", fail)
"""
GAP_MS = 15.0
LATE_MS = 100.0
AGENTS = [f"stream-{at}" for at in range(5)]


@dataclass(frozen=True)
class Stage:
    """A function that raises, and what tells of it."""

    module: str
    name: str
    counter: str
    anomaly: str | None = "metering_failed"
    kind: str = ""
    error: str = "RuntimeError"
    captured: bool = False
    rows: bool = True
    tokens: bool = False

    def script(self, folder: Path) -> Path:
        owner = f"module.{self.kind}" if self.kind else "module"
        path = folder / "break.py"
        path.write_text(BREAK.format(module=self.module, owner=owner, name=self.name, error=self.error))
        return path


STAGES = {
    "tee": Stage("mitmeter.live", "append", "lagged_bytes", "lagged", kind="Live", captured=True),
    "decoder": Stage("mitmeter.wire.codings", "feed", "metering_failed", kind="Codings"),
    "framing": Stage("mitmeter.wire", "feed", "metering_failed", kind="MessageDecoder"),
    "dialect": Stage("mitmeter.usage.reading", "feed", "metering_failed", kind="Reading"),
    "usage": Stage("mitmeter.usage.reading", "usage", "metering_failed", kind="Reading"),
    "redaction": Stage("mitmeter.redact", "both", "metering_failed", kind="Redactor"),
    "redaction-of-rows": Stage("mitmeter.redact", "_clear", "rows_dropped", kind="Redactor", rows=False),
    "archive-encode": Stage("mitmeter.shelf", "pieces", "captures_dropped", None, tokens=True),
    "archive-disk": Stage(
        "mitmeter.archive.segments", "append_all", "captures_dropped", None, "SegmentWriter", "OSError", tokens=True
    ),
    "archive-bug": Stage(
        "mitmeter.archive.segments", "append_all", "captures_dropped", None, "SegmentWriter", "KeyError", tokens=True
    ),
    "what-is-under-way": Stage(
        "mitmeter.inflight", "show", "open_untold", None, kind="Board", captured=True, tokens=True
    ),
    "store": Stage("mitmeter.store.sqlite", "add", "rows_dropped", None, "Batch", rows=False),
}


@pytest.fixture(scope="module")
def whole(upstream: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mitm]:
    """A proxy in which nothing fails."""
    with Mitm(upstream.url, tmp_path_factory.mktemp("whole")) as proxy:
        ask(proxy.port, "first")
        yield proxy


def side_by_side(one: Mitm, other: Mitm, agent: str, **headers: str) -> tuple[Reply, Reply]:
    """The same stream through two proxies at once, so that what else the machine does delays both."""
    with ThreadPoolExecutor(2) as pool:
        first, second = (pool.submit(ask, proxy.port, agent, **headers) for proxy in (one, other))
        return first.result(), second.result()


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_that_fails_costs_the_client_nothing(
    upstream: Provider, whole: Mitm, tmp_path: Path, name: str
) -> None:
    stage = STAGES[name]
    coding = {"x_shape": "coding=gzip"} if name == "decoder" else {}
    paced = {"x_pace_gap": str(GAP_MS), **coding}
    late, shares = list[float](), list[float]()
    with Mitm(upstream.url, tmp_path, arguments=["-s", str(stage.script(tmp_path))]) as proxy:
        ask(proxy.port, "first", **coding)
        direct = ask(upstream.port, "direct", **paced)
        for agent in AGENTS:
            through, beside = side_by_side(proxy, whole, agent, **paced)
            assert (through.status, through.end, through.headers) == (200, End.COMPLETE, direct.headers)
            assert sha256(through.body).digest() == sha256(direct.body).digest()
            late.append(through.arrivals_ms[-1] - beside.arrivals_ms[-1])
            shares.append(len(through.chunks) / len(beside.chunks))
        assert abs(median(late)) < LATE_MS
        assert median(shares) > 0.7
        assert ask(proxy.port, "document", CHAT, DOCUMENT).body == ask(upstream.port, "document", CHAT, DOCUMENT).body
        found = wait_rows(proxy.meter_dir, 2 + len(AGENTS), 5.0 if stage.rows else 1.0)
        assert [row["client"]["agent"] for row in found] == (["first", *AGENTS, "document"] if stage.rows else [])
        for row in found[:-1]:
            assert (row["outcome"], row["status"]) == ("complete", 200)
            assert row["has_capture"] is stage.captured
            assert stage.anomaly is None or stage.anomaly in row["anomalies"]
            assert counted(row) == ((ASKED, SAID) if stage.tokens else (None, None))
        assert until(lambda: stage.counter in complaints(proxy) or counters(proxy.meter_dir).get(stage.counter))
        assert len(complaints(proxy)) == len(set(complaints(proxy)))
        assert "Traceback" not in proxy.output
        assert proxy.stop() == 0
    if stage.rows:
        assert counters(proxy.meter_dir)[stage.counter] >= 1


BOUNDS = """
import mitmeter.hooks, mitmeter.worker
mitmeter.{where} = {value}
"""


def test_what_is_open_is_bounded(upstream: Provider, tmp_path: Path) -> None:
    script = tmp_path / "bounds.py"
    script.write_text(BOUNDS.format(where="hooks.OPEN", value=0))
    with Mitm(upstream.url, tmp_path, arguments=["-s", str(script)]) as proxy:
        assert ask(proxy.port, "too-many").body == ask(upstream.port, "too-many").body
        assert until(lambda: "exchanges_dropped" in complaints(proxy))
        assert not rows(proxy.meter_dir)


def test_what_waits_is_bounded(upstream: Provider, tmp_path: Path) -> None:
    """What is handed over while the worker is behind keeps its row and loses its details."""
    script = tmp_path / "bounds.py"
    script.write_text(BOUNDS.format(where="worker.WAITING_BYTES", value=10))
    with Mitm(upstream.url, tmp_path, arguments=["-s", str(script)]) as proxy:
        assert ask(proxy.port, "behind").body == ask(upstream.port, "behind").body
        (row,) = wait_rows(proxy.meter_dir, 1)
        assert (row["outcome"], row["status"], row["anomalies"]) == ("complete", 200, ["metering_failed"])
        assert "lagged" in complaints(proxy)
        ask(proxy.port, "later", body=STREAM)
        assert until(lambda: counters(proxy.meter_dir).get("lagged", 0) >= 1)
