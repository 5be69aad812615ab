"""The store: rows in and out, transactions, several processes, and what a kill leaves."""

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from mitmeter.exchange import Client, Exchange, Outcome, Place, Sizes, Timing, Usage
from mitmeter.store.filters import Window
from mitmeter.store.rows import COLUMNS, Row, flatten, unflatten
from mitmeter.store.sqlite import Store

ADDON = Path(__file__).parents[2] / "addon"
BARE = Exchange(flow_id="f", started=1.5, method="POST", host="h", path="/p")
FULL = Exchange(
    **dict.fromkeys(("flow_id", "method", "host", "path", "provider", "api", "operation", "model"), "x"),
    **dict.fromkeys(("request_model", "content_type", "error", "error_type", "finish", "service_tier"), "y"),
    **dict.fromkeys(("response_id", "credential", "session"), "ü\x00😀"),
    started=1790000000.123457,
    stream=True,
    status=200,
    outcome=Outcome.UPSTREAM_ABORTED,
    usage=Usage(**dict.fromkeys(Usage.__struct_fields__[:-1], 0), source="timings"),
    timing=Timing(**dict.fromkeys(Timing.__struct_fields__[:-1], 0.1), rate_source="server"),
    sizes=Sizes(request_bytes=1, response_bytes=2, decoded_bytes=3),
    client=Client(address="::1", agent="a"),
    anomalies=("cut:response", "odd"),
    reported={"usage": {"n": 2**70, "text": "\ud800", "none": None}},
)


@pytest.fixture
def store(tmp_path: Path):
    with Store(tmp_path / "meter.db") as opened:
        yield opened


def add(store: Store, *exchanges: Exchange) -> list[int]:
    with store.batch() as batch:
        return [batch.add(exchange) for exchange in exchanges]


@pytest.mark.parametrize("exchange", [pytest.param(BARE, id="bare"), pytest.param(FULL, id="every field")])
def test_a_row_comes_back(store: Store, exchange: Exchange) -> None:
    [ident] = add(store, exchange)
    assert store.row(ident) == Row(ident, exchange, False)
    assert store.row(ident + 1) is None


COUNTS = st.none() | st.integers(0, 2**53)
TEXT = st.text(st.characters(codec="utf-8"), max_size=10)
MILLIS = st.none() | st.floats(0, 1e12)


@settings(max_examples=50)
@given(
    st.builds(
        replace,
        st.just(FULL),
        model=st.none() | TEXT,
        path=TEXT,
        started=st.floats(0, 2**33),
        outcome=st.sampled_from(Outcome),
        stream=st.booleans(),
        anomalies=st.lists(TEXT, max_size=3).map(tuple),
        usage=st.builds(Usage, input_tokens=COUNTS, output_tokens=COUNTS),
        timing=st.builds(Timing, duration_ms=MILLIS, first_token_ms=MILLIS),
        reported=st.none() | st.dictionaries(TEXT, COUNTS | TEXT),
    )
)
def test_columns_hold_any_exchange(exchange: Exchange) -> None:
    assert unflatten(tuple(flatten(exchange))) == exchange


def test_a_count_that_no_integer_column_holds(store: Store) -> None:
    usage = Usage(input_tokens=10**30, output_tokens=-(2**60), total_tokens=2**53)
    [ident] = add(store, replace(BARE, usage=usage, anomalies=("odd",), reported={"input_tokens": 10**30}))
    found = store.row(ident).exchange
    assert found.usage == Usage(total_tokens=2**53)
    assert found.anomalies == ("odd", "unstorable:input_tokens", "unstorable:output_tokens")
    assert found.reported == {"input_tokens": 10**30}


def test_text_that_is_not_unicode(store: Store) -> None:
    [ident] = add(store, replace(BARE, model="m\udcff", client=Client(agent="\ud800")))
    found = store.row(ident).exchange
    assert (found.model, found.client.agent) == ("m\ufffd", "\ufffd")


@pytest.mark.parametrize(
    ("bounds", "expected"),
    [
        pytest.param({}, [1, 2, 3, 4, 5, 6], id="all"),
        pytest.param({"limit": 2}, [5, 6], id="newest"),
        pytest.param({"limit": 2, "newest": False}, [1, 2], id="oldest"),
        pytest.param({"after": 4}, [5, 6], id="tail"),
        pytest.param({"after": 1, "limit": 2, "newest": False}, [2, 3], id="page forward"),
        pytest.param({"before": 4, "limit": 2}, [2, 3], id="page backward"),
        pytest.param({"after": 2, "before": 5}, [3, 4], id="between"),
        pytest.param({"after": 6}, [], id="nothing new"),
        pytest.param({"limit": 0}, [], id="none wanted"),
        pytest.param({"limit": -3}, [], id="fewer than none"),
    ],
)
def test_rows_are_ascending_and_bounded(store: Store, bounds: dict, expected: list[int]) -> None:
    add(store, *[BARE] * 6)
    assert [row.id for row in store.rows(Window(**bounds))] == expected


