"""What the log says of failures: nothing of what was being read."""

import logging
import sqlite3

import pytest

from mitmeter.mishaps import Mishaps

QUOTED = "Bearer sk-secret-of-somebody\nmeter #9 forged"


@pytest.mark.parametrize(
    ("error", "told"),
    [
        pytest.param(ValueError(f"cannot read {QUOTED}"), "(ValueError)", id="it quotes a header"),
        pytest.param(KeyError(QUOTED), "(KeyError)", id="it quotes a key"),
        pytest.param(UnicodeDecodeError("utf-8", QUOTED.encode(), 0, 1, "bad"), "(UnicodeDecodeError)", id="a body"),
        pytest.param(OSError(28, "No space left on device"), "(OSError: [Errno 28] No space", id="the disk"),
        pytest.param(sqlite3.OperationalError("database is locked"), "database is locked", id="the database"),
    ],
)
def test_a_failure_is_named_and_counted(error: Exception, told: str, caplog: pytest.LogCaptureFixture) -> None:
    mishaps = Mishaps()
    with caplog.at_level(logging.WARNING):
        mishaps.failed("read_failures", error)
        mishaps.failed("read_failures", error)
    assert mishaps.totals["read_failures"] == 2
    assert len(caplog.messages) == 1
    assert told in caplog.messages[0]
    assert "secret" not in caplog.text
    assert "forged" not in caplog.text
