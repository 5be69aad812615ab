"""A meter_dir and the fleet that has its rows answer the same, whatever the rows and whatever is asked."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from any_rows import DAY, START, YEAR_2100, Dice
from msgspec.structs import asdict
from test_contract import ship

from mitmeter.dashboard.source import Folder, Source
from mitmeter.exchange import Exchange, Timing, Usage
from mitmeter.fleet import histograms, roll, schema
from mitmeter.fleet.address import address
from mitmeter.fleet.connection import Connection
from mitmeter.fleet.figures import Figures
from mitmeter.fleet.remote import Remote
from mitmeter.store.figures import GROUPS, MEASURED
from mitmeter.store.filters import Filter, Window
from mitmeter.store.rows import COLUMNS
from mitmeter.store.sorting import SORTS
from mitmeter.store.sqlite import Store
from mitmeter.store.stats import Group

pytestmark = pytest.mark.clickhouse

SEEDS, QUESTIONS = 8, 6
STATS: tuple[Group, ...] = (
    *("model", "provider", "host", "path", "outcome", "status", "session", "credential", "day", "hour"),
)  # fmt: skip

# Out of `minutes`, by rows, and of many names.
WAYS = ("model", "provider", "outcome", "session")

type Question = Callable[[Source], Any]


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody else takes a number."""
    monkeypatch.setattr(roll, "SETTLE_SECONDS", 0.0)


@contextmanager
def both(folder: Path, url: str, rows: list[Exchange]) -> Iterator[tuple[Folder, Figures]]:
    with Store(folder / "meter.db") as store, store.batch() as batch:
        for row in rows:
            batch.add(row)
    assert ship(folder, url).mark.left_out == 0
    here, there = Folder(folder), Figures(Remote(address(url)))
    yield here, there
    here.close()
    there.close()


def same(here: Any, there: Any) -> bool:
    """As far as sums in another order agree."""
    match here, there:
        case (dict(), dict()):
            return list(here) == list(there) and all(same(value, there[name]) for name, value in here.items())
        case (list() | tuple(), list() | tuple()):
            return len(here) == len(there) and all(map(same, here, there))
        case (float(), float()):
            return math.isclose(here, there, rel_tol=1e-9, abs_tol=1e-9)
    return bool(here == there)


def page(*asked: Any) -> Question:
    def ask(source: Source) -> Any:
        rows, total = source.page(*asked)
        return [row.id for row in rows], total

    return ask


def stats(group: Group, wanted: Filter = Filter()) -> Question:  # noqa: B008  # it is frozen
    return lambda source: [asdict(stat) for stat in source.metered.stats(group, wanted)]


def questions(dice: Dice, rows: list[Exchange]) -> Iterator[tuple[str, Question]]:
    wanted, idents, number = dice.wanted(rows), range(1, len(rows) + 1), dice.choice((1, 5, 1000))
    after, before = dice.choice((None, *idents)), dice.choice((None, *idents))
    window = Window(wanted=wanted, limit=number, after=after, before=before, newest=dice.random() < 0.5)
    yield f"rows {window}", lambda source: source.metered.rows(window)
    yield f"requests {wanted}", lambda source: source.metered.requests(wanted)
    yield f"models {wanted}", lambda source: source.by_model(wanted)
    yield f"span {wanted}", lambda source: source.span(wanted)
    yield f"histograms {wanted}", lambda source: source.measured(tuple(MEASURED), wanted)
    group: Group = dice.choice(STATS)
    yield f"stats by {group} {wanted}", stats(group, wanted)
    ordered = wanted, dice.choice(list(SORTS)), dice.choice(("asc", "desc")), number, dice.choice((0, 3))
    yield f"page {ordered}", page(*ordered)
    since, until = sorted((dice.time(rows), dice.time(rows)))
    course = wanted, dice.choice(GROUPS), since, until + 1.0, dice.choice((1, 7, 60)), dice.choice((1, 2, 20))
    yield f"course {course}", lambda source: source.course(*course)


def compare(dice: Dice, rows: list[Exchange], here: Folder, there: Figures) -> None:
    for _ in range(QUESTIONS):
        for name, question in questions(dice, rows):
            told = question(here), question(there)
            assert same(*told), (name, *told)


