"""The driving part of `scripts/demo`: an upstream, mitmweb with the addon in front of it, and an agent's session."""

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from harness import Mitm, Reply, fetch, wait_rows  # noqa: E402  # found only with the line above
from harness.engine import Engine, where  # noqa: E402
from provider import Provider  # noqa: E402

COLUMNS = ("icon", "method", "path", "status", "size", "time", "comment")
PACE = {"x-pace-first": "140", "x-pace-gap": "12"}
# llama-server announces keep-alive and then closes after a stream; a proxy that reuses the connection gets a 502.
COMMON = {"user-agent": "mitmeter-demo/1", "connection": "close", **PACE}
OPENAI = {"authorization": "Bearer sk-demo-this-is-no-key", **COMMON}
ANTHROPIC = {"x-api-key": "sk-ant-demo-this-is-no-key", "anthropic-version": "2023-06-01", **COMMON}
SCHEMA = {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]}
SYSTEM = "You are a careful coding agent. " + "Read before you write, test what you change, say what you did. " * 12
FILE = "def area(r): return 3.14159 * r * r  # 半径 r の円\n" * 20


def say(line: str) -> None:
    """One line for the person at the terminal."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


class Session:
    """Sends requests through the proxy and counts them."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.sent = 0

    def ask(
        self, what: str, path: str, body: dict[str, Any], headers: dict[str, str], cut_after: int | None = None
    ) -> Reply:
        """One request; prints what the client saw of the reply."""
        reply = fetch(self.port, path, body, headers, cut_after=cut_after)
        self.sent += 1
        first = f"first byte {reply.first_byte_ms:6.1f} ms" if reply.first_byte_ms is not None else "no body"
        took = ((reply.ended_at or reply.sent_at) - reply.sent_at) * 1000
        size = len(reply.body)
        say(f"  {what:<42} {reply.status} {reply.end:<9} {size:>6} bytes  {first}, all {took:7.1f} ms")
        return reply


def _anthropic_blocks(reply: Reply) -> list[dict[str, Any]]:
    """The assistant turn as an agent puts it back into its history."""
    blocks: list[dict[str, Any]] = []
    partial = ""
    for event in reply.events():
        if event["type"] == "content_block_start":
            blocks.append(dict(event["content_block"]))
            partial = ""
        elif event["type"] == "content_block_delta":
            delta = event["delta"]
            partial += delta.get("partial_json", "")
            for key in delta.keys() & {"text", "thinking", "signature"}:
                blocks[-1][key] = blocks[-1].get(key, "") + delta[key]
        elif event["type"] == "content_block_stop" and partial:
            blocks[-1]["input"] = json.loads(partial)
    return blocks


def anthropic_agent(session: Session) -> None:
    """Three questions with thinking and a tool; the history is sent again each time."""
    cached = {"type": "text", "text": SYSTEM, "cache_control": {"type": "ephemeral"}}
    tool = {"name": "read_file", "description": "Reads a file", "input_schema": SCHEMA}
    history: list[dict[str, Any]] = []
    body = {"model": "claude-sonnet-4-5", "max_tokens": 256, "stream": True, "system": [cached], "tools": [tool]}
    body["thinking"] = {"type": "enabled", "budget_tokens": 128}
    session.ask("count_tokens", "/v1/messages/count_tokens", body | {"messages": [_user("Hello")]}, ANTHROPIC)
    for number, question in enumerate(
        ("Please read geometry.py", "Now fix the value of π", "Which tests are missing?")
    ):
        history.append(_user(question))
        turns = {"messages": history}
        reply = session.ask(f"messages, turn {number + 1}: {question}", "/v1/messages", body | turns, ANTHROPIC)
        if reply.status != 200:
            history.pop()
            continue
        blocks = _anthropic_blocks(reply)
        history.append({"role": "assistant", "content": blocks})
        calls = [block for block in blocks if block["type"] == "tool_use"]
        if calls:
            result = {"type": "tool_result", "tool_use_id": calls[0]["id"], "content": FILE}
            history.append({"role": "user", "content": [result]})
            reply = session.ask(f"messages, turn {number + 1}: tool result", "/v1/messages", body | turns, ANTHROPIC)
            history.append({"role": "assistant", "content": _anthropic_blocks(reply)})


def _user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


def _openai_turn(reply: Reply) -> dict[str, Any]:
    """The assistant turn as an agent puts it back into its history."""
    turn: dict[str, Any] = {"role": "assistant", "content": ""}
    for event in reply.events():
        for choice in event.get("choices", []):
            delta = choice["delta"]
            turn["content"] += delta.get("content") or ""
            for fragment in delta.get("tool_calls", []):
                calls = turn.setdefault("tool_calls", [])
                if fragment.get("id"):
                    calls.append({"id": fragment["id"], "type": "function", "function": dict(fragment["function"])})
                else:
                    calls[-1]["function"]["arguments"] += fragment["function"]["arguments"]
    return turn


