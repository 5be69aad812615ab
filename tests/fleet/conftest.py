"""ClickHouse for the tests: its engine in this process, and over HTTP in one of its own."""

import importlib.util
import itertools
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from clickhouse import Server

_databases = itertools.count()


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


@pytest.fixture(params=["engine", "cluster"])
def fleet(request: pytest.FixtureRequest, inside: str) -> str:
    """The URL of a database of its own, on one node and as the tables of a cluster."""
    if request.param == "engine":
        return inside
    server: Server = request.getfixturevalue("server")
    return f"{server.url()}?cluster=c"


@pytest.fixture(autouse=True)
def _password(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("MITMETER_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("MITMETER_CLICKHOUSE_PASSWORD", "right")
