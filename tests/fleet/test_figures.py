"""What the page asks is answered alike by a meter_dir and by the fleet that has its rows."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from test_contract import ship
from traffic import START, fill

from mitmeter.fleet.address import address
from mitmeter.fleet.connection import Connection
from mitmeter.fleet.figures import Figures
from mitmeter.fleet.remote import Remote
from mitmeter.store import figures, sorting
from mitmeter.store.facts import Facts
from mitmeter.store.figures import GROUPS, MEASURED
from mitmeter.store.filters import Filter
from mitmeter.store.sorting import SORTS
from mitmeter.store.sqlite import Store

pytestmark = pytest.mark.clickhouse


class Both:
    """The same rows twice."""

    def __init__(self, store: Store, remote: Remote) -> None:
        self.store, self.remote = store, remote
        self.facts, self.figures = Facts(store.connection), Figures(remote)
        self.facts.catch_up()


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory, engine: Path) -> Iterator[Both]:
    folder, url = tmp_path_factory.mktemp("figures") / "meter", f"chdb://{engine}?database=figures"
    fill(folder, 250)
    ship(folder, url)
    with Store(folder / "meter.db", readonly=True) as store, Remote(address(url)) as remote:
        yield Both(store, remote)


FILTERS = [
    pytest.param(Filter(), id="all"),
    pytest.param(Filter(model=("o*",)), id="models"),
    pytest.param(Filter(since=START + 33.3, until=START + 1500.7), id="some time"),
    pytest.param(Filter(since=START + 61.5, until=START + 62.5), id="no whole minute"),
    pytest.param(Filter(since=START + 90.0, provider=("anthropic",)), id="since, a provider"),
    pytest.param(Filter(since=START - 2 * 86_400, until=START + 86_400), id="whole days"),
    pytest.param(Filter(since=START + 70.0), id="since"),
    pytest.param(Filter(until=START + 1000.0), id="until"),
    pytest.param(Filter(until=START + 9e9), id="for ever"),
    pytest.param(Filter(status=(4, 500), outcome=("error",)), id="failed"),
    pytest.param(Filter(agent=("t/*",), client=("127.0.0.1",), operation=("chat",)), id="who"),
    pytest.param(Filter(model=("none",)), id="nothing"),
]


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("sort", SORTS)
def test_pages(both: Both, sort: str, order: Any) -> None:
    here = sorting.page(both.store.connection, both.facts, Filter(), sort, order, 40, 20)
    rows, total = both.figures.page(Filter(), sort, order, 40, 20)
    assert [row.id for row in rows] == here and total == 250


def near(found: Any) -> Any:
    return pytest.approx(found) if isinstance(found, float) else found


@pytest.mark.parametrize("wanted", FILTERS)
def test_sums_and_histograms(both: Both, wanted: Filter) -> None:
    assert both.remote.requests(wanted) == both.store.requests(wanted)
    assert both.figures.by_model(wanted) == figures.by_model(both.facts, wanted)
    assert both.figures.span(wanted) == figures.span(both.facts, wanted)
    for name in MEASURED:
        here, there = figures.measured(both.facts, name, wanted), both.figures.measured(name, wanted)
        assert (here is None) == (there is None)
        if here is not None and there is not None:
            assert there == {key: near(value) for key, value in here.items()}


COURSES = [
    pytest.param(Filter(), START, START + 2000.0, 13, 50, id="all"),
    pytest.param(Filter(), START + 0.7, START + 1801.3, 5, 2, id="a part of it, the rest together"),
    pytest.param(Filter(), START, START + 1800.0, 6, 3, id="whole minutes"),
    pytest.param(Filter(since=START + 100.0, until=START + 1500.5), START, START + 2000.0, 8, 2, id="some time"),
    pytest.param(Filter(since=START + 120.0, until=START + 1500.0), START + 120.0, START + 1500.0, 4, 9, id="minutes"),
    pytest.param(Filter(model=("o*",), host=("h0.invalid",)), START - 7200.0, START + 9000.9, 7, 2, id="a model"),
    pytest.param(Filter(outcome=("error",)), START, START + 1900.1, 7, 2, id="failed"),
    pytest.param(Filter(model=("none",)), START, START + 1900.1, 7, 2, id="nothing"),
]


@pytest.mark.parametrize("by", GROUPS)
@pytest.mark.parametrize(("wanted", "since", "until", "buckets", "top"), COURSES)
def test_courses(both: Both, by: str, wanted: Filter, since: float, until: float, buckets: int, top: int) -> None:
    def ordered(told: list[dict[str, Any]]) -> list[Any]:
        return sorted((str(line.pop("name")), str(line)) for line in told)

    given = (wanted, by, since, until, buckets, top)
    assert ordered(both.figures.course(*given)) == ordered(figures.course(both.facts, *given))


def test_choices(both: Both) -> None:
    here, there = figures.choices(both.facts), both.figures.choices()
    same: Callable[[list[Any]], set[Any]] = set
    assert {name: same(values) for name, values in there.items()} == {
        name: same(values) for name, values in here.items()
    }


def test_what_has_come(both: Both) -> None:
    assert both.figures.latest() in range(1, 251)
    assert both.figures.after(both.figures.latest(), 10) == []


def test_days_before_the_counts_were_made_are_read(tmp_path: Path, inside: str) -> None:
    """As of tables of version 1, which had rows before they were brought up to date."""
    folder, database = tmp_path / "meter", address(inside).database
    fill(folder, 60)
    ship(folder, inside)
    connection = Connection(address(inside))
    for statement in ("DROP TABLE {}.spread_out", "DROP TABLE {}.spreads", "TRUNCATE TABLE {}.versions"):
        connection.command(statement.format(database))
    connection.command(f"INSERT INTO {database}.versions (version) VALUES (1)")
    with Remote(address(inside)) as remote, Store(folder / "meter.db", readonly=True) as store:
        facts = Facts(store.connection)
        facts.catch_up()
        before = Figures(remote).measured("duration_histogram", Filter())
        assert before == figures.measured(facts, "duration_histogram", Filter())
    fill(folder, 30, seed=2)
    ship(folder, inside)
    # So that it does not matter when the test is run.
    connection.command(f"ALTER TABLE {database}.versions DELETE WHERE version = 2 SETTINGS mutations_sync = 2")
    connection.command(f"INSERT INTO {database}.versions VALUES (2, toDateTime64({START}, 6, 'UTC'))")
    assert connection.query(f"SELECT sum(number) > 0 FROM {database}.spreads") == [(True,)]
    with Remote(address(inside)) as remote, Store(folder / "meter.db", readonly=True) as store:
        facts = Facts(store.connection)
        facts.catch_up()
        for wanted in (Filter(), Filter(since=START + 100.0), Filter(until=START + 3 * 86_400)):
            there = Figures(remote).measured("duration_histogram", wanted)
            assert there == figures.measured(facts, "duration_histogram", wanted)