def openai_agent(session: Session) -> None:
    """Chat turns with a tool, then a response and an embedding."""
    function = {"name": "run_tests", "description": "Runs the tests", "parameters": SCHEMA}
    history: list[dict[str, Any]] = [{"role": "system", "content": SYSTEM}]
    body: dict[str, Any] = {"model": "gpt-5-mini", "max_tokens": 256, "stream": True, "reasoning_effort": "low"}
    body |= {"stream_options": {"include_usage": True}, "tools": [{"type": "function", "function": function}]}
    for number, question in enumerate(("Run the tests of geometry.py", "Explain the failure, please — 日本語で")):
        history.append(_user(question))
        turns = {"messages": history}
        reply = session.ask(f"chat, turn {number + 1}: {question}", "/v1/chat/completions", body | turns, OPENAI)
        if reply.status != 200:
            history.pop()
            continue
        history.append(_openai_turn(reply))
        if calls := history[-1].get("tool_calls"):
            history.append({"role": "tool", "tool_call_id": calls[0]["id"], "content": "1 failed, 11 passed " + FILE})
            reply = session.ask(f"chat, turn {number + 1}: tool result", "/v1/chat/completions", body | turns, OPENAI)
            history.append(_openai_turn(reply))
    asked = {"model": "gpt-5", "input": "Name this function", "stream": True, "max_output_tokens": 64}
    session.ask("responses", "/v1/responses", asked, OPENAI)
    session.ask("completions, no stream", "/v1/completions", {"prompt": "def area(", "max_tokens": 16}, OPENAI)


def mishaps(session: Session, real: bool) -> None:
    """What goes wrong in real life: a refused request, and a client that hangs up in mid-stream."""
    chat: dict[str, Any] = {"model": "gpt-5-mini", "messages": [_user("Tell me everything")], "stream": True}
    if real:
        session.ask("a request that the engine refuses", "/v1/chat/completions", {"model": "gpt-5-mini"}, OPENAI)
    else:
        refused = OPENAI | {"x-fault": "status:429"}
        session.ask("a rate limit", "/v1/chat/completions", chat, refused)
    long = OPENAI | {"x-shape": "words=400"}
    session.ask("a client that hangs up", "/v1/chat/completions", chat | {"max_tokens": 4000}, long, cut_after=6000)


@contextlib.contextmanager
def upstream(directory: Path, stand_in: bool) -> Iterator[tuple[str, bool]]:
    """The address of a real engine where there is one, else of the stand-in, and whether it is real."""
    found = None if stand_in else where()
    if found:
        with Engine(*found, directory / "llama-server.log") as engine:
            say(f"demo: upstream is a real llama-server with a tiny random model, {engine.url}")
            yield engine.url, True
    else:
        with Provider() as provider:
            say(f"demo: upstream is the paced stand-in provider of the tests, {provider.url} (no real model)")
            yield provider.url, False


def table(meter_dir: Path) -> int:
    """Prints `mitmeter ls`."""
    command = [str(Path(sys.executable).parent / "mitmeter"), "--dir", str(meter_dir), "ls"]
    wide = {} if sys.stdout.isatty() else {"COLUMNS": "200"}
    say("\ndemo: mitmeter --dir " + str(meter_dir) + " ls")
    return subprocess.run(command, env=os.environ | wide, check=False).returncode


def until_interrupted(proxy: Mitm) -> None:
    """Stays until Ctrl-C, or until mitmweb ends."""
    say(
        f"\ndemo: mitmweb shows it at {proxy.url}\ndemo: point any client at http://127.0.0.1:{proxy.port}; Ctrl-C ends"
    )
    with contextlib.suppress(KeyboardInterrupt):
        while proxy.process and proxy.process.poll() is None:
            time.sleep(0.2)
    say("\ndemo: ended")


def run(directory: Path, once: bool, stand_in: bool) -> int:
    """The demo; returns the exit code."""
    meter_dir = directory / "meter"
    say(f"demo: rows and captures go to {meter_dir}")
    options = {"web_columns": COLUMNS}
    with (
        upstream(directory, stand_in) as (url, real),
        Mitm(url, directory, tool="mitmweb", options=options, meter_dir=meter_dir) as proxy,
    ):
        say(f"demo: mitmweb with addon/meter.py on port {proxy.port}, {proxy.url}\n")
        session = Session(proxy.port)
        anthropic_agent(session)
        openai_agent(session)
        mishaps(session, real)
        found = wait_rows(meter_dir, session.sent)
        shown = table(meter_dir)
        if not once:
            until_interrupted(proxy)
        stopped = proxy.stop()
    say(f"demo: {session.sent} requests, {len(found)} rows")
    if len(found) != session.sent or shown or (once and stopped):
        say(f"demo: FAILED (ls {shown}, mitmweb {stopped}); what mitmweb said:\n{proxy.output}")
        return 1
    return 0


def main() -> int:
    """Reads the arguments."""
    parser = argparse.ArgumentParser(prog="demo", description=__doc__)
    parser.add_argument("--once", action="store_true", help="end by itself")
    parser.add_argument("--stand-in", action="store_true", help="use the stand-in provider even where an engine is")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return run(Path(tempfile.mkdtemp(prefix="mitmeter-demo-")), given.once, given.stand_in)
    except KeyboardInterrupt:
        say("\ndemo: interrupted")
        return 130


if __name__ == "__main__":
    sys.exit(main())
