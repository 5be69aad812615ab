"""`mitmeter import`: mitmproxy flow files and HAR logs that the test writes itself."""

import base64
import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from mitmproxy import flow as mitmflow
from mitmproxy import http
from mitmproxy.io import FlowWriter
from mitmproxy.test import tflow, tutils
from mitmproxy.websocket import WebSocketData, WebSocketMessage

from mitmeter.cli import main

PATH = "/v1/chat/completions"
STREAM = (
    b'data: {"model":"real","choices":[{"delta":{"content":"a"}}]}\n\n'
    b'data: {"choices":[],"usage":{"prompt_tokens":4,"completion_tokens":5}}\n\n'
    b"data: [DONE]\n\n"
)
STARTED = 1_795_341_600.0


def flow(
    path: str = PATH, body: bytes = STREAM, kind: str = "text/event-stream", error: str | None = None
) -> http.HTTPFlow:
    request = tutils.treq(
        host="api.openai.com",
        port=443,
        scheme=b"https",
        method=b"POST",
        path=path.encode(),
        headers=http.Headers(((b"Content-Type", b"application/json"), (b"Authorization", b"Bearer sk-secret"))),
        content=b'{"model":"asked","stream":true}',
        timestamp_start=STARTED,
        timestamp_end=STARTED + 0.1,
    )
    response = tutils.tresp(
        status_code=200,
        headers=http.Headers(((b"Content-Type", kind.encode()),)),
        content=body,
        timestamp_start=STARTED + 0.5,
        timestamp_end=STARTED + 2,
    )
    made = tflow.tflow(req=request, resp=response)
    if error is not None:
        made.error = mitmflow.Error(error, STARTED + 3)
    return made


def written(file: Path, *flows: mitmflow.Flow) -> Path:
    with file.open("wb") as out:
        writer = FlowWriter(out)  # type: ignore[no-untyped-call]  # mitmproxy leaves it untyped
        for one in flows:
            writer.add(one)
    return file


def entry(url: str, answer: dict[str, Any], status: int = 200) -> dict[str, Any]:
    return {
        "startedDateTime": "2026-11-22T10:00:00.000Z",
        "time": 1500,
        "request": {
            "method": "POST",
            "url": url,
            "httpVersion": "HTTP/2",
            "headers": [{"name": "Content-Type", "value": "application/json"}],
            "queryString": [],
            "cookies": [],
            "headersSize": -1,
            "bodySize": -1,
            "postData": {"mimeType": "application/json", "text": '{"model":"asked"}'},
        },
        "response": {
            "status": status,
            "statusText": "OK",
            "httpVersion": "HTTP/2",
            "headers": [{"name": "content-type", "value": "application/json"}],
            "cookies": [],
            "content": answer,
            "redirectURL": "",
            "headersSize": -1,
            "bodySize": -1,
        },
        "cache": {},
        "timings": {"send": 0, "wait": 500, "receive": 1000},
        "serverIPAddress": "127.0.0.1",
        "connection": "1",
    }


def har(file: Path, *entries: dict[str, Any]) -> Path:
    log = {"version": "1.2", "creator": {"name": "test", "version": "1"}, "pages": [], "entries": list(entries)}
    file.write_text(json.dumps({"log": log}), encoding="utf-8")
    return file


DOCUMENT = '{"model":"real","usage":{"prompt_tokens":4,"completion_tokens":5}}'
CHAT = f"https://api.openai.com{PATH}"


def run(folder: Path, *arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["--dir", str(folder), *map(str, arguments)])


def rows(folder: Path) -> list[dict[str, Any]]:
    result = run(folder, "ls", "--json")
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.output.splitlines()]


def test_a_flow_file(tmp_path: Path) -> None:
    file = written(tmp_path / "flows", flow(), flow("/v1/models"), tflow.ttcpflow(), flow(error="Client disconnected."))
    folder = tmp_path / "meter"
    result = run(folder, "import", file)
    assert (result.exit_code, result.output.strip()) == (0, "2 added, 0 known already, 1 not LLM traffic")
    first, cut = rows(folder)
    assert (first["provider"], first["model"], first["request_model"]) == ("openai", "real", "asked")
    assert (first["usage"]["input_tokens"], first["usage"]["output_tokens"]) == (4, 5)
    assert (first["timing"]["headers_ms"], first["timing"]["duration_ms"]) == (500.0, 2000.0)
    assert (first["timing"]["first_byte_ms"], first["timing"]["first_token_ms"]) == (None, None)
    assert first["started"] == "2026-11-22T10:00:00.000000Z"
    assert first["outcome"] == cut["outcome"] == "complete", "it had reached its end before the client left"
    shown = json.loads(run(folder, "show", "1", "--json").output)
    assert shown["capture"]["response_body"] == STREAM.decode()
    assert "sk-secret" not in json.dumps(shown)


