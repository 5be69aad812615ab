"""ClickHouse for the tests: its engine in this process, and over HTTP in one of its own."""

import importlib.util
import itertools
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import pytest

from harness.ports import free_port

_databases = itertools.count()


class Server:
    """ClickHouse's HTTP interface on loopback; may be stopped and started again with what it holds."""

    def __init__(self, folder: Path, certificate: Path | None = None) -> None:
        self.folder, self.port, self.certificate = folder, free_port(), certificate
        self.process: subprocess.Popen[str] | None = None

    def start(self) -> Self:
        command = [sys.executable, str(Path(__file__).with_name("server.py")), str(self.folder), str(self.port)]
        command += [] if self.certificate is None else [str(self.certificate)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, encoding="utf-8")
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line.startswith("ready"), "the engine did not start"
        return self

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait(20)
            self.process = None

    def url(self, user: str = "user", database: str = "mitmeter") -> str:
        return f"clickhouse://{user}@127.0.0.1:{self.port}/{database}"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip loudly what needs the engine where it is not installed."""
    missing = [name for name in ("chdb", "clickhouse_connect") if importlib.util.find_spec(name) is None]
    for item in items:
        if missing and item.get_closest_marker("clickhouse"):
            item.add_marker(pytest.mark.skip(reason=f"no {missing[0]}: run scripts/clickhouse"))


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the engine in this process, which has one."""
    return tmp_path_factory.mktemp("chdb")


@pytest.fixture
def inside(engine: Path) -> str:
    """The URL of a database of its own in the engine of this process."""
    return f"chdb://{engine}?database=fleet{next(_databases)}"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A server in a process of its own."""
    running = Server(tmp_path / "server").start()
    yield running
    running.stop()


@pytest.fixture(autouse=True)
def _password(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("MITMETER_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("MITMETER_CLICKHOUSE_PASSWORD", "right")
