"""Damage at random: no wrong capture is returned, nothing outside the damaged stretch is lost, nobody sees a traceback.

`DAMAGE_CASES` (1,000) cases of flipped bytes, cuts and deletions, over segments and the database.
"""

import contextlib
import json
import os
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from click.testing import CliRunner, Result

from mitmeter.archive.record import RecordError
from mitmeter.archive.segments import SegmentWriter
from mitmeter.cli import main
from mitmeter.exchange import Capture, Exchange, Outcome
from mitmeter.recovery import verify_all
from mitmeter.redact import redact
from mitmeter.shelf import Shelf, capture, private_folder
from mitmeter.store.schema import SchemaError
from mitmeter.store.sqlite import Store

CASES = int(os.environ.get("DAMAGE_CASES", "1000"))
BATCHES, EACH = 4, 6


def bodies(number: int) -> tuple[bytes, bytes]:
    chance = Random(number)
    return b"history " * 30 + chance.randbytes(chance.randint(10, 400)), chance.randbytes(chance.randint(0, 300))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four segments with six captures each, the last without its end."""
    folder = tmp_path_factory.mktemp("whole") / "meter"
    private_folder(folder)
    for batch in range(BATCHES):
        shelf = Shelf(folder)
        for number in range(batch * EACH, (batch + 1) * EACH):
            request, response = bodies(number)
            given = {"flow_id": f"flow-{number}", "started": 1e9 + number, "method": "POST", "path": "/v1/p"}
            held = Capture(
                **given,
                url="https://h.invalid/v1/p",
                http_version="HTTP/1.1",
                outcome=Outcome.COMPLETE,
                request_headers=(("a", str(number)),),
                request_body=request,
                status=200,
                response_headers=(),
                response_body=response,
            )
            shelf.write([(Exchange(**given, host="h.invalid", model="m"), redact(held))], 1e9 + batch, {})
        if batch == BATCHES - 1:
            copy = folder.with_name("torn")
            shutil.copytree(folder, copy)
        shelf.close()
    return copy


def damaged(path: Path, chance: Random) -> str:
    """Damage a file; what was done."""
    data = bytearray(path.read_bytes())
    match chance.choice(("flip", "flip", "flip", "cut", "delete", "hole", "noise")):
        case "flip":
            for _ in range(chance.choice((1, 1, 1, 2, 8))):
                data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
            done = "flip"
        case "cut":
            del data[chance.randrange(len(data)) :]
            done = "cut"
        case "delete":
            path.unlink()
            return "delete"
        case "hole":
            at = chance.randrange(len(data))
            del data[at : at + chance.randint(1, 200)]
            done = "hole"
        case _:
            at = chance.randrange(len(data))
            noise = chance.randbytes(min(len(data) - at, chance.randint(1, 200)))
            data[at : at + len(noise)] = noise
            done = "noise"
    path.write_bytes(data)
    return done


def run(folder: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["--dir", str(folder), *arguments])


def fine(result: Result) -> bool:
    """Whether the user saw no traceback, and where it failed one line of errors that says why."""
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        return False
    errors = [line for line in result.output.splitlines() if line.startswith("Error")]
    return "Traceback" not in result.output and len(errors) <= 1


def served(folder: Path) -> Iterator[tuple[int, bool]]:
    """The number of each capture that is returned, and whether it is what was written."""
    with Store(folder / "meter.db", readonly=True) as store:
        for ident in store.idents():
            try:
                record = capture(folder, store, ident)
                row = store.row(ident)
            except (OSError, RecordError, sqlite3.Error):
                continue
            if record is None or row is None:
                continue
            number = int(record.capture.flow_id.removeprefix("flow-"))
            right = (record.capture.request_body, record.capture.response_body) == bodies(number)
            yield number, right and row.exchange.flow_id == record.capture.flow_id


def test_nothing_is_damaged_at_first(whole: Path, tmp_path: Path) -> None:
    folder = tmp_path / "meter"
    shutil.copytree(whole, folder)
    assert sorted(served(folder)) == [(number, True) for number in range(BATCHES * EACH)]
    result = run(folder, "verify", "--json")
    assert result.exit_code == 0 and json.loads(result.output)["captures"] == BATCHES * EACH


@pytest.mark.parametrize("part", range(20))
def test_damaged_segments(whole: Path, tmp_path: Path, part: int) -> None:
    for case in range(part, CASES * 7 // 10, 20):
        chance, folder = Random(case), tmp_path / f"{case}"
        shutil.copytree(whole, folder)
        hit = chance.choice(sorted((folder / "captures").iterdir()))
        done = damaged(hit, chance)
        verdict = run(folder, "verify", "--json")
        assert fine(verdict), (case, done, verdict.output)
        found = dict(served(folder))
        assert all(found.values()), (case, done, "a wrong capture")
        told = json.loads(verdict.output)
        lost = {ident for finding in told["findings"] for ident in finding["idents"]}
        assert len(found) == BATCHES * EACH - len(lost), (case, done, "lost and not named, or named and not lost")
        at = sorted((folder / "captures").parent.joinpath("captures").iterdir())
        assert hit.name in {finding["segment"] for finding in told["findings"]} or not lost, (case, done, at)
        assert (verdict.exit_code != 0) == bool(told["findings"])
        assert len(found) >= (BATCHES - 1) * EACH, (case, done, "another segment's captures are lost")
        for arguments in (("ls",), ("show", "7", "--json"), ("ls", "--grep", "history"), ("export",)):
            assert fine(run(folder, *arguments)), (case, done, arguments)
        shutil.rmtree(folder)


@pytest.mark.parametrize("part", range(10))
def test_damaged_databases(whole: Path, tmp_path: Path, part: int) -> None:
    """The archive holds the rows, too: with the database out of the way, all of them are made again."""
    for case in range(part, CASES * 3 // 10, 10):
        chance, folder = Random(f"db {case}"), tmp_path / f"{case}"
        shutil.copytree(whole, folder)
        with sqlite3.connect(folder / "meter.db") as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.close()
        done = damaged(folder / "meter.db", chance)
        for arguments in (("ls",), ("ls", "--json"), ("stats",), ("show", "7"), ("export",), ("verify", "--json")):
            result = run(folder, *arguments)
            assert fine(result), (case, done, arguments, result.output, result.exception)
        with contextlib.suppress(sqlite3.Error, SchemaError, OSError):
            assert all(right for _, right in served(folder)), (case, done)
        for path in folder.glob("meter.db*"):
            path.unlink()
        assert run(folder, "verify").exit_code == 0
        assert sorted(served(folder)) == [(number, True) for number in range(BATCHES * EACH)], (case, done)
        shutil.rmtree(folder)


def test_a_record_of_a_batch_that_was_rolled_back(tmp_path: Path) -> None:
    """Its id went to another exchange: flow and time tell whose it is, and it is indexed under an id of its own."""
    folder = tmp_path / "meter"
    private_folder(folder)
    with Shelf(folder) as shelf:
        exchange = Exchange(flow_id="a", started=1.0, method="POST", host="h", path="/p")
        held = Capture(
            flow_id="a", started=1.0, method="POST", url="u", path="/p", http_version="1", outcome=Outcome.COMPLETE
        )
        # Counters come last in the transaction, after the captures.
        with pytest.raises(sqlite3.Error):
            shelf.write([(exchange, redact(held))], 1.0, {"n": object()})  # type: ignore[dict-item]  # not to be stored
        other = Exchange(flow_id="b", started=2.0, method="POST", host="h", path="/p")
        assert shelf.write([(other, None)], 2.0, {})[0][0].id == 1
    with Store(folder / "meter.db") as store:
        verdict = verify_all(folder, store)
        assert (verdict.sound, verdict.indexed, verdict.rows_made) == (True, 1, 1)
        assert [row.exchange.flow_id for row in store.rows()] == ["b", "a"]
        record = capture(folder, store, 2)
        assert record is not None and record.capture.flow_id == "a" and capture(folder, store, 1) is None
        again = verify_all(folder, store)
        assert (again.indexed, again.captures) == (0, 1)


def test_an_open_segment_is_left_to_its_writer(tmp_path: Path) -> None:
    folder = tmp_path / "meter"
    private_folder(folder)
    writer = SegmentWriter(folder / "captures")
    held = Capture(
        flow_id="a", started=1.0, method="POST", url="u", path="/p", http_version="1", outcome=Outcome.COMPLETE
    )
    from mitmeter.archive.record import encode

    exchange = {"flow_id": "a", "started": 1.0, "method": "POST", "host": "h", "path": "/p"}
    writer.append(encode(1, redact(held), exchange), 1.0)
    with Store(folder / "meter.db") as store:
        assert verify_all(folder, store).indexed == 0
        writer.close()
        assert verify_all(folder, store).indexed == 1