def test_places(store: Store) -> None:
    place = Place("20261123T205234123456Z-1-abcd.cborseq.zst", 5, 7)
    with store.batch() as batch:
        first, second = batch.add(BARE), batch.add(BARE)
        batch.place(second, place)
    assert (store.place(first), store.place(second), store.place(99)) == (None, place, None)
    assert [row.has_capture for row in store.rows()] == [False, True]
    assert store.row(second).has_capture


def test_a_place_needs_its_row(store: Store) -> None:
    with pytest.raises(sqlite3.IntegrityError), store.batch() as batch:
        batch.place(99, Place("s", 0, 1))


def test_find(store: Store) -> None:
    started = 1790000000.1234567
    [_, ident, _] = add(store, replace(BARE, flow_id="a"), *[replace(BARE, flow_id="a", started=started)] * 2)
    assert store.find("a", started) == ident
    assert store.find("a", started + 1) is None
    assert store.find("b", started) is None


def test_counters(store: Store) -> None:
    assert store.counters() == {}
    for _ in range(2):
        with store.batch() as batch:
            batch.count("dropped", 2)
            batch.count("failed", 1)
    assert store.counters() == {"dropped": 4, "failed": 2}


def test_an_exception_rolls_back(store: Store) -> None:
    with pytest.raises(LookupError), store.batch() as batch:
        batch.add(BARE)
        batch.count("dropped", 1)
        raise LookupError
    assert (store.rows(), store.counters()) == ([], {})
    assert add(store, BARE) == [1]


def stat(store: Store, group: str) -> dict:
    return {found.name: found for found in store.stats(group)}


def test_stats(store: Store) -> None:
    for model, outcome, tokens, duration in [
        *(("a", Outcome.COMPLETE, 5, 10.0), ("a", Outcome.ERROR, None, 30.0), ("a", Outcome.UNREACHABLE, None, None)),
        *(("a", Outcome.CLIENT_ABORTED, 0, 20.0), ("a", Outcome.UPSTREAM_ABORTED, 7, 40.0)),
        *(("b", Outcome.COMPLETE, None, None), ("b", Outcome.COMPLETE, None, 1.0), (None, Outcome.ERROR, 0, 2.0)),
    ]:
        usage = Usage(input_tokens=tokens, cache_read_tokens=tokens)
        timing = Timing(duration_ms=duration, first_token_ms=None if duration is None else duration / 10)
        add(store, replace(BARE, model=model, outcome=outcome, usage=usage, timing=timing))
    assert [found.name for found in store.stats("model")] == ["a", "b", None]
    found = stat(store, "model")
    a, b, nameless = found["a"], found["b"], found[None]
    assert (a.requests, a.errors, a.aborted) == (5, 2, 2)
    assert (a.input_tokens, a.output_tokens, a.cache_read_tokens) == (12, None, 12)
    assert (a.duration_ms, a.first_token_ms, a.total_duration_ms) == (25.0, 2.5, 100.0)
    assert (b.requests, b.input_tokens, b.duration_ms, b.total_duration_ms) == (2, None, 1.0, 1.0)
    assert (nameless.input_tokens, nameless.errors) == (0, 1), "0 was said, so the sum is 0"


def test_stats_of_every_group_and_of_no_other(store: Store) -> None:
    assert store.stats("model") == []
    add(store, replace(FULL, host="h1"), replace(FULL, host="h2"))
    names = {"model": {"x"}, "provider": {"x"}, "host": {"h1", "h2"}, "path": {"x"}, "outcome": {"upstream_aborted"}}
    for group, expected in names.items():
        assert set(stat(store, group)) == expected
    with pytest.raises(ValueError, match="grouped by one of model, provider"):
        store.stats("1; DROP TABLE exchanges")


def test_sums_of_the_largest_counts(store: Store) -> None:
    add(store, *[replace(BARE, usage=Usage(input_tokens=2**53))] * 100)
    assert store.stats("model")[0].input_tokens == 100 * 2**53


def test_readonly(tmp_path: Path) -> None:
    path = tmp_path / "100% odd ?#name.db"
    with pytest.raises(FileNotFoundError, match="nothing has been metered"):
        Store(path, readonly=True)
    assert not list(tmp_path.iterdir())
    with Store(path) as writing, Store(path, readonly=True) as reading:
        add(writing, BARE)
        assert len(reading.rows()) == 1
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            add(reading, BARE)
    with Store(path, readonly=True) as alone:
        assert [found.requests for found in alone.stats("host")] == [1]


