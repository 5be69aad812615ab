"""The rows of a meter folder, read as a user reads them: `mitmeter ls --json`."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from harness.mitm import ROOT

MITMETER = "from mitmeter.cli import main; main()"


def mitmeter(meter_dir: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs the command line in the checkout, installed or not."""
    paths = [str(ROOT / "addon"), os.environ.get("PYTHONPATH", "")]
    env = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))}
    command = [sys.executable, "-c", MITMETER, "--dir", str(meter_dir), *arguments]
    return subprocess.run(command, env=env, capture_output=True, encoding="utf-8", check=False, timeout=60)


def rows(meter_dir: Path, limit: int = 100_000) -> list[dict[str, Any]]:
    """All rows, oldest first; none while there is no database yet."""
    if not (meter_dir / "meter.db").exists():
        return []
    done = mitmeter(meter_dir, "ls", "--json", "--limit", str(limit))
    if done.returncode:
        raise RuntimeError(f"mitmeter ls failed ({done.returncode}): {done.stderr}")
    return [json.loads(line) for line in done.stdout.splitlines()]


def wait_rows(meter_dir: Path, number: int, seconds: float = 10.0) -> list[dict[str, Any]]:
    """The rows, as soon as there are at least `number` of them or the time is over; the caller asserts."""
    deadline = time.monotonic() + seconds
    while True:
        found = rows(meter_dir)
        if len(found) >= number or time.monotonic() > deadline:
            return found
        time.sleep(0.1)
