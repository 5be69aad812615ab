"""What a meter folder shows a user: `mitmeter ls --json` and `show ID --json`, run in this process to be fast."""

import base64
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from harness.mitm import ROOT

MITMETER = "from mitmeter.cli import main; main()"

type Row = dict[str, Any]


def mitmeter(meter_dir: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs the command line as a process of its own, in the checkout, installed or not."""
    paths = [str(ROOT / "addon"), os.environ.get("PYTHONPATH", "")]
    env = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))}
    command = [sys.executable, "-c", MITMETER, "--dir", str(meter_dir), *arguments]
    return subprocess.run(command, env=env, capture_output=True, encoding="utf-8", check=False, timeout=60)


def told(meter_dir: Path, *arguments: str) -> str:
    """What `mitmeter` prints; an exit code other than 0 is an error."""
    from mitmeter.cli import main

    done = CliRunner().invoke(main, ["--dir", str(meter_dir), *arguments])
    if done.exit_code:
        raise RuntimeError(f"mitmeter {arguments} failed ({done.exit_code}): {done.output}")
    return done.stdout


def rows(meter_dir: Path, limit: int = 100_000) -> list[Row]:
    """All rows, oldest first; none while there is no database yet."""
    if not (meter_dir / "meter.db").exists():
        return []
    return [json.loads(line) for line in told(meter_dir, "ls", "--json", "--limit", str(limit)).splitlines()]


def wait_rows(
    meter_dir: Path, number: int, seconds: float = 10.0, wanted: Callable[[Row], bool] = lambda row: True
) -> list[Row]:
    """The wanted rows, as soon as there are at least `number` of them or the time is over; the caller asserts."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            found = [row for row in rows(meter_dir) if wanted(row)]
        except RuntimeError:  # a database is there before its tables are
            if time.monotonic() > deadline:
                raise
            found = []
        if len(found) >= number or time.monotonic() > deadline:
            return found
        time.sleep(0.05)


def rows_of(meter_dir: Path, agent: str, number: int = 1, seconds: float = 10.0) -> list[Row]:
    """The rows of the client with this User-Agent."""
    return wait_rows(meter_dir, number, seconds, lambda row: row["client"]["agent"] == agent)


def capture(meter_dir: Path, row: Row) -> dict[str, Any]:
    """The capture of a row."""
    shown = json.loads(told(meter_dir, "show", str(row["id"]), "--json"))
    found: dict[str, Any] = shown["capture"]
    return found


def kept_body(found: dict[str, Any], side: str) -> bytes | None:
    """The `request` or `response` body of a capture, as bytes."""
    body, encoding = found[f"{side}_body"], found[f"{side}_body_encoding"]
    if body is None:
        return None
    return base64.b64decode(body) if encoding == "base64" else str(body).encode()


def holes(there: set[str], ended: set[str]) -> list[str]:
    """Replies missing though a later one of the same client is there; agents are `<client>-<turn>`."""
    last: dict[str, int] = {}
    for client, turn in (agent.rsplit("-", 1) for agent in there):
        last[client] = max(int(turn), last.get(client, 0))
    numbered = ((agent, *agent.rsplit("-", 1)) for agent in ended - there)
    return [agent for agent, client, turn in numbered if int(turn) < last.get(client, 0)]
