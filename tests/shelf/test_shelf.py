"""One meter_dir: what is written, what is kept, who may read it, and what a failure costs."""

import stat
from pathlib import Path

import pytest

from mitmeter.exchange import Answer, Exchange, Opening, Outcome
from mitmeter.recorder import Recorder
from mitmeter.redact import Redacted
from mitmeter.shelf import SECRET_BYTES, Kept, Shelf, Sync, capture, private_folder, secret_of
from mitmeter.store.rows import Row
from mitmeter.store.sqlite import Store
from mitmeter.usage.registry import find

PATH = "/v1/chat/completions"
BODY = b'{"model":"m","usage":{"prompt_tokens":4,"completion_tokens":5}}'
NOW = 1_700_000_000.0


def exchanged(flow_id: str = "f", started: float = NOW) -> tuple[Exchange, Redacted]:
    headers = (("Content-Type", "application/json"), ("Authorization", "Bearer sk-secret"))
    opening = Opening(
        flow_id=flow_id,
        started=started,
        zero=0.0,
        method="POST",
        url=f"https://h.invalid{PATH}?key=sk-secret",
        headers=headers,
        body=b'{"model":"m"}',
    )
    recorder = Recorder(opening, find("POST", "h.invalid", PATH), secret=b"salt")
    recorder.answer(Answer(status=200, headers=headers), 0.1)
    recorder.feed(BODY, 0.2)
    return recorder.close(Outcome.COMPLETE, 0.2)


def ids(written: tuple[list[Row], list[str]]) -> tuple[list[int], list[str]]:
    rows, failures = written
    return [row.id for row in rows], failures


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    private_folder(tmp_path / "meter")
    return tmp_path / "meter"


def test_what_is_written_comes_back(folder: Path) -> None:
    exchange, redacted = exchanged()
    with Shelf(folder) as shelf:
        assert ids(shelf.write([(exchange, redacted), (exchange, None)], NOW, {})) == ([1, 2], [])
    with Store(folder / "meter.db", readonly=True) as store:
        rows = store.rows()
        assert [(row.id, row.exchange, row.has_capture) for row in rows] == [(1, exchange, True), (2, exchange, False)]
        record = capture(folder, store, 1)
        assert record is not None and capture(folder, store, 2) is None
    assert (record.ident, record.capture.request_body, record.capture.response_body) == (1, b'{"model":"m"}', BODY)
    assert record.capture.request_headers == redacted.request_headers


@pytest.mark.parametrize("sync", ["never", "seal", "write"])
def test_what_is_written_comes_back_however_it_is_synced(folder: Path, sync: Sync) -> None:
    with Shelf(folder, sync=sync) as shelf:
        assert ids(shelf.write([exchanged(), exchanged("g")], NOW, {})) == ([1, 2], [])
        (synchronous,) = shelf.store._connection.execute("PRAGMA synchronous").fetchone()
        assert synchronous == (2 if sync == "write" else 1)
        assert ids(shelf.write([exchanged("h")], NOW, {})) == ([3], [])
    with Store(folder / "meter.db", readonly=True) as store:
        assert all(capture(folder, store, ident) is not None for ident in (1, 2, 3))


@pytest.mark.parametrize(
    ("kept", "captured", "bodies"),
    [
        pytest.param("all", True, True, id="all"),
        pytest.param("headers", True, False, id="headers"),
        pytest.param("none", False, False, id="none"),
    ],
)
def test_what_is_kept(folder: Path, kept: Kept, captured: bool, bodies: bool) -> None:
    with Shelf(folder, kept) as shelf:
        shelf.write([exchanged()], NOW, {})
    with Store(folder / "meter.db", readonly=True) as store:
        assert [row.has_capture for row in store.rows()] == [captured]
        record = capture(folder, store, 1)
    assert (record is not None) is captured
    if record is not None:
        assert (record.capture.response_body is not None) is bodies
        assert record.capture.response_headers


def test_no_secret_reaches_the_disk(folder: Path) -> None:
    with Shelf(folder) as shelf:
        shelf.write([exchanged()], NOW, {})
        with Store(folder / "meter.db", readonly=True) as store:
            record = capture(folder, store, 1)
    assert record is not None and "sk-secret" not in repr(record)
    for file in folder.rglob("*"):
        if file.is_file():
            assert b"sk-secret" not in file.read_bytes(), file


def test_folder_and_files_are_their_owners_alone(folder: Path) -> None:
    secret_of(folder)
    with Shelf(folder) as shelf:
        shelf.write([exchanged()], NOW, {})
        assert {mode(path) for path in (folder, *folder.rglob("*")) if path.is_dir()} == {0o700}
        assert {mode(path) for path in folder.rglob("*") if path.is_file()} == {0o600}


def test_a_folder_that_others_could_read_is_closed(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir(mode=0o755)
    private_folder(tmp_path / "open")
    assert mode(tmp_path / "open") == 0o700


def test_a_folder_that_cannot_be_had(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        private_folder(tmp_path / "file")


def test_the_secret_is_made_once(folder: Path) -> None:
    secret = secret_of(folder)
    assert len(secret) == SECRET_BYTES
    assert secret_of(folder) == secret
    assert [path.name for path in folder.iterdir()] == ["secret"], "nothing else is left behind"


def test_a_capture_that_cannot_be_written_costs_the_capture(folder: Path) -> None:
    with Shelf(folder) as shelf:
        shelf.write([exchanged()], NOW, {})
    captures = folder / "captures"
    for file in captures.iterdir():
        file.unlink()
    captures.rmdir()
    captures.write_text("in the way")
    try:
        shelf = Shelf(folder)
    except OSError:
        pytest.skip("the folder of the captures is looked at when the shelf is opened")
    idents, failures = ids(shelf.write([exchanged()], NOW, {}))
    shelf.close()
    assert idents == [2] and len(failures) == 1
    with Store(folder / "meter.db", readonly=True) as store:
        assert [row.has_capture for row in store.rows()][-1] is False
        assert store.counters()["captures_dropped"] == 1


def test_counters_add_up(folder: Path) -> None:
    with Shelf(folder) as shelf:
        shelf.write([], NOW, {"dropped": 2})
        shelf.write([], NOW, {"dropped": 3})
        assert shelf.store.counters()["dropped"] == 5
