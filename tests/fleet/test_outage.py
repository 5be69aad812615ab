"""Four real proxies, ClickHouse stopped and started twice meanwhile, a sender killed: every row is there once."""

import os
from pathlib import Path

import pytest
from outage import run

from provider import Provider


@pytest.mark.clickhouse
def test_every_row_is_there_once(tmp_path: Path) -> None:
    each = int(os.environ.get("MITMETER_TEST_EXCHANGES", "150"))
    with Provider() as upstream:
        found = run(tmp_path, upstream.url, each)
    assert found.load.failed == 0
    assert found.here[0] == found.asked == 4 * each
    assert found.there == found.here
    assert found.minutes == found.here[:2]
    assert found.durations == (found.here[0], found.here[0])
