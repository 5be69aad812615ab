"""What goes from the archive: single captures for good, whole segments by size, and what a crash in between leaves."""

import json
import os
import sqlite3
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import zstandard
from click.testing import CliRunner, Result

from mitmeter.archive.segments import SUFFIX, scan
from mitmeter.cli import main
from mitmeter.exchange import Capture, Exchange, Outcome
from mitmeter.recovery import recover, verify_all
from mitmeter.redact import redact
from mitmeter.retention import prune
from mitmeter.shelf import Shelf, capture, private_folder
from mitmeter.store.sqlite import Store

ADDON = Path(__file__).parents[2] / "addon"
SECRET = "a private word"


def item(number: int, text: str = "common") -> tuple[Exchange, object]:
    given = {"flow_id": f"flow-{number}", "started": 1e9 + number, "method": "POST", "path": "/v1/p"}
    held = Capture(
        **given,
        url="https://h.invalid/v1/p",
        http_version="HTTP/1.1",
        outcome=Outcome.COMPLETE,
        request_body=f"{text} {number}".encode(),
        status=200,
    )
    exchange = Exchange(**given, host="h.invalid", model=f"model {text}", outcome=Outcome.COMPLETE)
    return exchange, redact(held)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two sealed segments of four captures each; the third holds what is to go."""
    folder = tmp_path / "meter"
    private_folder(folder)
    for batch in range(2):
        with Shelf(folder) as shelf:
            numbers = range(batch * 4 + 1, batch * 4 + 5)
            shelf.write([item(number, SECRET if number == 3 else "common") for number in numbers], 1e9 + batch, {})
    return folder


def run(folder: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["--dir", str(folder), *arguments])


def everything(folder: Path) -> bytes:
    """All bytes on the disk, of segments also what they decode to."""
    found = []
    for path in folder.rglob("*"):
        if path.is_file():
            found.append(path.read_bytes())
            if SUFFIX in path.name:
                found += [record for _, record in scan(path)]
    return b"\n".join(found)


def bodies(folder: Path) -> dict[int, bytes | None]:
    with Store(folder / "meter.db", readonly=True) as store:
        held = {ident: capture(folder, store, ident) for ident in store.idents()}
    return {ident: None if record is None else record.capture.request_body for ident, record in held.items()}


@pytest.mark.parametrize("rows", [False, True], ids=["the row stays", "with its row"])
def test_what_is_forgotten_is_gone_from_the_disk(folder: Path, rows: bool) -> None:
    assert SECRET.encode() in everything(folder)
    before = bodies(folder)
    result = run(folder, "forget", "3", *(["--rows"] if rows else []))
    assert (result.exit_code, result.output) == (0, f"gone: 1 captures, {int(rows)} rows, 0 whole segments\n")
    assert f"{SECRET} 3".encode() not in everything(folder)
    assert (SECRET.encode() in everything(folder)) is not rows, "the row says model `a private word`"
    after = bodies(folder)
    assert after == {**before, 3: None} if not rows else after == {k: v for k, v in before.items() if k != 3}
    assert len(list((folder / "captures").iterdir())) == 2
    assert run(folder, "verify").exit_code == 0
    assert bodies(folder) == after, "verifying brings nothing back"


def test_a_segment_that_is_being_written_is_left_alone(folder: Path) -> None:
    with Shelf(folder) as shelf:
        shelf.write([item(9, SECRET)], 2e9, {})
        result = run(folder, "forget", "9")
        assert result.exit_code == 1
        assert f"written by process {os.getpid()}" in result.output and "when that proxy stops" in result.output
    assert bodies(folder)[9]
    assert run(folder, "forget", "9").exit_code == 0
    assert bodies(folder)[9] is None


@pytest.mark.parametrize(
    ("arguments", "left"),
    [
        pytest.param(("--model", "model common"), {3}, id="model"),
        pytest.param(("--model", "model a*"), {1, 2, 4, 5, 6, 7, 8}, id="wildcard"),
        pytest.param(("--outcome", "error"), set(range(1, 9)), id="no such outcome"),
        pytest.param(("--older-than", "2001-09-09T01:46:43Z"), {3, 4, 5, 6, 7, 8}, id="age"),
        pytest.param(("--id", "1", "--id", "8"), set(range(2, 8)), id="ids"),
        pytest.param(("--max-size", "1"), set(), id="size"),
        pytest.param(("--max-size", "1g"), set(range(1, 9)), id="large enough"),
        pytest.param(("--grep", SECRET), {1, 2, 4, 5, 6, 7, 8}, id="text"),
    ],
)
def test_prune(folder: Path, arguments: tuple[str, ...], left: set[int]) -> None:
    dry = json.loads(run(folder, "prune", *arguments, "--dry-run", "--json").output)
    assert all(bodies(folder).values()), "nothing goes in a dry run"
    result = run(folder, "prune", *arguments, "--json")
    assert result.exit_code == 0, result.output
    done = json.loads(result.output)
    assert (done["captures"], done["segments"]) == (dry["captures"], dry["segments"])
    assert {ident for ident, body in bodies(folder).items() if body is not None} == left
    assert len(bodies(folder)) == 8, "rows stay"
    assert run(folder, "verify").exit_code == 0


def test_rows_too(folder: Path) -> None:
    assert run(folder, "prune", "--older-than", "2001-09-09T01:46:43Z", "--rows").exit_code == 0
    assert set(bodies(folder)) == set(range(3, 9))


def test_nothing_said_is_nothing_done(folder: Path) -> None:
    result = run(folder, "prune")
    assert result.exit_code == 2 and "--older-than" in result.output
    assert all(bodies(folder).values())


def test_a_rewritten_segment_is_read_by_stock_tools(folder: Path) -> None:
    run(folder, "forget", "3")
    for path in (folder / "captures").iterdir():
        with path.open("rb") as file:
            data = zstandard.ZstdDecompressor().stream_reader(file).read()
        assert data.count(b"req_body") == (3 if b"common 1" in data else 4)


def test_captures_that_nobody_indexed_do_not_go_with_others(folder: Path) -> None:
    with sqlite3.connect(folder / "meter.db") as connection:
        connection.execute("DELETE FROM exchanges WHERE id = 2")
        connection.execute("DELETE FROM captures WHERE exchange_id = 2")
    connection.close()
    assert run(folder, "forget", "3").exit_code == 0
    assert b"common 2" in bodies(folder).values()


@pytest.mark.parametrize("step", ["fsync", "rename", "unlink"])
def test_killed_on_the_way(folder: Path, step: str) -> None:
    """Before the index changed all is as it was, and after it the old file goes at the next start."""
    code = f"""
        import os, sys
        from pathlib import Path
        from mitmeter.store.sqlite import Store
        from mitmeter import retention
        folder = Path(sys.argv[1])
        store = Store(folder / "meter.db")
        def die(*_, **__):
            os._exit(9)
        if "{step}" == "fsync":
            os.fsync = die
        elif "{step}" == "rename":
            Path.rename = die
        else:
            Path.unlink = die
        retention.prune(folder, store, [3], rows=False)
    """
    environment = os.environ | {"PYTHONPATH": str(ADDON)}
    command = [sys.executable, "-c", textwrap.dedent(code), str(folder)]
    assert subprocess.run(command, env=environment, check=False, timeout=30).returncode == 9
    committed = step == "unlink"
    with Store(folder / "meter.db") as store:
        recover(folder, store)
    assert (bodies(folder)[3] is None) is committed
    assert (f"{SECRET} 3".encode() in everything(folder)) is not committed
    assert len(list((folder / "captures").iterdir())) == 2
    with Store(folder / "meter.db") as store:
        verdict = verify_all(folder, store)
    assert verdict.sound and verdict.captures == (7 if committed else 8) and not verdict.rows_made


def test_the_limit_holds_while_it_runs(tmp_path: Path) -> None:
    private_folder(tmp_path / "meter")
    with Shelf(tmp_path / "meter") as shelf:
        assert shelf.trim(1e9, 1, None) == []
        for number in range(5):
            shelf.write([item(number)], 1e9 + number, {})
            shelf.seal(2e9, 1.0)
            assert len(list(shelf.captures.iterdir())) <= 2
        assert prune(shelf.folder, shelf.store, [], rows=False).captures == 0


def test_what_a_killed_writer_left_is_indexed_at_the_next_start(folder: Path) -> None:
    code = """
        import os, sys
        sys.path.insert(0, sys.argv[2])
        from pathlib import Path
        from test_retention import item
        from mitmeter.shelf import Shelf
        class Killed(dict):
            def items(self):
                os._exit(9)
        # The counters come last, after the captures.
        Shelf(Path(sys.argv[1])).write([item(n) for n in range(9, 12)], 1e9 + 9, Killed())
    """
    environment = os.environ | {"PYTHONPATH": str(ADDON)}
    command = [sys.executable, "-c", textwrap.dedent(code), str(folder), str(Path(__file__).parent)]
    assert subprocess.run(command, env=environment, check=False, timeout=30).returncode == 9
    with Shelf(folder) as shelf:
        assert shelf.write([item(20)], 1e9 + 20, {})[0][0].id == 9, "the id that the lost ones had"
        shelf.trim(1e9 + 20, 1 << 30, None)
    held = bodies(folder)
    assert held[9] == b"common 20" and set(held.values()) >= {b"common 9", b"common 10", b"common 11"}
    assert len(held) == 12


def test_a_start_takes_no_longer_than_it_may(folder: Path) -> None:
    """A database that was lost with many segments there: the newest come first, the rest at the next time."""
    (folder / "meter.db").unlink()
    with Store(folder / "meter.db") as store:
        first = recover(folder, store, seconds=-1.0)
        assert (first.left, first.segments) == (2, 0)
        assert recover(folder, store).rows_made == 8
        assert (recover(folder, store).segments, recover(folder, store).left) == (0, 0), "looked at once"
    assert all(bodies(folder).values())


def test_damage_is_not_looked_at_at_every_start(folder: Path) -> None:
    path = sorted((folder / "captures").iterdir())[0]
    path.write_bytes(path.read_bytes()[:-40])
    with Store(folder / "meter.db") as store:
        assert recover(folder, store).segments == 1
        assert recover(folder, store).segments == 0
        found = verify_all(folder, store)
    assert not found.sound and found.findings[0].idents
    result = run(folder, "verify", "--forget-lost")
    assert result.exit_code == 1 and path.name in result.output
    assert run(folder, "verify", "--json").exit_code in (0, 1)
    assert None in bodies(folder).values()


def test_a_segment_that_is_missing_is_named(folder: Path) -> None:
    path = sorted((folder / "captures").iterdir())[0]
    away = path.rename(folder / "away")
    result = run(folder, "verify")
    assert (
        result.exit_code == 1 and f"missing  {path.name}" in result.output and "exchanges 1, 2, 3, 4" in result.output
    )
    shown = run(folder, "show", "1")
    assert shown.exit_code == 0 and "the capture cannot be read" in shown.output
    away.rename(path)
    assert run(folder, "verify").exit_code == 0, "it came back"
