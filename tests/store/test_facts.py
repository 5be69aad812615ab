"""The narrow copy of the rows: sorted, summed and counted as the rows themselves would be."""

from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mitmeter.exchange import Client, Exchange, Outcome, Timing, Usage
from mitmeter.store import figures, sorting
from mitmeter.store.facts import Facts
from mitmeter.store.filters import Filter, Window
from mitmeter.store.histogram import Listed, histogram
from mitmeter.store.rows import Row
from mitmeter.store.sqlite import Store

ROWS = 400
OUTCOMES = tuple(Outcome)


def made(chance: Random, number: int) -> Exchange:
    def maybe(value: Any) -> Any:
        return None if chance.random() < 0.3 else value

    return Exchange(
        flow_id=f"f{number}",
        started=1000.0 + chance.randrange(300),
        method="POST",
        host=chance.choice(("a.test", "b.test")),
        path=f"/v{chance.randrange(3)}",
        provider=maybe(chance.choice(("openai", "anthropic"))),
        operation=maybe("chat"),
        model=maybe(f"m{chance.randrange(12)}"),
        stream=chance.random() < 0.5,
        status=maybe(chance.choice((200, 429, 500))),
        content_type=maybe("application/json"),
        outcome=chance.choice(OUTCOMES),
        finish=maybe("stop"),
        credential=maybe("k_1"),
        session=maybe("s_1"),
        usage=Usage(
            input_tokens=maybe(chance.randrange(5)),
            output_tokens=maybe(chance.randrange(5)),
            cache_read_tokens=maybe(chance.randrange(3)),
            draft_tokens=maybe(chance.randrange(3)),
        ),
        timing=Timing(
            duration_ms=maybe(chance.random() * 10),
            first_token_ms=maybe(float(chance.randrange(9))),
            tokens_per_second=maybe(float(chance.randrange(-1, 9))),
        ),
        client=Client(address=maybe(f"10.0.0.{chance.randrange(4)}"), agent=maybe("ä/1")),
        cost_usd=maybe(0.25),
    )


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Facts, list[Row], Store]]:
    """The facts, the rows, and who writes them."""
    path, chance = tmp_path_factory.mktemp("facts") / "meter.db", Random(3)
    with Store(path) as writer, writer.batch() as batch:
        for number in range(ROWS):
            batch.add(made(chance, number))
    with Store(path) as writer, Store(path, readonly=True) as reader:
        facts = Facts(reader.connection)
        facts.catch_up()
        yield facts, writer.rows(), writer


FILTERS: dict[str, Filter] = {
    "all": Filter(),
    "a model": Filter(model=("m3",)),
    "models by pattern": Filter(model=("m1*",)),
    "no such model": Filter(model=("nobody",)),
    "two parts": Filter(provider=("openai",), outcome=("error", "unreachable")),
    "a class of status": Filter(status=(5,)),
    "a time": Filter(since=1100.0, until=1200.0),
    "from a time on": Filter(since=1290.0, host=("a.test",)),
    "no such time": Filter(since=5000.0),
    "ids": Filter(first=50, last=70),
    "who": Filter(client=("10.0.0.1",), agent=("ä*",)),
    "operation, key, session": Filter(operation=("chat",), credential=("k_1",), session=("s_1",)),
    "captured": Filter(captured=True),
}
KEYS = sorting.SORTS


def value(row: Row, column: str) -> Any:
    exchange = row.exchange
    for part in (exchange.usage, exchange.timing, exchange.sizes):
        if column in part.__struct_fields__:
            return getattr(part, column)
    if column == "id":
        return row.id
    if column.startswith("client_"):
        return getattr(exchange.client, column.removeprefix("client_"))
    return getattr(exchange, column)


def wanted_rows(store: Store, wanted: Filter) -> list[Row]:
    return store.rows(Window(wanted=wanted))


@pytest.mark.parametrize("sort", KEYS)
@pytest.mark.parametrize("name", FILTERS)
def test_sorted_as_python_sorts(kept: tuple[Facts, list[Row], Store], name: str, sort: str) -> None:
    facts, _, store = kept
    wanted, column = FILTERS[name], KEYS[sort]

    def key(row: Row) -> tuple[bool, Any, int]:
        found = value(row, column)
        return found is not None, found if found is not None else 0, row.id

    expected = [row.id for row in sorted(wanted_rows(store, wanted), key=key)]
    connection = facts.connection
    assert sorting.page(connection, facts, wanted, sort, "asc", ROWS) == expected
    assert sorting.page(connection, facts, wanted, sort, "desc", 7, 3) == expected[::-1][3:10]
    if not sorting.needs_facts(wanted, sort, 0):
        assert sorting.page(connection, None, wanted, sort, "asc", 10, 5) == expected[5:15]
    assert sorting.number(facts, wanted) == len(expected)


