"""`mitmeter stats`: `--watch`, as a process that Ctrl-C ends, and what has room."""

import json
import os
import signal
import subprocess
import sys
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from harness.mitm import ROOT
from harness.rows import MITMETER
from mitmeter import tables
from mitmeter.exchange import Exchange
from mitmeter.store.sqlite import Store


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with Store(tmp_path / "meter.db") as store, store.batch() as batch:
        batch.add(Exchange(flow_id="f", started=1.5, method="POST", host="h", path="/p", model="m", cost_usd=0.5))
    return tmp_path


def test_sums_come_again_until_ctrl_c(folder: Path) -> None:
    # Whoever runs the tests in a shell's background has them ignore it.
    heeding = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler);"
    command = [sys.executable, "-c", f"{heeding} {MITMETER}", "--dir", str(folder), "stats", "--watch", "--json"]
    env = os.environ | {"PYTHONPATH": str(ROOT / "addon"), "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True) as watching:
        assert watching.stdout is not None
        first = json.loads(watching.stdout.readline())
        with Store(folder / "meter.db") as store, store.batch() as batch:
            batch.add(Exchange(flow_id="g", started=2.5, method="POST", host="h", path="/p", model="m"))
        second = json.loads(watching.stdout.readline())
        watching.send_signal(signal.SIGINT)
        assert watching.wait(10) == 0
    assert [told["groups"][0]["requests"] for told in (first, second)] == [1, 2]
    assert first["groups"][0]["cost_usd"] == 0.5


def test_what_matters_most_stays_in_a_narrow_terminal(folder: Path) -> None:
    with Store(folder / "meter.db", readonly=True) as store:
        stats = store.stats("model")
    for width, columns in ((60, {"model", "$", "requests"}), (200, {"model", "$", "p95 ms", "reasoning"})):
        told = Console(width=width, file=StringIO(), highlight=False)
        told.print(tables.sums(stats, "model"))
        shown = told.file.getvalue()  # type: ignore[attr-defined]
        assert all(column in shown for column in columns)
        assert "…" not in shown.replace("─", "")
