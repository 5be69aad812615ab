"""What goes wrong between a meter_dir and ClickHouse, and that nothing is lost or stored twice over it."""

import json
import logging
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from clickhouse import Server
from traffic import START, fill

from mitmeter.cli import main
from mitmeter.fleet import schema, watermark
from mitmeter.fleet.address import address
from mitmeter.fleet.connection import Connection, FleetError
from mitmeter.fleet.remote import Remote
from mitmeter.fleet.shipper import Shipper, ship_from
from mitmeter.local import Local
from mitmeter.shelf import Shelf
from mitmeter.telemetry.health import archive_bytes

pytestmark = pytest.mark.clickhouse


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    fill(tmp_path / "meter", 60)
    return tmp_path / "meter"


def drained(shipper: Shipper) -> Shipper:
    while shipper.attempt():
        pass
    shipper.close()
    return shipper


def sums(url: str) -> tuple[int, int, int, int, int]:
    """Rows, their input tokens, rows by the minute, their input tokens, captures."""
    connection = Connection(address(url))
    database = address(url).database
    [rows] = connection.query(f"SELECT count(), sum(input_tokens) FROM {database}.exchanges FINAL")
    [minutes] = connection.query(f"SELECT sum(requests), sum(input_tokens) FROM {database}.minutes")
    [[captures]] = connection.query(f"SELECT count() FROM {database}.captures FINAL")
    connection.close()
    return (*rows, *minutes, captures)


def here(folder: Path) -> tuple[int, int, int, int, int]:
    with Local(folder) as local:
        rows = local.rows()
    tokens = sum(row.exchange.usage.input_tokens or 0 for row in rows)
    return len(rows), tokens, len(rows), tokens, sum(row.has_capture for row in rows)