def test_cut_flows_keep_who_cut_them(tmp_path: Path) -> None:
    errors = ("Client disconnected.", "peer closed connection")
    file = written(tmp_path / "flows", *(flow(body=STREAM[:60], error=error) for error in errors))
    folder = tmp_path / "meter"
    assert run(folder, "import", file).exit_code == 0
    assert [(row["outcome"], row["error"]) for row in rows(folder)] == [
        ("client_aborted", "Client disconnected."),
        ("upstream_aborted", "peer closed connection"),
    ]


def test_a_flow_without_a_response(tmp_path: Path) -> None:
    lone = flow(error="connection refused")
    lone.response = None
    folder = tmp_path / "meter"
    assert run(folder, "import", written(tmp_path / "flows", lone)).exit_code == 0
    (row,) = rows(folder)
    assert (row["outcome"], row["error"], row["status"]) == ("unreachable", "connection refused", None)


def test_a_har_log(tmp_path: Path) -> None:
    packed = {"size": 1, "mimeType": "application/json", "encoding": "base64"}
    packed["text"] = base64.b64encode(DOCUMENT.encode()).decode()
    file = har(
        tmp_path / "log.har",
        entry(CHAT, {"size": 1, "mimeType": "application/json", "text": DOCUMENT}),
        entry(f"{CHAT}?n=2", packed),
        entry(CHAT, {"size": 1, "mimeType": "application/json", "text": DOCUMENT}),
        entry("https://example.org/page", {"size": 0, "mimeType": "text/html", "text": "<html>"}),
        entry(CHAT, {"size": 1, "mimeType": "application/json", "text": '{"error":{"message":"slow"}}'}, 429),
    )
    folder = tmp_path / "meter"
    result = run(folder, "import", file)
    assert result.exit_code == 0, result.output
    found = rows(folder)
    assert [row["usage"]["input_tokens"] for row in found] == [4, 4, 4, None], "also of two that are alike"
    assert [row["outcome"] for row in found] == ["complete", "complete", "complete", "error"]
    assert {(row["timing"]["headers_ms"], row["timing"]["duration_ms"]) for row in found} == {(500.0, 1500.0)}
    assert (found[3]["status"], found[3]["error"]) == (429, "slow")
    assert {(row["provider"], row["request_model"]) for row in found} == {("openai", "asked")}


@pytest.mark.parametrize("kind", ["flows", "har"])
def test_twice_is_once(tmp_path: Path, kind: str) -> None:
    if kind == "flows":
        file = written(tmp_path / "flows", flow(), flow())
    else:
        answer = {"size": 1, "mimeType": "application/json", "text": DOCUMENT}
        file = har(tmp_path / "log.har", entry(CHAT, answer), entry(CHAT, answer))
    folder = tmp_path / "meter"
    assert run(folder, "import", file).output.strip() == "2 added, 0 known already, 0 not LLM traffic"
    before = rows(folder)
    assert run(folder, "import", file).output.strip() == "0 added, 2 known already, 0 not LLM traffic"
    assert run(folder, "import", file, file).exit_code == 0
    assert rows(folder) == before


def test_the_same_file_twice_in_one_import(tmp_path: Path) -> None:
    file = written(tmp_path / "flows", flow(), flow())
    assert run(tmp_path / "meter", "import", file, file).output.startswith("2 added, 2 known already")


def test_a_flow_that_is_in_a_file_twice(tmp_path: Path) -> None:
    one = flow()
    result = run(tmp_path / "meter", "import", written(tmp_path / "flows", one, one))
    assert result.output.startswith("1 added, 1 known already")


def test_more_flows_than_are_written_together(tmp_path: Path) -> None:
    file = written(tmp_path / "flows", *(flow() for _ in range(120)))
    assert run(tmp_path / "meter", "import", file).output.startswith("120 added, 0 known already")


def test_a_damaged_file_keeps_what_came_before(tmp_path: Path) -> None:
    file = written(tmp_path / "flows", flow(), flow())
    file.write_bytes(file.read_bytes()[:-20])
    after = written(tmp_path / "after", flow())
    result = run(tmp_path / "meter", "import", file, after)
    assert (result.exit_code, result.stdout) == (1, "2 added, 0 known already, 0 not LLM traffic\n")
    assert result.stderr.startswith(f"{file}: damaged after 1 flows (") and result.stderr.count("\n") == 1
    assert len(rows(tmp_path / "meter")) == 2, "the flow before the damage, and the next file"


