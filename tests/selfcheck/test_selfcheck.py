"""`mitmeter selfcheck` finds none of what it plants, and finds all of it where nothing is redacted."""

import subprocess
import sys
from pathlib import Path

from harness.mitm import ADDON, ROOT
from mitmeter.selfcheck import check, table

LEAST = 60
SURFACES = ("log", "ls", "meter.db", "open/", "api metrics", "api captures 1", "api events", "/metrics", "show 1")
OFF = """
from msgspec.structs import asdict
from mitmeter.redact import Redacted, Redactor

Redactor.capture = lambda self, capture, *, stream=True: Redacted(**asdict(capture))
Redactor.exchange = lambda self, exchange: exchange
Redactor.both = lambda self, exchange, capture, *, stream=True: (exchange, Redacted(**asdict(capture)))
addons = []
"""
COMMAND = "import sys; sys.path.insert(0, {!r}); from mitmeter.cli import main; main(['selfcheck', *sys.argv[1:]])"


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    shown = COMMAND.format(str(ROOT / "addon"))
    return subprocess.run([sys.executable, "-c", shown, *arguments], capture_output=True, text=True, check=False)


def test_nothing_that_is_planted_is_found() -> None:
    done = command()
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert sum(line.endswith("not found") for line in lines) >= LEAST
    assert "FOUND" not in done.stdout


def test_without_redaction_all_of_it_is_found(tmp_path: Path) -> None:
    off = tmp_path / "off.py"
    off.write_text(OFF)
    report = check(ADDON, [off])
    assert len(report.plants) >= LEAST
    assert [plant.place for plant in report.plants if plant.place not in report.found] == []
    assert [name for name in SURFACES if not any(trace.startswith(name) for trace in report.looked)] == []
    assert f"{len(report.plants)} of {len(report.plants)} planted" in list(table(report))[-1]


def test_the_command_fails_over_a_find(tmp_path: Path) -> None:
    off = tmp_path / "off.py"
    off.write_text(OFF)
    done = command("--script", str(off))
    assert done.returncode == 1
    assert "FOUND in " in done.stdout
