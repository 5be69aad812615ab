"""`mitmeter import`: mitmproxy flow files and HAR logs that the test writes itself."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from mitmproxy import flow as mitmflow
from mitmproxy import http
from mitmproxy.io import FlowWriter
from mitmproxy.test import tflow, tutils

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
    result = run(tmp_path / "meter", "import", file)
    assert result.exit_code == 1
    assert len(result.output.strip().splitlines()) == 1 and str(file) in result.output
    assert len(rows(tmp_path / "meter")) == 1, "the flow before the damage"


@pytest.mark.parametrize("content", [b"", b"nonsense", b"{}", b'{"log":{}}', b"\x00\xff" * 50], ids=repr)
def test_a_file_that_is_neither(tmp_path: Path, content: bytes) -> None:
    """At most one line, no traceback."""
    (tmp_path / "file").write_bytes(content)
    result = run(tmp_path / "meter", "import", tmp_path / "file")
    assert result.exit_code in (0, 1)
    assert result.exception is None or isinstance(result.exception, SystemExit)
    assert len(result.output.strip().splitlines()) == 1


def test_a_file_that_there_is_not(tmp_path: Path) -> None:
    assert run(tmp_path / "meter", "import", tmp_path / "none").exit_code == 2
    assert not (tmp_path / "meter").exists()
