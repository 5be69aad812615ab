"""The page's API answers the same of a meter_dir and of the fleet that has its rows."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from test_contract import ship
from traffic import fill

from harness.served import Served
from mitmeter.fleet.address import address

pytestmark = pytest.mark.clickhouse


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory, engine: Path) -> Iterator[tuple[Served, Served]]:
    folder, url = tmp_path_factory.mktemp("page") / "meter", f"chdb://{engine}?database=page"
    fill(folder, 120)
    ship(folder, url)
    with Served(folder) as here, Served(address(url)) as there:
        yield here, there


def lasting(told: Any) -> Any:
    """Without what depends on when it was asked; floats as far as sums in another order agree."""
    if isinstance(told, dict):
        return {name: lasting(value) for name, value in told.items() if name not in ("took_ms", "as_of", "last_id")}
    if isinstance(told, list):
        return [lasting(value) for value in told]
    return round(told, 6) if isinstance(told, float) else told


@pytest.mark.parametrize(
    "path",
    [
        "/api/metrics/activity",
        "/api/metrics/activity?page=3&limit=10&sort=duration&order=asc",
        "/api/metrics/activity?sort=model&limit=120",
        "/api/metrics/activity?model=o*&status=2xx",
        "/api/metrics/activity?outcome=error&limit=5",
        "/api/metrics?limit=20",
        "/api/metrics/stats",
        "/api/metrics/stats?model=one",
        "/api/metrics/stats?model=none",
        "/api/metrics/series?by=model&buckets=10",
        "/api/metrics/series?by=credential&buckets=5&model=one",
        *(f"/api/captures/7?view={view}" for view in ("", "full", "json", "frame", "request", "response")),
    ],
)
def test_both_answer_the_same(pages: tuple[Served, Served], path: str) -> None:
    here, there = (page.ask("GET", path) for page in pages)
    assert there.status == here.status == 200, there.body
    if "view=frame" in path or "view=re" in path:
        assert there.body == here.body
    else:
        assert lasting(json.loads(there.body)) == lasting(json.loads(here.body))


def test_a_search_finds_the_same(pages: tuple[Served, Served]) -> None:
    found = [page.get("/api/metrics/activity?text=1/3%3A&limit=100") for page in pages]
    assert found[0]["data"] == found[1]["data"] != []


def test_there_is_the_same_to_choose_from(pages: tuple[Served, Served]) -> None:
    here, there = (page.get("/api/metrics/values") for page in pages)
    assert {name: set(values) for name, values in there.items()} == {name: set(one) for name, one in here.items()}


def test_what_a_fleet_cannot_is_told(pages: tuple[Served, Served]) -> None:
    told = pages[1].get("/api/meter")
    assert (told["deletes"], told["in_flight"]) == (False, False)
    reply = pages[1].ask("DELETE", "/api/captures/7")
    assert reply.status == 405 and b"docs/fleet.md" in reply.body
