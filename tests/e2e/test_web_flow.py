"""What people look at: mitmweb's own HTTP interface, and flow files."""

import contextlib
import json
import sqlite3
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from mitmproxy import http
from mitmproxy.io import FlowReader

from harness import End, Mitm, fetch, rows, rows_of, wait_rows
from provider import Provider

CHAT, MESSAGES = "/v1/chat/completions", "/v1/messages"
TURNS = [{"role": "user", "content": "list the folder please"}]
SCHEMA = {"type": "object", "properties": {"path": {"type": "string"}}}
TOOLS = [{"name": "list_folder", "input_schema": SCHEMA}]
STREAM: dict[str, Any] = {"model": "claude-sonnet-4-5", "messages": TURNS, "stream": True, "max_tokens": 100}
AGENT: dict[str, Any] = {**STREAM, "thinking": {"type": "enabled"}, "tools": TOOLS}
COUNTED: dict[str, Any] = {
    "model": "gpt-5",
    "messages": TURNS,
    "stream": True,
    "stream_options": {"include_usage": True},
}
PACE = {"x-pace-first": "30", "x-pace-gap": "8"}
ASKS: dict[str, tuple[str, dict[str, Any], dict[str, str]]] = {
    "stream": (MESSAGES, STREAM, {}),
    "agent": (MESSAGES, AGENT, {}),
    "coded": (MESSAGES, AGENT, {"x-shape": "coding=zstd"}),
    "chat": (CHAT, COUNTED, {}),
    "document": (MESSAGES, {**AGENT, "stream": False}, {}),
    "cut": (MESSAGES, STREAM, {"x-fault": "cut:6"}),
    "refused": (MESSAGES, STREAM, {"x-fault": "status:429"}),
    "failed": (MESSAGES, STREAM, {"x-fault": "error-event:6"}),
}


