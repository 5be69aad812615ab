"""`mitmeter export`, format by format, and what each is read by."""

import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import cbor2
import pytest
import zstandard
from click.testing import CliRunner, Result

from mitmeter.archive.frame import from_llama_swap_frame
from mitmeter.cli import main
from mitmeter.exchange import Answer, Exchange, Opening, Outcome
from mitmeter.recorder import Recorder
from mitmeter.redact import Redacted
from mitmeter.shelf import Shelf, private_folder
from mitmeter.usage.registry import find

ADDON = Path(__file__).parents[2] / "addon"
NOW = 1_795_341_600.25
STREAM = b"".join(
    b"data: " + json.dumps(one).encode() + b"\n\n"
    for one in (
        {"model": "real", "choices": [{"index": 0, "delta": {"role": "assistant", "content": "Hel"}}]},
        {"model": "real", "choices": [{"index": 0, "delta": {"content": "lo w\u00f6rld"}}]},
        {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
        {"choices": [], "usage": {"prompt_tokens": 4, "completion_tokens": 5}},
    )
)


def exchanged(
    number: int,
    asked: Any = None,
    body: bytes = STREAM,
    *,
    host: str = "api.openai.com",
    path: str = "/v1/chat/completions",
    outcome: Outcome = Outcome.COMPLETE,
) -> tuple[Exchange, Redacted]:
    kind = "text/event-stream" if body.startswith(b"data:") else "application/json"
    sent = {"model": "asked", "messages": [{"role": "user", "content": "Hi"}]} if asked is None else asked
    opening = Opening(
        flow_id=f"flow-{number}",
        started=NOW + number,
        zero=0.0,
        method="POST",
        url=f"https://{host}{path}?q=1",
        headers=(("Host", host), ("Content-Type", "application/json"), ("X-Session-Id", f"s{number}")),
        body=json.dumps(sent).encode(),
    )
    recorder = Recorder(opening, find("POST", host, path))
    recorder.answer(Answer(status=200, headers=(("Content-Type", kind), ("Transfer-Encoding", "chunked"))), 0.1)
    recorder.feed(body, 0.5)
    return recorder.close(outcome, 1.0)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "meter"
    private_folder(folder)
    with Shelf(folder) as shelf:
        binary = exchanged(2, body=b"\xff\x00 not text")
        shelf.write(
            [exchanged(1), binary, exchanged(3, outcome=Outcome.CLIENT_ABORTED), (exchanged(4)[0], None)], NOW, {}
        )
    return folder


def run(folder: Path, *arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["--dir", str(folder), *map(str, arguments)])


def exported(folder: Path, form: str, *arguments: str) -> bytes:
    out = folder.parent / f"out.{form}"
    result = run(folder, "export", "--format", form, "--out", out, *arguments)
    assert result.exit_code == 0, result.output
    assert [path.name for path in folder.parent.iterdir() if path.name.startswith(".")] == []
    assert out.stat().st_mode & 0o777 == 0o600
    return out.read_bytes()


def test_json_lines_are_what_show_prints(folder: Path) -> None:
    lines = [json.loads(line) for line in exported(folder, "jsonl").splitlines()]
    shown = [json.loads(run(folder, "show", str(ident), "--json").output) for ident in range(1, 5)]
    assert lines == shown
    assert [line["capture"] is None for line in lines] == [False, False, False, True]


def test_a_har_log_is_imported_again(folder: Path) -> None:
    log = json.loads(exported(folder, "har"))["log"]
    assert (log["version"], len(log["entries"])) == ("1.2", 3)
    first, binary, _ = log["entries"]
    assert first["startedDateTime"] == "2026-11-22T10:00:01.250000Z" and first["time"] == 500.0
    assert [pair["name"] for pair in first["request"]["queryString"]] == ["q"]
    assert first["response"]["content"]["text"] == STREAM.decode()
    assert binary["response"]["content"]["encoding"] == "base64"
    other = folder.parent / "other"
    result = run(other, "import", folder.parent / "out.har")
    assert result.output.strip() == "3 added, 0 known already, 0 not LLM traffic"
    row = json.loads(run(other, "ls", "--json").output.splitlines()[0])
    assert (row["model"], row["usage"]["output_tokens"], row["host"]) == ("real", 5, "api.openai.com")


def test_a_flow_file_is_read_by_mitmdump_and_imported_again(folder: Path) -> None:
    exported(folder, "flows")
    file = folder.parent / "out.flows"
    command = [str(Path(sys.executable).parent / "mitmdump"), "-nr", str(file), "--set", "flow_detail=3"]
    told = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    assert told.count("    Host: api.openai.com") == 4, "one that was cut is printed with its response and its error"
    assert "rld" in told and "Client disconnected." in told
    assert run(folder, "import", file).output.strip() == "0 added, 3 known already, 0 not LLM traffic"
    other = folder.parent / "other"
    assert run(other, "import", file).output.startswith("3 added")
    rows = [json.loads(line) for line in run(other, "ls", "--json").output.splitlines()]
    assert [row["flow_id"] for row in rows] == ["flow-1", "flow-2", "flow-3"]
    assert rows[0]["usage"]["input_tokens"] == 4 and rows[0]["model"] == "real"


def test_server_replay_answers_out_of_a_flow_file(folder: Path) -> None:
    exported(folder, "flows", "1")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    mitmdump = str(Path(sys.executable).parent / "mitmdump")
    command = [mitmdump, "-q", "-p", str(port), "--server-replay", str(folder.parent / "out.flows")]
    command += [f"--set=confdir={folder.parent / 'conf'}", "--set=server_replay_ignore_params=q"]
    command += ["--set=connection_strategy=lazy", "--set=server_replay_extra=404"]
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        handlers = (
            urllib.request.ProxyHandler({"https": f"http://127.0.0.1:{port}"}),
            urllib.request.HTTPSHandler(context=ssl._create_unverified_context()),
        )
        sent = json.dumps({"model": "asked", "messages": [{"role": "user", "content": "Hi"}]}).encode()
        url = "https://api.openai.com/v1/chat/completions?q=2"
        deadline = time.monotonic() + 30
        while True:
            asked = urllib.request.Request(url, sent, {"Content-Type": "application/json"}, method="POST")
            try:
                with urllib.request.build_opener(*handlers).open(asked, timeout=20) as answer:
                    assert answer.read() == STREAM
                return
            except urllib.error.URLError:
                # It listens before it has read the file.
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
    finally:
        child.terminate()
        child.wait(20)


def test_a_frame_is_llama_swaps(folder: Path) -> None:
    frame = exported(folder, "frame", "1")
    assert frame[:4] == b"\x28\xb5\x2f\xfd" and frame[4] & 4, "a zstd frame with its checksum"
    held = cbor2.loads(zstandard.ZstdDecompressor().decompressobj().decompress(frame))
    assert list(held) == ["id", "req_path", "req_headers", "req_body", "resp_headers", "resp_body"]
    assert held["resp_body"] == STREAM and held["req_path"] == "/v1/chat/completions"
    assert from_llama_swap_frame(frame).capture.response_body == STREAM


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        pytest.param((), "name one ID", id="several"),
        pytest.param(("4",), "no capture that can be read", id="without capture"),
        pytest.param(("99",), "name one ID", id="none"),
    ],
)
def test_a_frame_holds_one(folder: Path, arguments: tuple[str, ...], told: str) -> None:
    out = folder.parent / "frame"
    result = run(folder, "export", "--format", "frame", "--out", out, *arguments)
    assert result.exit_code == 1 and told in result.output and len(result.output.splitlines()) == 1
    assert not out.exists() and len(list(folder.parent.iterdir())) == 1


