"""The command line over a folder that the test fills: `ls`, `show`, `stats`, `path`, and what bad input gets."""

import json
import re
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from msgspec.structs import replace

from mitmeter import tables
from mitmeter.cli import main
from mitmeter.exchange import Answer, Exchange, Opening, Outcome
from mitmeter.recorder import Recorder
from mitmeter.redact import Redacted
from mitmeter.redact.secrets import session
from mitmeter.shelf import Shelf, private_folder, secret_of
from mitmeter.store.sqlite import Store
from mitmeter.usage.registry import find

KEYS = [
    *("id", "flow_id", "started", "method", "host", "path", "provider", "api", "operation", "model", "request_model"),
    *("stream", "status", "content_type", "outcome", "error", "finish", "service_tier", "usage", "timing", "sizes"),
    *("credential", "client", "anomalies", "has_capture"),
]
USAGE = [
    *("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "reasoning_tokens"),
    *("total_tokens", "draft_tokens", "draft_accepted_tokens", "source"),
]
TIMING = [
    *("duration_ms", "headers_ms", "first_byte_ms", "first_token_ms", "prompt_per_second", "tokens_per_second"),
]
SIZES = ["request_bytes", "response_bytes", "decoded_bytes"]
PATH = "/v1/chat/completions"
HOSTILE = "evil\x1b[31m\x07\u202e\r\nmeter #9 forged\u2028\x9b2J\x00"


def exchanged(model: str, *, status: int = 200, body: bytes | None = None) -> tuple[Exchange, Redacted]:
    opening = Opening(
        flow_id=f"flow-{status}",
        started=1_795_341_600.123456,
        zero=0.0,
        method="POST",
        url=f"https://h.invalid{PATH}",
        headers=(("Content-Type", "application/json"),),
        body=b'{"model":"asked"}',
    )
    recorder = Recorder(opening, find("POST", "h.invalid", PATH))
    recorder.answer(Answer(status=status, headers=(("Content-Type", "application/json"), ("X", HOSTILE))), 0.1)
    usage = {"prompt_tokens": 4000, "completion_tokens": 29, "prompt_tokens_details": {"cached_tokens": 300}}
    recorder.feed(body or json.dumps({"model": model, "usage": usage}).encode(), 0.2)
    return recorder.close(Outcome.COMPLETE, 0.2)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with three rows: one that went well, one that failed, one whose server means no good."""
    folder = tmp_path / "meter"
    private_folder(folder)
    error = json.dumps({"error": {"message": HOSTILE}}).encode()
    with Shelf(folder) as shelf:
        items = [exchanged("real"), exchanged("x", status=429, body=error), exchanged(HOSTILE)]
        shelf.write(items, 1_795_341_601.0, {"dropped_exchanges": 2})
    return folder


def run(folder: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["--dir", str(folder), *arguments])


def objects(result: Result) -> list[dict[str, Any]]:
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.output.splitlines()]


def controls(text: str) -> set[str]:
    return {sign for sign in text if unicodedata.category(sign) in ("Cc", "Cf", "Zl", "Zp") and sign not in "\n\t"}


def test_ls_json_has_the_published_keys_in_order(folder: Path) -> None:
    rows = objects(run(folder, "ls", "--json"))
    assert [row["id"] for row in rows] == [1, 2, 3], "oldest first"
    for row in rows:
        assert list(row)[: len(KEYS)] == KEYS
        assert list(row["usage"]) == USAGE
        assert list(row["timing"])[: len(TIMING)] == TIMING
        assert (list(row["sizes"]), list(row["client"])) == (SIZES, ["address", "agent"])
    assert rows[0]["started"] == "2026-11-22T10:00:00.123456Z"
    assert (rows[0]["usage"]["input_tokens"], rows[0]["usage"]["cache_read_tokens"]) == (4000, 300)
    assert [row["outcome"] for row in rows] == ["complete", "error", "complete"]


def test_ls_limit(folder: Path) -> None:
    assert [row["id"] for row in objects(run(folder, "ls", "--json", "--limit", "2"))] == [2, 3], "the newest"
    assert run(folder, "ls", "--limit", "0").exit_code == 2


def test_show_json_adds_the_capture(folder: Path) -> None:
    (shown,) = objects(run(folder, "show", "1", "--json"))
    assert list(shown)[: len(KEYS)] == KEYS
    capture = shown["capture"]
    assert capture["request_headers"] == [["Content-Type", "application/json"]]
    assert (capture["request_body"], capture["request_body_encoding"]) == ('{"model":"asked"}', "text")
    assert json.loads(capture["response_body"])["model"] == "real"


def test_stats_json(folder: Path) -> None:
    (told,) = objects(run(folder, "stats", "--by", "outcome", "--json"))
    assert told["by"] == "outcome"
    groups = {group["name"]: group for group in told["groups"]}
    assert {name: group["requests"] for name, group in groups.items()} == {"complete": 2, "error": 1}
    assert (groups["complete"]["input_tokens"], groups["error"]["input_tokens"]) == (8000, None)
    assert told["counters"] == {"dropped_exchanges": 2}


SHOWN = [
    *[("ls",), ("stats",), ("show", "2"), ("show", "3")],
    *[("ls", "--json"), ("stats", "--json"), ("show", "2", "--json"), ("show", "3", "--json")],
]


@pytest.mark.parametrize("arguments", SHOWN, ids=" ".join)
def test_no_control_character_of_a_server_reaches_the_terminal(folder: Path, arguments: tuple[str, ...]) -> None:
    result = run(folder, *arguments)
    assert result.exit_code == 0, result.output
    assert controls(result.output) == set()
    assert not re.search(r"(?m)^meter #9", result.output), "nor can it forge a line"


def test_ls_for_people(folder: Path) -> None:
    shown = run(folder, "ls").output
    assert "real" in shown and "4,000" in shown and "429 error" in shown


@pytest.mark.parametrize("arguments", [("ls",), ("ls", "--json"), ("show", "1"), ("stats",)], ids=" ".join)
def test_a_folder_without_a_meter(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """One line, no traceback, and nothing is made by looking."""
    result = run(tmp_path / "none", *arguments)
    assert result.exit_code == 1
    assert len(result.output.strip().splitlines()) == 1 and result.output.startswith("Error: ")
    assert str(tmp_path) in result.output
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("arguments", [("ls",), ("ls", "--json"), ("stats",)], ids=" ".join)
def test_a_meter_that_has_seen_nothing_yet(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """A proxy that runs has its folder and no database before the first exchange: that is no failure."""
    private_folder(tmp_path)
    secret_of(tmp_path)
    result = run(tmp_path, *arguments)
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "nothing has been metered yet\n")
    assert run(tmp_path, "show", "1").exit_code == 1


def test_an_empty_meter(tmp_path: Path) -> None:
    private_folder(tmp_path)
    Shelf(tmp_path).close()
    assert run(tmp_path, "ls").output.strip() == "nothing has been metered yet"
    assert objects(run(tmp_path, "ls", "--json")) == []
    assert objects(run(tmp_path, "stats", "--json")) == [{"by": "model", "groups": [], "counters": {}}]


def test_show_of_an_id_that_there_is_not(folder: Path) -> None:
    result = run(folder, "show", "99")
    assert result.exit_code == 1
    assert result.output.strip() == f"Error: there is no exchange 99 in {folder}"


@pytest.mark.parametrize("arguments", [("show", "x"), ("stats", "--by", "x"), ("nothing",)], ids=" ".join)
def test_wrong_words(folder: Path, arguments: tuple[str, ...]) -> None:
    assert run(folder, *arguments).exit_code == 2


def test_a_database_that_is_none(tmp_path: Path) -> None:
    private_folder(tmp_path)
    (tmp_path / "meter.db").write_bytes(b"not a database at all" * 100)
    result = run(tmp_path, "ls")
    assert result.exit_code == 1 and result.output.startswith("Error: ")
    assert len(result.output.strip().splitlines()) == 1
    assert "with meter.db moved away, `mitmeter verify` makes the rows again" in result.output


def test_captures_without_a_database(folder: Path) -> None:
    for path in folder.glob("meter.db*"):
        path.unlink()
    result = run(folder, "ls")
    assert (result.exit_code, "`mitmeter verify` makes its rows again" in result.stderr) == (1, True)
    assert run(folder, "verify").exit_code == 0
    assert run(folder, "ls", "--count").output == "2\n", "those that had one"


def test_a_damaged_capture_leaves_the_row(folder: Path) -> None:
    for segment in (folder / "captures").iterdir():
        segment.write_bytes(b"\0" * 100)
    result = run(folder, "show", "1", "--json")
    assert result.exit_code == 0
    assert "the capture cannot be read" in result.stderr
    assert json.loads(result.stdout)["capture"] is None


def test_path_prints_the_script(folder: Path) -> None:
    assert Path(run(folder, "path").output.strip()).is_file()


def test_the_folder_from_the_environment(folder: Path) -> None:
    result = CliRunner().invoke(main, ["ls", "--json"], env={"MITMETER_DIR": str(folder)})
    assert len(objects(result)) == 3


def test_numbers_are_whole_however_long_words_are(folder: Path) -> None:
    """Only the model and the outcome give way where the terminal is narrow."""
    error = json.dumps({"error": {"message": "much too long to fit in " * 20}}).encode()
    with Shelf(folder) as shelf:
        shelf.write([exchanged("m" * 200), exchanged("x", status=429, body=error)], 1_795_341_602.0, {})
    from rich.console import Console

    with Store(folder / "meter.db", readonly=True) as store:
        listed, added = tables.exchanges(store.rows()), tables.sums(store.stats("model"), "model")
    for width in (110, 120, 200):
        for table, numbers in ((listed, ["4,000", "300", "29", "200"]), (added, ["4,000", "300", "29", "200"])):
            console = Console(width=width)
            with console.capture() as held:
                console.print(table)
            [line] = [line for line in held.get().splitlines() if line.lstrip().startswith(("4 ", "mmm"))]
            assert [word for word in line.split() if word in numbers][:3] == numbers[:3], (width, line)
            assert all(len(line) <= width for line in held.get().splitlines())


def test_what_tells_rows_apart_stays_in_a_narrow_terminal(folder: Path) -> None:
    from rich.console import Console

    with Store(folder / "meter.db", readonly=True) as store:
        listed = tables.exchanges(store.rows())
    for width, names in ((40, "id model out ms outcome"), (66, "id time model in out ms outcome")):
        console = Console(width=width)
        with console.capture() as held:
            console.print(listed)
        head, _, *lines = [line for line in held.get().splitlines() if line.strip()]
        assert (head.split(), [line.split()[0] for line in lines]) == (names.split(), ["1", "2", "3"])


@pytest.mark.parametrize("arguments", [("ls", "--model", "none"), ("stats", "--grep", "none")], ids=" ".join)
def test_filters_that_nothing_meets(folder: Path, arguments: tuple[str, ...]) -> None:
    result = run(folder, *arguments)
    assert (result.exit_code, result.stdout.splitlines()[0]) == (0, "no exchange is like that")


MISTAKES = {
    "ls --since 1h --until 2h": "--since is not before --until",
    "ls --dir /tmp": "mitmeter --dir DIR ls",
    "export --out /none/x": "Error: /none/x: No such file or directory",
    "serve --host 192.0.2.1": "Error: 192.0.2.1:8082: ",
    "--dir clickhouse://u@h/d run": "Error: a proxy writes to a meter_dir",
    f"--dir {'x' * 300} ls": "File name too long",
    "ls --model \udcff": "an argument holds bytes that are no text",
    f"show {2**63}": "is not in the range",
    f"ls --limit {2**63}": "is not in the range",
    "export 1 99": "there is no exchange 99",
}


@pytest.mark.parametrize("words", MISTAKES)
def test_mistakes_are_told(folder: Path, words: str) -> None:
    result = run(folder, *words.split())
    assert result.exit_code != 0
    assert MISTAKES[words] in result.stderr.splitlines()[-1]


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_a_terminal_that_lacks_signs(tmp_path: Path, encoding: str) -> None:
    with Shelf(tmp_path) as shelf:
        shelf.write([exchanged("π")], 1_795_341_602.0, {})
    for words in (["ls"], ["show", "1"], ["stats"], ["tail", "--help"]):
        result = CliRunner(charset=encoding).invoke(main, ["--dir", str(tmp_path), *words])
        assert (result.exit_code, result.exception) == (0, None), words


def test_a_secret_that_is_named_and_not_there(folder: Path) -> None:
    named = {"MITMETER_SECRET_FILE": "/none/secret"}
    result = CliRunner().invoke(main, ["--dir", str(folder), "ls", "--session", "mine"], env=named)
    assert (result.exit_code, result.stderr) == (1, "Error: /none/secret: No such file or directory\n")


@pytest.mark.parametrize(
    ("words", "named", "wanted"),
    [
        ("run -q", "", ["-q"]),
        ("web -q", "/a", ["--set", "meter_dir=/a", "-q"]),
        ("--dir /b run -q", "/a", ["--set", "meter_dir=/b", "-q"]),
        ("run -q", "clickhouse://u@h/d", ["-q"]),
    ],
)
def test_a_proxy_has_the_folder_that_was_named(
    words: str, named: str, wanted: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[list[str]] = []
    monkeypatch.setattr("os.execv", lambda tool, command: started.append(command))
    CliRunner().invoke(main, words.split(), env={"MITMETER_DIR": named})
    assert [command[3:] for command in started] == [wanted]


def test_a_session_is_found_by_its_hash_and_by_the_clients_own_id(folder: Path) -> None:
    joined = session("my session", (), None, secret_of(folder))
    exchange, redacted = exchanged("real")
    with Shelf(folder) as shelf:
        shelf.write([(replace(exchange, session=joined), redacted)], 1_795_341_602.0, {})
    assert joined is not None
    for named in (joined, "my session", "s_*", f"{joined[:9]}*"):
        assert [row["session"] for row in objects(run(folder, "ls", "--json", "--session", named))] == [joined], named
    assert objects(run(folder, "ls", "--json", "--session", "another")) == []
    [told] = objects(run(folder, "stats", "--by", "session", "--json"))
    assert [(group["name"], group["requests"]) for group in told["groups"]] == [(None, 3), (joined, 1)]


def test_what_was_asked_with_one_key(folder: Path) -> None:
    exchange, redacted = exchanged("real")
    with Shelf(folder) as shelf:
        shelf.write([(replace(exchange, credential="k_0a1b2c3d"), redacted)], 1_795_341_603.0, {})
    [told] = objects(run(folder, "stats", "--by", "credential", "--json", "--credential", "k_0a*"))
    assert [(group["name"], group["requests"]) for group in told["groups"]] == [("k_0a1b2c3d", 1)]
    assert len(objects(run(folder, "ls", "--json", "--credential", "k_0a1b2c3d"))) == 1