@pytest.mark.parametrize("seed", range(SEEDS))
def test_any(tmp_path: Path, inside: str, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    dice = Dice(seed)
    monkeypatch.setattr(histograms, "AT_HAND", dice.choice((0, histograms.AT_HAND)))
    rows = [dice.exchange(number) for number in range(dice.choice((1, 2, 40, 120)))]
    with both(tmp_path / "meter", inside, rows) as (here, there):
        compare(dice, rows, here, there)
        told = [{name: set(values) for name, values in source.choices().items()} for source in (here, there)]
        assert told[0] == told[1]


def test_any_twice_then_merged_then_summed_anew(tmp_path: Path, inside: str) -> None:
    dice, database = Dice(1000), address(inside).database
    rows = [dice.exchange(number) for number in range(80)]
    with both(tmp_path / "meter", inside, rows) as (here, there):
        connection, copied = Connection(address(inside)), ", ".join(("id", "position", "captured", *COLUMNS))
        connection.command(f"SYSTEM STOP MERGES {database}.exchanges")
        connection.command(
            f"INSERT INTO {database}.exchanges ({copied}) SELECT {copied} FROM {database}.exchanges "
            "SETTINGS max_partitions_per_insert_block = 0"
        )
        for group in STATS:
            assert same(stats(group)(here), stats(group)(there)), group
        assert here.metered.rows() == there.metered.rows()
        for offset in range(0, 90, 6):
            ordered = page(dice.wanted(rows), dice.choice(list(SORTS)), "asc", 7, offset)
            assert ordered(here) == ordered(there)
        connection.command(f"SYSTEM START MERGES {database}.exchanges")
        connection.command(f"OPTIMIZE TABLE {database}.exchanges FINAL")
        for statement in schema.summed_anew(address(inside)):
            connection.command(statement)
        compare(dice, rows, here, there)


def test_a_folder_sent_again_under_another_number_has_each_row_once(tmp_path: Path, inside: str) -> None:
    with both(tmp_path / "meter", inside, times(*(START + at for at in range(20)))) as (here, there):
        Connection(address(inside)).command(f"SYSTEM STOP MERGES {address(inside).database}.exchanges")
        (tmp_path / "meter" / "shipped.json").unlink()
        ship(tmp_path / "meter", inside)
        assert there.metered.requests() == 20
        assert [row.exchange for row in there.metered.rows()] == [row.exchange for row in here.metered.rows()]
        for limit, offset in ((7, 0), (7, 14), (1, 1)):
            pages = [source.page(Filter(), "duration", "asc", limit, offset) for source in (here, there)]
            assert len({str([row.exchange for row in rows]) + str(total) for rows, total in pages}) == 1


def row(started: float = START, model: str | None = "one", tokens: int = 1, **more: Any) -> Exchange:
    timing = Timing(duration_ms=tokens * 1.5)
    given = {"flow_id": f"{started} {model}", "method": "POST", "host": "h", "path": "/", "timing": timing} | more
    return Exchange(started=started, model=model, usage=Usage(input_tokens=tokens), **given)


def times(*some: float) -> list[Exchange]:
    return [row(at, tokens=number) for number, at in enumerate(some, 1)]


CASES = [
    pytest.param([row(), row(model=None)], Filter(model=("*",)), id="no name is not any name"),
    pytest.param([row(), row(provider="p", model="two")], Filter(provider=("*", "q")), id="nor any provider"),
    pytest.param([row(), row(session="s_1", model="two")], Filter(session=("",)), id="an empty text is no session"),
    pytest.param([row(model="b"), row(model="a"), row(model=None)], Filter(), id="equal sums go by name"),
    pytest.param(times(START, START // DAY * DAY + DAY - 1e-6), Filter(), id="a day's last microsecond is its own"),
    pytest.param(times(5e9, 7e9, START), Filter(since=6e9), id="since, after 2100"),
    pytest.param(times(5e9, 7e9, START), Filter(until=6e9), id="until, after 2100"),
    pytest.param(times(YEAR_2100, 7e9, START), Filter(since=YEAR_2100), id="since 2100"),
    pytest.param(times(-5e6, -10.0, 30.0, START), Filter(since=-100.0), id="since, before 1970"),
    pytest.param(times(-5e6, -10.0, 30.0, START), Filter(until=-100.0), id="until, before 1970"),
    pytest.param(times(*(START - at * DAY for at in range(101))), Filter(), id="a batch of more than 100 days"),
    pytest.param([row(tokens=2**53), row(model="b", tokens=2**53), row(START + 1)], Filter(), id="a sum beyond 2**53"),
]


@pytest.mark.parametrize(("rows", "wanted"), CASES)
def test_named(
    tmp_path: Path, inside: str, monkeypatch: pytest.MonkeyPatch, rows: list[Exchange], wanted: Filter
) -> None:
    first, last = min(row.started for row in rows), max(row.started for row in rows) + 1
    with both(tmp_path / "meter", inside, rows) as (here, there):
        asked: list[Question] = [
            lambda source: source.metered.rows(Window(wanted=wanted)),
            lambda source: source.by_model(wanted),
            lambda source: source.measured(tuple(MEASURED), wanted),
            *(stats(group, wanted) for group in ("model", "day", "hour")),
            *(lambda source, by=by: source.course(wanted, by, first, last, 3, 2) for by in WAYS),
            *(lambda source, by=by: source.course(wanted, by, first - DAY, last + DAY, 3, 2) for by in WAYS),
            lambda source: monkeypatch.setattr(histograms, "AT_HAND", 0),
            lambda source: source.measured(tuple(MEASURED), wanted),
        ]
        for question in asked:
            told = question(here), question(there)
            assert same(*told), told
