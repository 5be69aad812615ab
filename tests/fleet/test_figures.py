"""What the page asks is answered alike by a meter_dir and by the fleet that has its rows."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from clickhouse import Server
from test_contract import ship
from traffic import START, fill

from mitmeter.fleet import histograms, schema
from mitmeter.fleet.address import address
from mitmeter.fleet.connection import Connection
from mitmeter.fleet.figures import Figures
from mitmeter.fleet.remote import Remote
from mitmeter.store import figures, sorting
from mitmeter.store.facts import Facts
from mitmeter.store.figures import GROUPS, MEASURED
from mitmeter.store.filters import Filter, Window
from mitmeter.store.rows import COLUMNS
from mitmeter.store.sorting import SORTS
from mitmeter.store.sqlite import Store

pytestmark = pytest.mark.clickhouse


class Both:
    """The same rows twice."""

    def __init__(self, store: Store, remote: Remote) -> None:
        self.store, self.remote = store, remote
        self.facts, self.figures = Facts(store.connection), Figures(remote)
        self.facts.catch_up()


@pytest.fixture(scope="module", params=["engine", "cluster"])
def both(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, engine: Path) -> Iterator[Both]:
    folder = tmp_path_factory.mktemp("figures") / "meter"
    fill(folder, 250)
    with ExitStack() as stack:
        url = f"chdb://{engine}?database=figures"
        if request.param == "cluster":
            patch = stack.enter_context(pytest.MonkeyPatch.context())
            patch.setenv("MITMETER_CLICKHOUSE_PASSWORD", "right")
            server = Server(tmp_path_factory.mktemp("server") / "engine").start()
            stack.callback(server.stop)
            url = f"{server.url()}?cluster=c"
        ship(folder, url)
        store = stack.enter_context(Store(folder / "meter.db", readonly=True))
        remote = stack.enter_context(Remote(address(url)))
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


def same_histograms(facts: Facts, fleet: Figures, wanted: Filter) -> None:
    told = fleet.measured(tuple(MEASURED), wanted)
    for name, there in told.items():
        here = figures.measured(facts, name, wanted)
        assert (here is None) == (there is None), name
        if here is not None and there is not None:
            assert there == {key: near(value) for key, value in here.items()}, name
    assert tuple(told) == tuple(MEASURED)


@pytest.mark.parametrize("wanted", FILTERS)
def test_sums_and_histograms(both: Both, wanted: Filter) -> None:
    assert both.remote.requests(wanted) == both.store.requests(wanted)
    assert both.figures.by_model(wanted) == figures.by_model(both.facts, wanted)
    assert both.figures.span(wanted) == figures.span(both.facts, wanted)
    same_histograms(both.facts, both.figures, wanted)


@pytest.mark.parametrize("wanted", FILTERS)
def test_histograms_of_rows_that_are_not_fetched(both: Both, wanted: Filter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(histograms, "AT_HAND", 0)
    same_histograms(both.facts, Figures(both.remote), wanted)


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


def test_a_cluster_has_tables_over_all_nodes(both: Both) -> None:
    found = both.remote.connection.query(
        "SELECT name, engine FROM system.tables WHERE database IN ('figures', 'mitmeter')"
    )
    engines = {str(name): str(engine) for name, engine in found}
    for name in ("exchanges", "captures", "minutes", "measures"):
        shard = engines.get(f"{name}_shard")
        assert (engines[name] == "Distributed") == (shard is not None), engines


def test_choices(both: Both) -> None:
    here, there = figures.choices(both.facts), both.figures.choices()
    same: Callable[[list[Any]], set[Any]] = set
    assert {name: same(values) for name, values in there.items()} == {
        name: same(values) for name, values in here.items()
    }


def test_what_has_come(both: Both) -> None:
    assert both.figures.latest() in range(1, 251)
    assert both.figures.after(both.figures.latest(), 10) == []


def test_days_before_the_measures_were_laid_out_are_read(tmp_path: Path, inside: str) -> None:
    """As of tables of version 1, which had rows before they were brought up to date."""
    folder, database = tmp_path / "meter", address(inside).database
    fill(folder, 60)
    ship(folder, inside)
    connection = Connection(address(inside))
    for statement in ("DROP TABLE {}.laid_out", "DROP TABLE {}.measures", "TRUNCATE TABLE {}.versions"):
        connection.command(statement.format(database))
    connection.command(f"ALTER TABLE {database}.exchanges DROP PROJECTION by_model SETTINGS mutations_sync = 2")
    connection.command(f"INSERT INTO {database}.versions (version) VALUES (1)")
    with Remote(address(inside)) as remote, Store(folder / "meter.db", readonly=True) as store:
        facts = Facts(store.connection)
        facts.catch_up()
        same_histograms(facts, Figures(remote), Filter())
    fill(folder, 30, seed=2)
    ship(folder, inside)
    # So that it does not matter when the test is run.
    connection.command(f"ALTER TABLE {database}.versions DELETE WHERE version = 3 SETTINGS mutations_sync = 2")
    connection.command(f"INSERT INTO {database}.versions VALUES (3, toDateTime64({START}, 6, 'UTC'))")
    assert connection.query(f"SELECT sum(number) > 0 FROM {database}.measures") == [(True,)]
    with Remote(address(inside)) as remote, Store(folder / "meter.db", readonly=True) as store:
        facts = Facts(store.connection)
        facts.catch_up()
        for wanted in (
            *(Filter(), Filter(since=START + 100.0), Filter(until=START + 3 * 86_400)),
            Filter(model=("o*",)),
        ):
            same_histograms(facts, Figures(remote), wanted)
        for statement in schema.summed_anew(address(inside)):
            connection.command(statement)
        assert schema.measured_since(connection) == date(1970, 1, 2)
        same_histograms(facts, Figures(remote), Filter())


DAYS = [
    Filter(),
    Filter(since=START + 90_000.0, until=START + 400_000.5),
    Filter(since=START // 86_400 * 86_400 + 86_400, until=START + 300_000.0),
    Filter(until=START // 86_400 * 86_400 + 3 * 86_400),
    Filter(since=START + 1_000.0, until=START + 20_000.0),
    Filter(since=START + 9e5),
]


@pytest.mark.parametrize("fetched", [200_000, 0])
def test_histograms_of_days(tmp_path: Path, inside: str, monkeypatch: pytest.MonkeyPatch, fetched: int) -> None:
    monkeypatch.setattr(histograms, "AT_HAND", fetched)
    fill(tmp_path / "meter", 150, every=4_000.0)
    ship(tmp_path / "meter", inside)
    with Remote(address(inside)) as remote, Store(tmp_path / "meter" / "meter.db", readonly=True) as store:
        facts = Facts(store.connection)
        facts.catch_up()
        for wanted in DAYS:
            same_histograms(facts, Figures(remote), wanted)


def test_merged_parts_tell_the_same_of_a_model(tmp_path: Path, inside: str) -> None:
    """The projection has no row of those that a merge leaves out."""
    folder, database = tmp_path / "meter", address(inside).database
    fill(folder, 80)
    ship(folder, inside)
    connection = Connection(address(inside))
    copied = ", ".join(name for name in ("id", "position", "captured", *COLUMNS))
    connection.command(f"INSERT INTO {database}.exchanges ({copied}) SELECT {copied} FROM {database}.exchanges")
    connection.command(f"OPTIMIZE TABLE {database}.exchanges FINAL")
    by_model = f"FROM {database}.exchanges WHERE model = 'one' SETTINGS force_optimize_projection = 1"
    with Remote(address(inside)) as remote, Store(folder / "meter.db", readonly=True) as store:
        facts = Facts(store.connection)
        facts.catch_up()
        connection.query(f"SELECT duration_ms {by_model}")
        for wanted in (Filter(model=("one",)), Filter(model=("*",)), Filter(provider=("anthropic",))):
            same_histograms(facts, Figures(remote), wanted)
    with Store(folder / "meter.db") as store:
        gone = next(row for row in store.rows() if row.exchange.model == "one").exchange.credential
        store.connection.execute("DELETE FROM exchanges WHERE credential = ?", [gone])
        store.connection.commit()
        connection.command(f"DELETE FROM {database}.exchanges WHERE credential = '{gone}'")
        facts = Facts(store.connection)
        facts.catch_up()
        with Remote(address(inside)) as remote:
            same_histograms(facts, Figures(remote), Filter(model=("one",)))


def test_pages_go_on_after_a_row_that_is_gone(tmp_path: Path, inside: str) -> None:
    folder, database = tmp_path / "meter", address(inside).database
    fill(folder, 90)
    ship(folder, inside)
    with Remote(address(inside)) as remote:
        every = [row.id for row in remote.rows()]
        page, seen = remote.rows(Window(limit=30)), []
        while page:
            seen = [row.id for row in page] + seen
            remote.connection.command(f"DELETE FROM {database}.exchanges WHERE id = {page[0].id}")
            page = remote.rows(Window(limit=30, before=page[0].id))
        assert seen == every