@dataclass(frozen=True)
class Web:
    """mitmweb's interface as its page uses it."""

    port: int
    token: str

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """Calls it; text comes back where it is no JSON."""
        headers = {"authorization": f"Bearer {self.token}", "cookie": "_mitmproxy_xsrf=x", "x-xsrftoken": "x"}
        reply = fetch(self.port, path, body, headers, method=method)
        assert (reply.end, reply.status // 100) == (End.COMPLETE, 2), reply
        return json.loads(reply.body) if (reply.header("content-type") or "").startswith("application/json") else None

    def flow(self, agent: str) -> dict[str, Any]:
        """The only flow of a client."""
        (flow,) = self.find(agent)
        return flow

    def find(self, agent: str) -> list[dict[str, Any]]:
        """The flows of a client."""
        return [flow for flow in self.call("GET", "/flows") if ["User-Agent", agent] in flow["request"]["headers"]]

    def command(self, name: str, *arguments: str) -> Any:
        """Runs a command."""
        return self.call("POST", f"/commands/{name}", {"arguments": list(arguments)})

    def answer(self, name: str, *arguments: str) -> str:
        """What a command says, at once or later in the event log."""
        told: dict[str, str] = self.command(name, *arguments)
        if "the answer comes in the event log" not in told.get("value", ""):
            return told.get("value") or told["error"]
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            events = [event["message"] for event in self.call("GET", "/events") if event["level"] == "alert"]
            if events:
                return str(events[-1])
            time.sleep(0.05)
        raise AssertionError(f"{name} gave no answer")

    def view(self, agent: str) -> dict[str, Any]:
        """What the content view shows of a response; `auto` is what the page asks for first."""
        shown: dict[str, Any] = self.call("GET", f"/flows/{self.flow(agent)['id']}/response/content/auto.json")
        return shown


@dataclass(frozen=True)
class Bench:
    """mitmweb with the addon, after one exchange of each kind."""

    proxy: Mitm
    web: Web
    bodies: dict[str, bytes]

    def row(self, agent: str) -> dict[str, Any]:
        """Its row."""
        (found,) = rows_of(self.proxy.meter_dir, agent)
        return found


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with Provider() as upstream, Mitm(upstream.url, tmp_path_factory.mktemp("web"), tool="mitmweb") as proxy:
        address = urlsplit(proxy.url)
        web = Web(address.port or 0, parse_qs(address.query)["token"][0])
        bodies: dict[str, bytes] = {}
        for agent, (path, body, headers) in ASKS.items():
            bodies[agent] = fetch(proxy.port, path, body, {"User-Agent": agent, **PACE, **headers}).body
        assert web.answer("meter.flush") == "flushed"
        yield Bench(proxy, web, bodies)


def test_flush_has_put_everything_on_disk(bench: Bench) -> None:
    assert {row["client"]["agent"] for row in rows(bench.proxy.meter_dir)} >= set(ASKS)


@pytest.mark.parametrize("agent", ["stream", "agent", "coded", "chat"])
def test_the_comment_begins_with_the_numbers(bench: Bench, agent: str) -> None:
    row = bench.row(agent)
    usage, timing = row["usage"], row["timing"]
    numbers = f"{usage['input_tokens']}→{usage['output_tokens']} tok · {timing['first_token_ms']:.0f} ms"
    assert bench.web.flow(agent)["comment"] == f"{numbers} · {timing['tokens_per_second']:.0f} t/s"
    assert bench.web.flow(agent)["marked"] == ""


@pytest.mark.parametrize(
    ("agent", "mark", "words"),
    [("cut", "🔌", "upstream aborted"), ("refused", "❌", "answer 429: 待って"), ("failed", "❌", "to fail: 容量超過")],
    ids=["cut", "refused", "failed"],
)
def test_what_went_wrong_is_marked_and_said(bench: Bench, agent: str, mark: str, words: str) -> None:
    flow = bench.web.flow(agent)
    assert flow["marked"] == mark
    assert words in flow["comment"]
    assert bench.row(agent)["outcome"].replace("_", " ") in flow["comment"]


@pytest.mark.parametrize("agent", ASKS)
def test_the_flow_has_its_body(bench: Bench, agent: str) -> None:
    response = bench.web.flow(agent)["response"]
    assert response["contentLength"] == len(bench.bodies[agent])


@pytest.mark.parametrize("agent", ["agent", "coded", "document"])
def test_the_view_shows_numbers_thinking_text_and_tool_call(bench: Bench, agent: str) -> None:
    shown, usage = bench.web.view(agent), bench.row(agent)["usage"]
    text = shown["text"]
    assert "LLM" in shown["description"] or shown.get("view_name") == "LLM", shown
    assert f"{usage['input_tokens']} in" in text
    assert f"{usage['output_tokens']} out" in text
    flat = " ".join(text.split())
    assert "I weigh it — 考える 🤔 — and choose the plain one." in flat
    assert "You said: list the folder please" in flat
    assert "list_folder" in flat
    assert "please — 東京" in flat
    assert "content_block_delta" not in text


@pytest.mark.parametrize(
    ("agent", "words"), [("cut", "You"), ("refused", "Told to answer 429"), ("failed", "Told to fail")]
)
def test_the_view_shows_what_came_of_the_others(bench: Bench, agent: str, words: str) -> None:
    assert words in bench.web.view(agent)["text"]


def test_a_comment_of_the_users_own_stays(bench: Bench) -> None:
    headers = {"User-Agent": "mine", "x-fault": "hang:6"}
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(fetch, bench.proxy.port, MESSAGES, STREAM, headers, timeout=1.0)
        deadline = time.monotonic() + 0.8
        while not (flow := bench.web.find("mine")) and time.monotonic() < deadline:
            time.sleep(0.02)
        bench.web.call("PUT", f"/flows/{flow[0]['id']}", {"comment": "look at this", "marked": ":red_circle:"})
        assert asked.result().end is End.TIMEOUT
    assert bench.row("mine")["outcome"] == "client_aborted"
    bench.web.answer("meter.flush")
    shown = bench.web.flow("mine")
    assert (shown["comment"], shown["marked"]) == ("look at this", "🔴")


def test_a_comment_tells_of_what_keeps_waiting(bench: Bench) -> None:
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(
            fetch, bench.proxy.port, MESSAGES, STREAM, {"User-Agent": "patient", "x-pace-first": "7000"}
        )
        deadline = time.monotonic() + 6.5
        comment = ""
        while not comment and time.monotonic() < deadline:
            time.sleep(0.1)
            comment = next((flow["comment"] for flow in bench.web.find("patient")), "")
        assert comment.startswith("waiting ")
        assert asked.result().end is End.COMPLETE
    bench.web.answer("meter.flush")
    deadline = time.monotonic() + 5
    while (comment := bench.web.flow("patient")["comment"]).startswith("waiting ") and time.monotonic() < deadline:
        time.sleep(0.02)
    assert comment.split()[1] == "tok"


def test_stats_by_command(bench: Bench) -> None:
    text = bench.web.answer("meter.stats")
    assert "claude-sonnet-4-5-20260101" in text
    assert "gpt-5-20260101" in text
    assert "requests" in text


def test_the_most_of_something_by_command(bench: Bench) -> None:
    lines = bench.web.answer("meter.top", "output", "model", "1").splitlines()
    assert len(lines) == 2 and lines[0].split() == ["model", "tokens", "requests", "newest"]
    assert lines[1].startswith("claude-sonnet-4-5-20260101")
    lines = bench.web.answer("meter.top", "tokens", "exchange", "3", "--model", "gpt*").splitlines()
    assert len(lines) == 2 and "gpt-5-20260101" in lines[1]
    assert bench.web.answer("meter.top", "cost") == "nothing is known of cost"
    assert "accepted are tokens, input" in bench.web.answer("meter.top", "money")
    assert "No such option" in bench.web.answer("meter.top", "tokens", "model", "1", "--colour", "red")


def test_text_is_found_by_command(bench: Bench) -> None:
    flow, row = bench.web.flow("chat"), bench.row("chat")
    told = bench.web.answer("meter.find", "You said: list", "--model", "gpt*")
    first, found = told.splitlines()
    assert first == "1 exchange with 'You said: list'"
    assert (
        found.startswith(f"#{row['id']} ") and f"(flow {flow['id']}): " in found and "You said: list the fol" in found
    )
    assert bench.web.answer("meter.find", "nowhere at all") == "0 exchanges with 'nowhere at all'"


def test_exchanges_are_exported_by_command(bench: Bench, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    assert bench.web.answer("meter.export", str(out), "jsonl", "--model", "gpt*").startswith(f"1 exported to {out}")
    assert json.loads(out.read_text())["flow_id"] == bench.web.flow("chat")["id"]
    assert "accepted are jsonl" in bench.web.answer("meter.export", str(out), "csv")
    assert "No such file" in bench.web.answer("meter.export", str(tmp_path / "none" / "out"))


def test_a_replay_of_the_users_is_a_row_of_its_own(bench: Bench) -> None:
    before = len(rows(bench.proxy.meter_dir))
    bench.web.call("POST", f"/flows/{bench.web.flow('chat')['id']}/replay")
    assert len(wait_rows(bench.proxy.meter_dir, before + 1)) == before + 1
    first, second = rows_of(bench.proxy.meter_dir, "chat", 2)
    assert (second["outcome"], second["usage"]) == ("complete", first["usage"])


def test_a_flush_does_not_hold_traffic_up(bench: Bench) -> None:
    """A locked database takes seconds; the command says so, and exchanges go through."""
    with contextlib.closing(sqlite3.connect(bench.proxy.meter_dir / "meter.db", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        fetch(bench.proxy.port, CHAT, COUNTED, {"User-Agent": "locked"})
        time.sleep(0.3)  # a client may have all before the proxy calls it ended
        started = time.monotonic()
        assert "event log" in bench.web.command("meter.flush")["value"]
        assert fetch(bench.proxy.port, CHAT, COUNTED, {"User-Agent": "locked-too"}).end is End.COMPLETE
        assert time.monotonic() - started < 3
    assert bench.row("locked")["outcome"] == bench.row("locked-too")["outcome"] == "complete"


def test_options_that_change_while_it_runs(bench: Bench, tmp_path: Path) -> None:
    folder = bench.proxy.meter_dir
    for name, value in (("meter_dir", "/dev/null"), ("meter_capture", "foo"), ("meter_filter", "~~")):
        with pytest.raises(AssertionError):
            bench.web.call("PUT", "/options", {name: value})
    fetch(bench.proxy.port, MESSAGES, STREAM, {"User-Agent": "still-here"})
    assert rows_of(folder, "still-here")[0]["outcome"] == "complete"
    bench.web.call("PUT", "/options", {"meter_dir": str(tmp_path / "other")})
    fetch(bench.proxy.port, MESSAGES, STREAM, {"User-Agent": "moved"})
    assert [row["client"]["agent"] for row in wait_rows(tmp_path / "other", 1)] == ["moved"]
    assert rows_of(folder, "moved", seconds=0) == []


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> dict[str, http.HTTPFlow]:
    """The flows that `mitmdump -w` wrote, by client, with the bytes that the client got."""
    directory = tmp_path_factory.mktemp("saved")
    file = directory / "flows"
    with Provider() as upstream, Mitm(upstream.url, directory, arguments=["-w", str(file)]) as proxy:
        for agent, (path, body, headers) in ASKS.items():
            fetch(proxy.port, path, body, {"User-Agent": agent, **headers})
        wait_rows(proxy.meter_dir, len(ASKS))
    with file.open("rb") as stream:
        flows = [flow for flow in FlowReader(stream).stream() if isinstance(flow, http.HTTPFlow)]
    return {flow.request.headers["user-agent"]: flow for flow in flows}


@pytest.mark.parametrize("agent", ASKS)
def test_a_flow_file_has_the_body(saved: dict[str, http.HTTPFlow], bench: Bench, agent: str) -> None:
    response = saved[agent].response
    assert response is not None
    assert response.raw_content == bench.bodies[agent]