@pytest.mark.parametrize("name", FILTERS)
def test_sums_and_histograms(kept: tuple[Facts, list[Row], Store], name: str) -> None:
    facts, _, store = kept
    rows = wanted_rows(store, FILTERS[name])
    groups = figures.by_model(facts, FILTERS[name])
    assert sorted(str(group["model"]) for group in groups) == sorted({str(row.exchange.model) for row in rows})
    total = figures.added(groups)
    for field in ("input_tokens", "output_tokens", "cache_read_tokens"):
        known = [count for row in rows if (count := getattr(row.exchange.usage, field)) is not None]
        assert total[field] == (sum(known) if known else None)
    assert (total["requests"] or 0) == len(rows)
    failed = [row for row in rows if row.exchange.outcome in (Outcome.ERROR, Outcome.UNREACHABLE)]
    assert (total["errors"] or 0) == len(failed)
    for measure, column in figures.MEASURED.items():
        values = sorted(found for row in rows if (found := value(row, column)) is not None and found > 0)
        assert figures.measured(facts, measure, FILTERS[name]) == histogram(Listed(values))


@pytest.mark.parametrize("by", figures.GROUPS)
def test_a_course_adds_up(kept: tuple[Facts, list[Row], Store], by: str) -> None:
    facts, rows, _ = kept
    begin, end = figures.span(facts, Filter()) or (0.0, 0.0)
    assert (begin, end) == (min(row.exchange.started for row in rows), max(row.exchange.started for row in rows))
    for top in (1, 20):
        series = figures.course(facts, Filter(), by, begin, end, 10, top)
        assert sum(sum(one["requests"]) for one in series) == ROWS
        assert {len(one["requests"]) for one in series} == {10}
        assert sum(sum(one["input_tokens"]) for one in series) == sum(
            row.exchange.usage.input_tokens or 0 for row in rows
        )
        assert [one["rest"] for one in series[top:]] in ([], [True])


def test_what_there_is_to_choose_from(kept: tuple[Facts, list[Row], Store]) -> None:
    facts, rows, _ = kept
    choices = figures.choices(facts)
    assert set(choices["model"]) == {row.exchange.model for row in rows if row.exchange.model}
    assert set(choices["status"]) == {200, 429, 500}
    counts = [sum(row.exchange.host == host for row in rows) for host in choices["host"]]
    assert counts == sorted(counts, reverse=True)


def test_an_index_finds_the_same_values(kept: tuple[Facts, list[Row], Store], monkeypatch: pytest.MonkeyPatch) -> None:
    facts, _, _ = kept
    for measure in figures.MEASURED:
        expected = figures.measured(facts, measure, Filter())
        monkeypatch.setattr("mitmeter.store.ordered.MANY", 0)
        assert figures.measured(facts, measure, Filter()) == expected
        monkeypatch.undo()


@pytest.mark.parametrize("step", [1, 7, 64, 20_000])
def test_it_takes_in_what_is_asked_for_the_newest_first(
    step: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mitmeter.store.facts._STEP", step)
    chance, path = Random(7), tmp_path / "meter.db"
    with Store(path) as writer, Store(path, readonly=True) as reader:
        with writer.batch() as batch:
            idents = [batch.add(made(chance, number)) for number in range(200)]
            batch.delete(idents[:50])
            batch.delete(idents[120:130])
        facts = Facts(reader.connection)
        for wanted in (Filter(first=190), Filter(since=1250.0), Filter(first=100, model=("m3",)), Filter()):
            facts.catch_up()
            expected = [row.id for row in writer.rows(Window(wanted=wanted))]
            assert sorting.page(facts.connection, facts, wanted, "id", "asc", 500) == expected
            with writer.batch() as batch:
                batch.delete([batch.add(made(chance, 1)), expected[-1]])
                batch.add(made(chance, 2))
        assert facts.cover_more()
        assert len(facts) == sorting.number(facts, Filter())


def test_it_follows_what_is_added_and_deleted(tmp_path: Path) -> None:
    chance = Random(5)
    path = tmp_path / "meter.db"
    with Store(path) as writer, Store(path) as reader:
        facts = Facts(reader.connection)
        facts.catch_up()
        assert figures.by_model(facts, Filter()) == []
        for turn in range(6):
            with writer.batch() as batch:
                added = [batch.add(made(chance, number)) for number in range(50)]
                if turn % 2:
                    batch.delete(added[10:20])
                    batch.delete([1, 2])
            facts.catch_up()
            assert sorting.number(facts, Filter()) == writer.requests()
            once = figures.added(figures.by_model(facts, Filter()))
            again = figures.added(figures.by_model(facts, Filter(since=0.0)))
            assert once == again


@given(st.lists(st.floats(0.001, 1e6), min_size=1, max_size=200))
@settings(max_examples=200, deadline=None)
def test_a_histogram_counts_every_value(values: list[float]) -> None:
    found = histogram(Listed(sorted(values)))
    assert found is not None
    assert sum(found["bins"]) == len(values)
    assert min(values) <= found["p50"] <= found["p95"] * (1 + 1e-12)
    assert found["p99"] <= max(values) * (1 + 1e-12)