def test_entries_that_are_not_as_they_should_be(tmp_path: Path) -> None:
    """What a browser's extension asked is not HTTP, what leaves things out is read, and the rest goes on."""
    told = {"size": 1, "mimeType": "application/json", "text": DOCUMENT}
    bare, undated = entry(CHAT, told), entry(CHAT, told)
    del bare["time"], bare["request"]["httpVersion"], bare["request"]["postData"]["text"], undated["startedDateTime"]
    bad = {"odd": 1}, undated, {"request": 1, "response": 2}
    file = har(tmp_path / "log.har", entry("blob:https://x/1", told), *bad, bare, entry(f"{CHAT}?n=2", told))
    result = run(tmp_path / "meter", "import", file)
    assert result.stdout == "2 added, 0 known already, 0 not LLM traffic, 3 that cannot be read\n"
    causes = "no 'request': 1, no 'startedDateTime': 1, TypeError: 1"
    assert result.stderr == f"{file}: 3 of 6 entries are not as HAR has them ({causes})\n"
    assert (result.exit_code, [row["usage"]["input_tokens"] for row in rows(tmp_path / "meter")]) == (0, [4, 4])
    nothing = run(tmp_path / "meter", "import", har(tmp_path / "bad.har", *bad))
    assert (nothing.exit_code, nothing.stdout.split(", ")[-1]) == (1, "3 that cannot be read\n")


def test_what_cut_an_entry_short(tmp_path: Path) -> None:
    """As Chrome has it; with a status of 0 there was no answer."""
    causes = {"net::ERR_ABORTED": 200, "net::ERR_HTTP2_PROTOCOL_ERROR": 200, "net::ERR_CONNECTION_REFUSED": 0}
    entries = [entry(f"{CHAT}?n={status}", {"mimeType": "text/event-stream"}, status) for status in causes.values()]
    for one, cause in zip(entries, causes, strict=True):
        one["response"]["_error"] = cause
    assert run(tmp_path / "meter", "import", har(tmp_path / "log.har", *entries)).exit_code == 0
    assert [(row["outcome"], row["error"]) for row in rows(tmp_path / "meter")] == list(
        zip(["client_aborted", "upstream_aborted", "unreachable"], causes, strict=True)
    )


@pytest.mark.parametrize("form", ["har", "flows"])
def test_what_was_exported_comes_back(tmp_path: Path, form: str) -> None:
    """The same exchanges in another folder, which are known where they came from."""
    upload, lone = flow(error="Client disconnected.", body=STREAM[:60]), flow(error="connection refused")
    upload.request.raw_content, lone.response = b'{"model":"a\xff"}', None
    upload.request.timestamp_start = lone.request.timestamp_start = STARTED + 0.12345678
    first, second, file = tmp_path / "one", tmp_path / "two", tmp_path / "file"
    run(first, "import", written(tmp_path / "flows", flow(), upload, lone))
    assert run(first, "export", "--format", form, "--out", file).exit_code == 0
    assert run(second, "import", file).stdout.startswith("3 added")
    compared = ("flow_id", "outcome", "error", "usage", "model", "request_model", "sizes")
    there, back = ([{name: row[name] for name in compared} for row in rows(folder)] for folder in (first, second))
    assert back == there
    assert run(first, "import", file).stdout.startswith("0 added, 3 known already")


@pytest.mark.parametrize("content", [b"", b"nonsense", b"{}", b'{"log":{}}', b"\x00\xff" * 50], ids=repr)
def test_a_file_that_is_neither(tmp_path: Path, content: bytes) -> None:
    """What came in, and one line of what is wrong, no traceback; an empty file holds no flows."""
    (tmp_path / "file").write_bytes(content)
    result = run(tmp_path / "meter", "import", tmp_path / "file")
    assert (result.exit_code, result.stderr.count("\n")) == ((1, 1) if content else (0, 0))
    assert result.stdout == "0 added, 0 known already, 0 not LLM traffic\n"


def test_a_file_that_there_is_not(tmp_path: Path) -> None:
    assert run(tmp_path / "meter", "import", tmp_path / "none").exit_code == 2
    assert not (tmp_path / "meter").exists()


REALTIME = "/v1/realtime?model=gpt-realtime"


def told(number: int) -> list[tuple[bool, dict[str, Any]]]:
    """One response on a connection, as it is asked for and answered."""
    usage = {"input_tokens": 10 * number, "output_tokens": number, "total_tokens": 11 * number}
    done = {"id": f"resp_{number}", "status": "completed", "usage": usage}
    return [
        (True, {"type": "response.create"}),
        (False, {"type": "response.created", "response": {"id": f"resp_{number}"}}),
        (False, {"type": "response.output_text.delta", "response_id": f"resp_{number}", "delta": "x"}),
        (False, {"type": "response.done", "response": done}),
    ]