def reply(text: str) -> bytes:
    return json.dumps(
        {"choices": [{"message": {"role": "assistant", "content": text}, "finish_reason": "stop"}]}
    ).encode()


TOOLS = [
    {"role": "user", "content": "what time"},
    {"role": "assistant", "content": None, "tool_calls": [
        {"id": "c1", "type": "function", "function": {"name": "clock", "arguments": '{"zone": "utc"}'}}]},
    {"role": "tool", "tool_call_id": "c1", "content": "noon"},
]  # fmt: skip


@pytest.mark.parametrize(
    ("host", "path", "asked", "answered"),
    [
        pytest.param(
            "api.openai.com", "/v1/chat/completions", {"messages": [{"role": "system", "content": "S"}, *TOOLS]},
            {"choices": [{"message": {"role": "assistant", "content": "It is noon."}}]}, id="chat",
        ),
        pytest.param(
            "api.openai.com", "/v1/responses",
            {"instructions": "S", "input": [
                {"role": "user", "content": [{"type": "input_text", "text": "what time"}]},
                {"type": "function_call", "call_id": "c1", "name": "clock", "arguments": '{"zone": "utc"}'},
                {"type": "function_call_output", "call_id": "c1", "output": "noon"}]},
            {"output": [{"type": "message", "content": [{"type": "output_text", "text": "It is noon."}]}]},
            id="responses",
        ),
        pytest.param(
            "api.anthropic.com", "/v1/messages",
            {"system": [{"type": "text", "text": "S"}], "messages": [
                {"role": "user", "content": "what time"},
                {"role": "assistant", "content": [
                    {"type": "tool_use", "id": "c1", "name": "clock", "input": {"zone": "utc"}}]},
                {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c1", "content": "noon"}]}]},
            {"type": "message", "content": [{"type": "text", "text": "It is noon."}]}, id="messages",
        ),
        pytest.param(
            "generativelanguage.googleapis.com", "/v1beta/models/gemini-2.5-pro:generateContent",
            {"systemInstruction": {"parts": [{"text": "S"}]}, "contents": [
                {"role": "user", "parts": [{"text": "what time"}]},
                {"role": "model", "parts": [{"functionCall": {"id": "c1", "name": "clock", "args": {"zone": "utc"}}}]},
                {"role": "user", "parts": [{"functionResponse": {"id": "c1", "name": "clock", "response": "noon"}}]}]},
            {"candidates": [{"content": {"role": "model", "parts": [{"text": "It is noon."}]}}]}, id="generateContent",
        ),
        pytest.param(
            "bedrock-runtime.us-east-1.amazonaws.com", "/model/anthropic.claude/converse",
            {"system": [{"text": "S"}], "messages": [
                {"role": "user", "content": [{"text": "what time"}]},
                {"role": "assistant", "content": [
                    {"toolUse": {"toolUseId": "c1", "name": "clock", "input": {"zone": "utc"}}}]},
                {"role": "user", "content": [{"toolResult": {"toolUseId": "c1", "content": [{"text": "noon"}]}}]}]},
            {"output": {"message": {"role": "assistant", "content": [{"text": "It is noon."}]}}}, id="converse",
        ),
        pytest.param(
            "127.0.0.1:11434", "/api/chat", {"messages": [{"role": "system", "content": "S"}, *TOOLS]},
            {"model": "l", "message": {"role": "assistant", "content": "It is noon."}, "done": True}, id="Ollama",
        ),
    ],
)  # fmt: skip
def test_a_conversation_of_every_dialect(
    tmp_path: Path, host: str, path: str, asked: dict[str, Any], answered: dict[str, Any]
) -> None:
    folder = tmp_path / "meter"
    private_folder(folder)
    with Shelf(folder) as shelf:
        shelf.write([exchanged(1, asked, json.dumps(answered).encode(), host=host, path=path)], NOW, {})
    told = json.loads(exported(folder, "chat"))
    wanted = [{"role": "system", "content": "S"}, *TOOLS, {"role": "assistant", "content": "It is noon."}]
    assert told["messages"] == wanted


def test_a_streamed_reply_is_put_together(folder: Path) -> None:
    told = [json.loads(line) for line in exported(folder, "chat").splitlines()]
    assert [one["id"] for one in told] == [1, 3]
    assert told[0]["messages"] == [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Hello w\u00f6rld"},
    ]
    assert told[0]["model"] == "real" and told[0]["finish"] == "stop"


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        pytest.param(("--grep", "Hello w\u00f6rld"), [1, 3], id="text over several events"),
        pytest.param(("--grep", '"Hi"'), [1, 2, 3], id="text as it is in JSON"),
        pytest.param(("--grep", "nowhere"), [], id="nowhere"),
        pytest.param(("--header", "x-session-id: s2"), [2], id="header"),
        pytest.param(("--header", "X-Session-Id: s*", "--grep", "Hello"), [1, 3], id="header and text"),
        pytest.param(("--outcome", "client_aborted", "--outcome", "error"), [], id="outcome"),
        pytest.param(("--since", "2026-11-22T10:00:03Z", "--until", "2026-11-22T10:00:04Z"), [3], id="time"),
        pytest.param(("--since", "2h"), [], id="ago"),
        pytest.param(("--status", "2xx", "--model", "rea?", "--host", "*.openai.com"), [1, 3, 4], id="several"),
        pytest.param(("--status", "200", "--status", "5xx", "--provider", "openai"), [1, 2, 3, 4], id="any of"),
        pytest.param(("--path", "/v1/none"), [], id="path"),
    ],
)
def test_filters_are_those_of_ls_stats_and_count(folder: Path, arguments: tuple[str, ...], found: list[int]) -> None:
    if "client_aborted" in arguments:
        rows = [json.loads(line) for line in run(folder, "ls", "--json").output.splitlines()]
        found = [row["id"] for row in rows if row["outcome"] == "client_aborted"]
    result = run(folder, "ls", "--json", *arguments)
    assert result.exit_code == 0, result.output
    assert [json.loads(line)["id"] for line in result.output.splitlines()] == found
    assert run(folder, "ls", "--count", *arguments).output.strip() == str(len(found))
    told = json.loads(run(folder, "stats", "--by", "hour", "--json", *arguments).output)
    assert sum(group["requests"] for group in told["groups"]) == len(found)
    assert len(exported(folder, "jsonl", *arguments).splitlines()) == len(found)


@pytest.mark.parametrize(
    "arguments", [("--since", "yesterday"), ("--status", "abc"), ("--header", "none"), ("--outcome", "x")], ids=" ".join
)
def test_a_filter_that_is_none(folder: Path, arguments: tuple[str, ...]) -> None:
    assert run(folder, "ls", *arguments).exit_code == 2


def test_an_archive_of_another_machine(folder: Path) -> None:
    other = folder.parent / "other"
    assert run(other, "import", folder).output.strip() == "4 added, 0 known already, 0 not LLM traffic"
    assert run(other, "import", folder).output.strip() == "0 added, 4 known already, 0 not LLM traffic"
    segments = sorted((folder / "captures").iterdir())
    assert run(other, "import", *segments).output.strip() == "0 added, 3 known already, 0 not LLM traffic"
    third = folder.parent / "third"
    assert run(third, "import", *segments).output.strip() == "3 added, 0 known already, 0 not LLM traffic"
    assert exported(other, "jsonl", "1") == exported(third, "jsonl", "1") == exported(folder, "jsonl", "1")
    assert run(other, "import", folder / "captures").exit_code == 0


def test_an_interrupted_export_leaves_what_was_there(folder: Path) -> None:
    out = folder.parent / "out.jsonl"
    out.write_text("before")
    # Whoever runs the tests in a shell's background has them ignore it.
    code = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    code += "import mitmeter.exporting as e, time; e._jsonl = lambda *_: time.sleep(60) or True; "
    code += "print('go', flush=True); from mitmeter.cli import main; main()"
    command = [sys.executable, "-c", code, "--dir", str(folder), "export", "--out", str(out)]
    environment = os.environ | {"PYTHONPATH": str(ADDON)}
    child = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert child.stdout is not None
    child.stdout.readline()
    deadline = time.monotonic() + 20
    while not list(folder.parent.glob(".out*")) and time.monotonic() < deadline:
        time.sleep(0.05)
    child.send_signal(signal.SIGINT)
    child.communicate(timeout=20)
    assert child.returncode == 1 and out.read_text() == "before" and not list(folder.parent.glob(".out*"))
