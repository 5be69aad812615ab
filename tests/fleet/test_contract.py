"""The same commands print the same of a meter_dir and of the fleet that has its rows."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from clickhouse import Server
from traffic import fill

from mitmeter.cli import main
from mitmeter.fleet.address import address
from mitmeter.fleet.remote import Remote
from mitmeter.fleet.shipper import Shipper
from mitmeter.local import Local
from mitmeter.redact.secrets import session
from mitmeter.shelf import secret_of
from mitmeter.store.filters import Filter, Window

NUMBER = 300


def ship(folder: Path, url: str) -> Shipper:
    shipper = Shipper(folder, address(url))
    while shipper.step():
        pass
    shipper.close()
    return shipper


def said(place: object, *arguments: str) -> tuple[int, bytes, str]:
    done = CliRunner().invoke(main, ["--dir", str(place), *arguments])
    return done.exit_code, done.stdout_bytes, done.stderr.replace(str(place), "PLACE")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("local") / "meter"
    fill(folder, NUMBER)
    return folder


@pytest.fixture(scope="module", params=["engine", "http", "cluster"])
def url(
    request: pytest.FixtureRequest, folder: Path, engine: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The fleet that has the folder's rows: inside this process, over HTTP, and as the tables of a cluster."""
    (folder / "shipped.json").unlink(missing_ok=True)
    if request.param == "engine":
        ship(folder, f"chdb://{engine}?database=contract")
        yield f"chdb://{engine}?database=contract"
        return
    server = Server(tmp_path_factory.mktemp("server") / "engine").start()
    form = "?cluster=c" if request.param == "cluster" else ""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MITMETER_CLICKHOUSE_PASSWORD", "right")
        ship(folder, server.url() + form)
    yield server.url("reader") + form
    server.stop()


COMMANDS = [
    ("ls",),
    ("ls", "--json", "--limit", "1000"),
    ("ls", "--json", "--limit", "7"),
    ("ls", "--count"),
    ("ls", "--json", "--count", "--outcome", "error", "--outcome", "unreachable"),
    ("ls", "--json", "--model", "o*"),
    ("ls", "--json", "--model", "t?o", "--status", "2xx"),
    ("ls", "--json", "--host", "h1.invalid", "--status", "429", "--status", "5xx"),
    ("ls", "--json", "--path", "/v1/%"),
    ("ls", "--json", "--provider", "anthropic"),
    ("ls", "--json", "--session", "s_*", "--limit", "5"),
    ("ls", "--json", "--credential", "k_*", "--limit", "5"),
    ("ls", "--json", "--since", "2026-11-22T10:05:00Z", "--until", "2026-11-22T10:20:00Z"),
    ("ls", "--json", "--grep", "Größe 1/3:"),
    ("ls", "--json", "--header", "content-type: application/*", "--limit", "3"),
    ("ls", "--json", "--model", "x' OR 1=1 --"),
    ("show", "1"),
    ("show", "6", "--json"),
    ("show", str(NUMBER), "--json"),
    ("show", str(NUMBER + 1)),
    *(("stats", "--by", group, "--json") for group in ("model", "provider", "host", "path", "status", "outcome")),
    *(("stats", "--by", group, "--json") for group in ("session", "credential", "day", "hour")),
    ("stats",),
    ("stats", "--json", "--model", "one", "--since", "2026-11-22T10:10:00Z"),
    ("stats", "--json", "--grep", "Größe 1/4"),
    ("export",),
    ("export", "--format", "har"),
    ("export", "--format", "chat", "--model", "one"),
    ("export", "3", "--format", "jsonl"),
]


@pytest.mark.clickhouse
@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_both_print_the_same(arguments: tuple[str, ...], folder: Path, url: str) -> None:
    here, there = said(folder, *arguments), said(url, *arguments)
    assert there[:2] == here[:2], there[2]
    assert (here[0] == 0) or "PLACE" in there[2] or there[2].split("in ")[0] == here[2].split("in ")[0]


@pytest.mark.clickhouse
def test_both_export_the_same_bytes(folder: Path, url: str, tmp_path: Path) -> None:
    for place, name in ((folder, "here"), (url, "there")):
        assert said(place, "export", "7", "--format", "frame", "--out", str(tmp_path / name))[0] == 0
    assert (tmp_path / "here").read_bytes() == (tmp_path / "there").read_bytes()


@pytest.mark.clickhouse
def test_pages_lead_through_all_rows(folder: Path, url: str) -> None:
    with Local(folder) as here, Remote(address(url)) as there:
        for metered in (here, there):
            forward, backward, after, before = [], [], None, None
            while page := metered.rows(Window(limit=64, after=after, newest=False)):
                forward, after = forward + page, page[-1].id
            while page := metered.rows(Window(limit=64, before=before)):
                backward, before = page + backward, page[0].id
            assert forward == backward == here.rows()
            assert metered.rows(Window(after=10**9)) == [] and metered.rows(Window(before=0)) == []
            assert metered.requests(Filter(idents=(1, 2, 10**6))) == 2
            assert metered.requests(Filter(captured=True)) == NUMBER


@pytest.mark.clickhouse
def test_a_session_is_found_by_the_clients_own_id(folder: Path, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MITMETER_SECRET_FILE", str(folder / "secret"))
    joined = session("nobody's", (), None, secret_of(folder))
    assert said(url, "ls", "--json", "--session", "nobody's") == said(url, "ls", "--json", "--session", str(joined))


@pytest.mark.clickhouse
@pytest.mark.parametrize(
    "arguments", [("verify",), ("prune", "1"), ("forget", "1"), ("import", __file__)], ids=" ".join
)
def test_what_works_on_a_folder_says_so(arguments: tuple[str, ...], url: str) -> None:
    code, _, told = said(url, *arguments)
    assert code == 2 and "works on a meter_dir" in told


@pytest.mark.clickhouse
def test_rows_arrive_once(tmp_path: Path, inside: str) -> None:
    fill(tmp_path / "a", 30)
    ship(tmp_path / "a", inside)
    with Remote(address(inside)) as there:
        first, mark = there.arrivals(limit=10)
        assert [row.id for row in first] == list(range(21, 31))
        fill(tmp_path / "b", 20, seed=2)
        ship(tmp_path / "b", inside)
        seen: list[str] = []
        for _ in range(4):
            rows, mark = there.arrivals(mark)
            seen += [row.exchange.flow_id for row in rows]
    assert sorted(flow for flow in seen if flow.startswith("2-")) == sorted(f"2-flow-{at}" for at in range(20))
    assert len(seen) == len(set(seen))


@pytest.mark.clickhouse
def test_each_folder_has_numbers_of_its_own(tmp_path: Path, inside: str) -> None:
    for seed in (1, 2, 3):
        fill(tmp_path / str(seed), 25, seed=seed)
        ship(tmp_path / str(seed), inside)
    with Remote(address(inside)) as there:
        rows = there.rows()
        assert len({row.id for row in rows}) == 75
        assert {row.id >> 33 for row in rows} == {0, 1, 2}
        ended = [row.exchange.started for row in rows]
        assert sorted(ended) != ended or rows, "by when they ended, not by folder"
        for row, record, wrong in there.captures(rows):
            assert wrong is None and record is not None and record.capture.flow_id == row.exchange.flow_id
        told = json.loads(said(inside, "show", str(rows[-1].id), "--json")[1])
        assert told["id"] == rows[-1].id and told["capture"] is not None