SAID = [*told(1), *told(2)]


def socket() -> http.HTTPFlow:
    request = tutils.treq(
        host="api.openai.com",
        port=443,
        scheme=b"https",
        path=REALTIME.encode(),
        method=b"GET",
        headers=http.Headers(((b"Upgrade", b"websocket"), (b"Connection", b"upgrade"))),
        content=b"",
        timestamp_start=STARTED,
        timestamp_end=STARTED,
    )
    made = tflow.tflow(req=request, resp=tutils.tresp(status_code=101, headers=http.Headers(), content=b""))
    made.websocket = WebSocketData(
        messages=[
            WebSocketMessage(1, from_client, json.dumps(message).encode(), STARTED + at)
            for at, (from_client, message) in enumerate(SAID, 1)
        ],
        closed_by_client=True,
        close_code=1000,
        timestamp_end=STARTED + 20,
    )
    return made


def socket_har(file: Path) -> Path:
    made = entry(f"wss://api.openai.com{REALTIME}", {}, status=101)
    made["request"]["method"] = "GET"
    del made["request"]["postData"]
    made["_webSocketMessages"] = [
        {"type": "send" if out else "receive", "time": STARTED + at, "opcode": 1, "data": json.dumps(message)}
        for at, (out, message) in enumerate(SAID, 1)
    ]
    made["_webSocketMessages"].append({"type": "receive", "time": STARTED + 9, "opcode": 2, "data": "AAEC"})
    return har(file, made)


@pytest.mark.parametrize("kind", ["flow file", "HAR"])
def test_each_response_on_a_recorded_socket_is_a_row(tmp_path: Path, kind: str) -> None:
    file = written(tmp_path / "flows", socket()) if kind == "flow file" else socket_har(tmp_path / "log.har")
    folder = tmp_path / "meter"
    result = run(folder, "import", file)
    assert result.output.strip() == "2 added, 0 known already, 0 not LLM traffic"
    assert run(folder, "import", file).output.strip() == "0 added, 2 known already, 0 not LLM traffic"
    found = rows(folder)
    assert [(row["usage"]["input_tokens"], row["usage"]["output_tokens"]) for row in found] == [(10, 1), (20, 2)]
    assert {(row["host"], row["api"], row["request_model"], row["status"]) for row in found} == {
        ("api.openai.com", "realtime", "gpt-realtime", 101)
    }
    assert [row["timing"]["first_token_ms"] for row in found] == [pytest.approx(2000)] * 2
    assert len({row["flow_id"] for row in found}) == 1


def test_a_socket_that_was_metered_live_is_known(tmp_path: Path) -> None:
    flow, folder = socket(), tmp_path / "meter"
    run(folder, "import", written(tmp_path / "flows", flow))
    with sqlite3.connect(folder / "meter.db") as connection:
        connection.execute("UPDATE exchanges SET started = started + 0.0021")
    connection.close()
    again = run(folder, "import", tmp_path / "flows")
    assert again.output.strip() == "0 added, 2 known already, 0 not LLM traffic"


def test_exported_responses_of_a_socket_come_back_with_their_counts(tmp_path: Path) -> None:
    first, second = tmp_path / "one", tmp_path / "two"
    run(first, "import", written(tmp_path / "flows", socket()))
    exported = tmp_path / "out.flow"
    result = run(first, "export", "--format", "flows", "--out", exported)
    assert result.exit_code == 0, result.output
    run(second, "import", exported)
    assert [row["usage"]["output_tokens"] for row in rows(second)] == [1, 2]


def test_what_is_imported_has_a_price(tmp_path: Path) -> None:
    """By the list as it was at that time, and by the user's own prices first."""
    listed, ours = flow(body=STREAM.replace(b'"real"', b'"gpt-4o-2024-08-06"')), flow()
    ours.id = "other"
    prices = tmp_path / "prices.json"
    prices.write_text(json.dumps([{"model": "real", "input": 1_000_000, "output": 0}]))
    file = written(tmp_path / "flows", listed, ours)
    assert run(tmp_path / "meter", "import", "--prices", prices, file).exit_code == 0
    first, second = rows(tmp_path / "meter")
    assert (first["cost_usd"], first["cost_source"]) == (pytest.approx((4 * 2.5 + 5 * 10) / 1e6), "prices")
    assert (second["cost_usd"], second["cost_source"]) == (4.0, "prices")