def test_a_server_that_is_down_costs_one_line_and_nothing_else(
    folder: Path, server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    server.stop()
    shipper = Shipper(folder, address(server.url()))
    assert [shipper.attempt() for _ in range(3)] == [None, None, None]
    [told] = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert "ClickHouse at clickhouse://user@127.0.0.1" in told and "cannot be reached (Connection refused)" in told
    assert "60 rows wait" in told and "right" not in told
    assert shipper.mark.backlog == 60 and shipper.mark.lag_s > 0 and shipper.mark.refused == 3
    server.start()
    drained(shipper)
    assert sums(server.url()) == here(folder)
    assert "takes rows again" in caplog.records[-1].getMessage()


def test_what_waits_shows_while_a_server_says_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mitmeter.fleet.connection.ANSWER_SECONDS", 1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        shipper = Shipper(folder, address(f"clickhouse://user@127.0.0.1:{silent.getsockname()[1]}"))
        trying = threading.Thread(target=shipper.attempt)
        trying.start()
        connection, _ = silent.accept()
        mark = watermark.load(folder)
        assert trying.is_alive() and mark is not None and (mark.backlog, mark.lag_s > 0) == (60, True)
        trying.join(20)
        assert not trying.is_alive() and shipper.mark.refused == 1 and shipper.mark.held == 60
        connection.close()
    shipper.close()


@pytest.mark.parametrize(
    ("user", "password", "words"),
    [
        pytest.param("user", "hunter2", "does not accept this user and password", id="wrong password"),
        pytest.param("nobody", "right", "does not accept this user and password", id="nobody"),
        pytest.param("reader", "right", "has not the right", id="may only read"),
    ],
)
def test_who_may_not_is_told(
    folder: Path, server: Server, user: str, password: str, words: str,
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("MITMETER_CLICKHOUSE_PASSWORD", password)
    assert Shipper(folder, address(server.url(user))).attempt() is None
    [told] = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert words in told and "hunter2" not in told


class Full(BaseHTTPRequestHandler):
    """A server whose disk is full."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = b"Code: 243. DB::Exception: Cannot reserve 1.00 MiB, not enough space. (NOT_ENOUGH_SPACE)"
        self.send_response(500)
        self.send_header("X-ClickHouse-Exception-Code", "243")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture
def full() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Full) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield f"clickhouse://user@127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()


def test_a_full_disk_is_told(folder: Path, full: str, caplog: pytest.LogCaptureFixture) -> None:
    shipper = Shipper(folder, address(full))
    assert shipper.attempt() is None and shipper.attempt() is None
    [told] = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert "its disk is full" in told


def test_tables_of_a_newer_version_are_left_alone(folder: Path, inside: str, caplog: pytest.LogCaptureFixture) -> None:
    drained(Shipper(folder, address(inside)))
    Connection(address(inside)).command(f"INSERT INTO {address(inside).database}.versions (version) VALUES (99)")
    assert Shipper(folder, address(inside)).attempt() is None
    assert "have version 99" in caplog.records[-1].getMessage()


def test_who_may_not_make_tables_sends_to_older_ones(folder: Path, server: Server) -> None:
    shipper = Shipper(folder, address(server.url("sender")))
    assert shipper.attempt() is None, "there are none"
    connection = Connection(address(server.url()))
    schema.prepare(connection)
    for statement in ("DROP TABLE mitmeter.laid_out", "DROP TABLE mitmeter.measures", "TRUNCATE mitmeter.versions"):
        connection.command(statement)
    connection.insert("versions", ("version",), [[1]], "older")
    drained(shipper)
    assert sums(server.url()) == here(folder) and schema.version(connection) == 1
    assert schema.measured_since(connection) is None
    schema.prepare(connection)
    assert schema.version(connection) == 3 and schema.measured_since(connection) is not None


def test_columns_that_rows_have_got_are_added(folder: Path, fleet: str) -> None:
    drained(Shipper(folder, address(fleet)))
    connection, database = Connection(address(fleet)), address(fleet).database
    for table in ("exchanges_shard", "exchanges") if address(fleet).cluster else ("exchanges",):
        connection.command(f"ALTER TABLE {database}.{table} DROP COLUMN status")
    (folder / "shipped.json").unlink()
    drained(Shipper(folder, address(fleet)))
    assert sums(fleet)[0] == 60
    assert connection.query(f"SELECT countIf(status = 200) > 0 FROM {database}.exchanges FINAL") == [(True,)]


@pytest.mark.parametrize("times", [1, 3])
def test_a_batch_that_may_be_there_is_sent_again_and_counted_once(folder: Path, fleet: str, times: int) -> None:
    shipper = Shipper(folder, address(fleet))
    shipper.step()
    shipper.close()
    done = watermark.load(folder)
    assert done is not None
    for _ in range(times):
        # As it was when the batch had been sent, and its sender died before it could write that down.
        done.last, done.upto, done.ended_us, done.flow_id = 0, 60, 0, None
        watermark.save(folder, done)
        drained(Shipper(folder, address(fleet)))
    connection = Connection(address(fleet))
    assert sums(fleet) == here(folder)
    assert connection.query(f"SELECT count() FROM {address(fleet).database}.exchanges") == [(60,)]


def test_what_the_server_would_never_take_is_left_out(
    folder: Path, inside: str, caplog: pytest.LogCaptureFixture
) -> None:
    Shipper(folder, address(inside))._connected()
    refusing = f"ALTER TABLE {address(inside).database}.exchanges ADD CONSTRAINT no CHECK flow_id != '1-flow-17'"
    Connection(address(inside)).command(refusing)
    shipper = drained(Shipper(folder, address(inside)))
    assert shipper.mark.left_out == 1 and shipper.mark.backlog == 0 and sums(inside)[0] == 59
    assert any("exchange 18 is refused" in record.getMessage() for record in caplog.records)


@pytest.mark.parametrize("number", ["x", None, 2**70, -1], ids=str)
def test_what_the_client_cannot_send_is_about_the_data(inside: str, number: Any) -> None:
    connection = Connection(address(inside))
    schema.prepare(connection)
    with pytest.raises(FleetError) as refused:
        connection.insert("sources", ("number", "source", "host"), [[number, "s", "h"]], "token")
    assert refused.value.about_data


def test_captures_that_are_gone_leave_their_rows(folder: Path, inside: str) -> None:
    shutil.rmtree(folder / "captures")
    shipper = drained(Shipper(folder, address(inside)))
    assert shipper.mark.lost == 60 and sums(inside)[0] == 60
    with Remote(address(inside)) as remote:
        assert not any(row.has_capture for row in remote.rows())


def test_the_archives_limit_holds_in_an_outage(
    tmp_path: Path, server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    folder, each = tmp_path / "meter", 20
    fill(folder, each, seed=1)
    limit = 4 * archive_bytes(folder)
    fill(folder, each, seed=2)
    shipper = Shipper(folder, address(server.url()))
    assert shipper.attempt() == 2 * each
    server.stop()
    losses = []
    for seed in range(3, 11):
        fill(folder, each, seed=seed)
        assert shipper.attempt() is None
        with Shelf(folder) as shelf:
            shelf.trim(START, limit, None)
        assert archive_bytes(folder) <= limit
        assert shipper.attempt() is None
        losses.append(shipper.mark.lost)
    assert losses[:2] == [0, 0], "what has been sent goes first"
    with Local(folder) as local:
        kept = sum(row.has_capture for row in local.rows())
    assert 0 < kept < 8 * each and losses[-1] == 8 * each - kept and losses == sorted(losses)
    assert watermark.mishaps(folder)["ship_captures_lost"] == losses[-1]
    told = [record.getMessage() for record in caplog.records if "went before" in record.getMessage()]
    assert len(told) == 1 and str(folder) in told[0], "said once"
    shipper.close()
    server.start()
    shipper = drained(Shipper(folder, address(server.url())))
    rows, tokens, by_minute, minute_tokens, captures = sums(server.url())
    assert (rows, tokens, by_minute, minute_tokens) == here(folder)[:4] and rows == 10 * each
    assert captures == 2 * each + kept and shipper.mark.lost == losses[-1]
    assert shipper.mark.backlog == shipper.mark.held == shipper.mark.seen == 0


def test_what_goes_while_it_drains_is_counted(folder: Path, server: Server) -> None:
    server.stop()
    shipper = Shipper(folder, address(server.url()))
    assert shipper.attempt() is None and shipper.mark.held == 60
    with Shelf(folder) as shelf:
        shelf.trim(START, 0, None)
    server.start()
    assert drained(shipper).mark.lost == 60 and sums(server.url())[4] == 0


def test_a_batch_that_is_refused_counts_once(folder: Path, inside: str) -> None:
    shipper = Shipper(folder, address(inside))
    database = address(inside).database
    shipper._connected()
    (next((folder / "captures").iterdir())).write_bytes(b"damaged")
    Connection(address(inside)).command(f"RENAME TABLE {database}.exchanges TO {database}.away")
    assert shipper.attempt() is None and shipper.attempt() is None
    assert shipper.mark.lost == shipper.mark.shipped == 0
    Connection(address(inside)).command(f"RENAME TABLE {database}.away TO {database}.exchanges")
    drained(shipper)
    assert (shipper.mark.lost, shipper.mark.shipped) == (60, 60)


def test_another_database_gets_another_number(tmp_path: Path, folder: Path, inside: str) -> None:
    drained(Shipper(folder, address(inside)))
    for path in folder.glob("meter.db*"):
        path.unlink()
    fill(folder, 20, seed=9)
    drained(Shipper(folder, address(inside)))
    with Remote(address(inside)) as remote:
        assert {row.id >> 33 for row in remote.rows()} == {0, 1} and remote.requests() == 80


def test_a_server_that_has_forgotten_gets_all_of_it(folder: Path, inside: str) -> None:
    drained(Shipper(folder, address(inside)))
    Connection(address(inside)).command(f"DROP DATABASE {address(inside).database}")
    drained(Shipper(folder, address(inside)))
    assert sums(inside) == here(folder)


def test_one_of_two_senders_sends(folder: Path, inside: str) -> None:
    first, second = Shipper(folder, address(inside)), Shipper(folder, address(inside))
    assert first.step() == 60
    fill(folder, 10, seed=3)
    assert second.attempt() == 0 and first.attempt() == 10
    first.close()
    second.close()


def test_a_clock_that_is_off_is_told(
    folder: Path, inside: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() - 3600)
    drained(Shipper(folder, address(inside)))
    assert "clock is 3600 s behind" in caplog.records[0].getMessage()
    assert sums(inside) == here(folder)


def test_a_damaged_watermark_is_told(folder: Path, inside: str, caplog: pytest.LogCaptureFixture) -> None:
    (folder / "shipped.json").write_text("{")
    assert Shipper(folder, address(inside)).attempt() is None
    assert "with it moved away everything is sent again" in caplog.records[0].getMessage()


def test_it_runs_in_a_thread_of_its_own(folder: Path, server: Server) -> None:
    stop = ship_from(folder, address(server.url()))
    deadline = time.monotonic() + 20
    while (mark := watermark.load(folder)) is None or mark.last < 60:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    fill(folder, 5, seed=4)
    stop()
    assert json.loads((folder / "shipped.json").read_text())["last"] == 65, "what there is at the end goes too"
    assert (folder / "shipped.json").stat().st_mode & 0o777 == 0o600


def test_sums_are_made_anew(folder: Path, fleet: str) -> None:
    drained(Shipper(folder, address(fleet)))
    (folder / "shipped.json").unlink()
    drained(Shipper(folder, address(fleet)))
    assert sums(fleet)[:3] == (*here(folder)[:2], 120), "sent again from the start, under another name"
    done = CliRunner().invoke(main, ["--dir", str(folder), "ship", "--rebuild-sums", "--to", fleet])
    assert done.exit_code == 0, done.output
    assert sums(fleet) == here(folder)
