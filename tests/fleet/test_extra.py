"""Without the extra nothing of it is imported, and asking for it says what to install."""

import subprocess
import sys
from pathlib import Path

import pytest

ADDON = Path(__file__).parents[2] / "addon"
WITHOUT = "import sys; sys.modules['clickhouse_connect'] = None; "
ASKED = "from mitmeter.cli import main; main()"


def python(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(ADDON)!r}); {code}", *arguments]
    return subprocess.run(command, capture_output=True, encoding="utf-8", check=False, timeout=60)


@pytest.mark.parametrize("module", ["mitmeter.hooks", "mitmeter.cli", "mitmeter.fleet.shipper"])
def test_nothing_of_it_is_imported(module: str) -> None:
    heavy = "{'clickhouse_connect', 'chdb', 'urllib3', 'numpy', 'pandas'}"
    done = python(f"import {module}, sys; print(sorted({heavy} & set(sys.modules)))")
    assert done.stdout.strip() == "[]", done.stdout + done.stderr


def test_commands_say_what_to_install(tmp_path: Path) -> None:
    done = python(WITHOUT + ASKED, "--dir", "clickhouse://h", "ls")
    assert done.returncode == 1
    assert done.stderr == "Error: clickhouse-connect is not installed: pip install 'mitmeter[clickhouse]'\n"


def test_the_option_says_what_to_install() -> None:
    asked = "from mitmeter.options import clickhouse; clickhouse('meter_clickhouse', 'clickhouse://h')"
    done = python(WITHOUT + asked)
    assert "ValueError: meter_clickhouse: clickhouse-connect is not installed" in done.stderr


def test_a_password_in_an_option_is_refused_and_not_shown() -> None:
    done = python("from mitmeter.options import clickhouse; clickhouse('m', 'clickhouse://u:hunter2@h')")
    assert "a password does not belong in a URL" in done.stderr and "hunter2@" not in done.stderr.splitlines()[-1]