def test_belongs_to_its_thread(store: Store) -> None:
    caught = []

    def use() -> None:
        try:
            store.rows()
        except sqlite3.ProgrammingError as error:
            caught.append(error)

    thread = threading.Thread(target=use)
    thread.start()
    thread.join()
    assert caught


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_private_whatever_the_umask(tmp_path: Path, umask: int) -> None:
    folder = tmp_path / "a" / "meter"
    before = os.umask(umask)
    try:
        with Store(folder / "meter.db") as store:
            add(store, BARE)
            found = {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir()}
    finally:
        os.umask(before)
    assert found == {"meter.db": 0o600, "meter.db-wal": 0o600, "meter.db-shm": 0o600}
    assert {folder.stat().st_mode & 0o777, folder.parent.stat().st_mode & 0o777} == {0o700}


# Each exchange's flow_id names its process and number; its capture is a function of that. A number is printed once its
# batch is committed.
WRITER = """
import os, random, sys, time
from pathlib import Path
import cbor2
from mitmeter.archive.segments import SegmentWriter
from mitmeter.exchange import Exchange
from mitmeter.store.sqlite import Store

folder, name, batches = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
store, writer = Store(folder / "meter.db"), SegmentWriter(folder / "captures", seal_size=200_000)
number = 0
for _ in range(batches):
    with store.batch() as batch:
        for _ in range(3):
            ident = batch.add(Exchange(flow_id=f"{name}-{number}", started=1.0, method="POST", host="h", path="/"))
            data = cbor2.dumps([ident, f"{name}-{number}", random.Random(number % 7).randbytes(3000) + b"x" * number])
            batch.place(ident, writer.append(data, time.time()))
            number += 1
    os.write(1, f"{number}\\n".encode())
writer.close()
"""
CHECKER = """
import json, sys
from pathlib import Path
import cbor2
from mitmeter.archive.segments import read
from mitmeter.store.sqlite import Store

folder = Path(sys.argv[1])
with Store(folder / "meter.db", readonly=True) as store:
    flows = []
    for row in store.rows():
        ident, flow_id, _ = cbor2.loads(read(folder / "captures", store.place(row.id)))
        assert (ident, flow_id) == (row.id, row.exchange.flow_id)
        flows.append(flow_id)
print(json.dumps(flows))
"""


def start(code: str, *arguments: object) -> subprocess.Popen[str]:
    environment = os.environ | {"PYTHONPATH": str(ADDON)}
    command = [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)


def flows(folder: Path) -> list[str]:
    """The flow ids of all rows, each of whose captures is read back and compared."""
    checker = start(CHECKER, folder)
    out, _ = checker.communicate(timeout=20)
    assert checker.returncode == 0
    return json.loads(out)


def test_a_kill_loses_nothing_that_was_committed(tmp_path: Path) -> None:
    chance = random.Random(1)
    committed: set[str] = set()
    for round_ in range(12):
        writer = start(WRITER, tmp_path, f"round{round_}", 100_000)
        assert writer.stdout is not None
        said = [writer.stdout.readline()]
        time.sleep(chance.random() * 0.15)
        writer.send_signal(signal.SIGKILL)
        said += writer.stdout.read().split()
        writer.wait()
        writer.stdout.close()
        committed |= {f"round{round_}-{number}" for number in range(int(said[-1]))}
    found = flows(tmp_path)
    assert committed <= set(found)
    assert len(found) == len(set(found))
    # What is there beyond what was told is one batch a round: committed, and killed before it said so.
    assert len(found) - len(committed) <= 12 * 3


def test_two_processes_share_a_folder_from_the_first_moment(tmp_path: Path) -> None:
    writers = [start(WRITER, tmp_path, f"writer{index}", 60) for index in range(2)]
    for writer in writers:
        writer.communicate(timeout=20)
        assert writer.returncode == 0
    assert sorted(flows(tmp_path)) == sorted(f"writer{index}-{number}" for index in range(2) for number in range(180))
    with Store(tmp_path / "meter.db") as store:
        assert [row.id for row in store.rows()] == list(range(1, 361))


def test_columns_have_no_name_twice() -> None:
    assert len(set(COLUMNS)) == len(COLUMNS)


def test_percentiles_costs_and_what_has_no_price(tmp_path: Path) -> None:
    usage = Usage(input_tokens=1, source="body")
    with Store(tmp_path / "meter.db") as store:
        with store.batch() as batch:
            for at in range(1, 101):
                timing = Timing(duration_ms=float(at), tokens_per_second=float(at))
                cost = 0.25 if at <= 4 else None
                batch.add(replace(BARE, model="m", usage=usage, timing=timing, cost_usd=cost))
        (stat,) = store.stats("model")
    assert (stat.duration_ms, stat.duration_ms_p95, stat.duration_ms_p99) == (50.5, 96.0, 100.0)
    assert (stat.first_token_ms, stat.first_token_ms_p95, stat.tokens_per_second) == (None, None, 50.5)
    assert (stat.cost_usd, stat.unpriced) == (1.0, 96)
