"""Agents at work on one proxy, for `scripts/pictures`: several providers, turns that resend, tools, failures."""

import json
import random
import sys
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from harness import fetch  # noqa: E402  # found only with the line above

SYSTEM = "You are a careful coding agent. " + "Read before you write, test what you change, say what you did. " * 60
SCHEMA = {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]}
FILE = 'import sys\n\ndef area(r):\n    """The area of a circle."""\n    return 3.14159 * r * r\n'
FIXED = (
    "`3.14159` is cut off after five decimals; `math.pi` is exact to double precision.\n\n"
    "```python\nimport math\n\n\ndef area(r):\n    return math.pi * r * r\n```\n\nNow I run the tests."
)
SAYINGS = (
    "The function has no test for a negative radius; I add one that expects a ValueError.",
    "All 12 tests pass. The change is two lines: an import, and the constant.",
    "The log shows three retries after a 429. The client should honour retry-after instead of counting to three.",
    "I read the module. It has one function and no callers outside its tests.",
)


def _user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


def _headers(host: str, say: str, first: float, gap: float, agent: str) -> dict[str, str]:
    pace = {"x-pace-first": f"{first:.0f}", "x-pace-gap": f"{gap:.0f}"}
    credential = {"x-api-key": "sk-ant-demo-this-is-no-key", "authorization": "Bearer sk-demo-this-is-no-key"}
    said = {"x-say": quote(say)} if say else {}
    return {"host": host, "user-agent": agent, "connection": "close", **credential, **pace, **said}


class Agents:
    """Sends through the proxy on `port` what agents would."""

    def __init__(self, port: int, seed: int = 5) -> None:
        self.port = port
        self.chance = random.Random(seed)
        self.sent = 0

    def ask(self, host: str, path: str, body: dict[str, Any], say: str, agent: str, **more: str) -> None:
        """One request, at a pace that varies."""
        headers = _headers(host, say, self.chance.lognormvariate(5.3, 0.5), self.chance.uniform(6, 22), agent)
        self.sent += 1
        fetch(self.port, path, body, headers | {name.replace("_", "-"): value for name, value in more.items()})

    def messages(self, turns: int, agent: str = "claude-cli/2.0.14", *, told: bool = True, **more: str) -> None:
        """An agent on the Messages API: thinking, tools, and a history that it sends again.

        Unless `told` what to say, which takes a header, the stand-in has words of its own.
        """
        tool = {"name": "read_file", "description": "Reads a file", "input_schema": SCHEMA}
        cached = {"type": "text", "text": SYSTEM, "cache_control": {"type": "ephemeral"}}
        body = {"model": "claude-sonnet-4-5", "max_tokens": 400, "stream": True, "system": [cached], "tools": [tool]}
        body["thinking"] = {"type": "enabled", "budget_tokens": 1024}
        history = [_user("Please read geometry.py")]
        for turn in range(turns):
            say = FIXED if turn else self.chance.choice(SAYINGS)
            asked = body | {"messages": history}
            self.ask("api.anthropic.com", "/v1/messages", asked, say if told else "", agent, **more)
            call = {"type": "tool_use", "id": f"toolu_{turn}", "name": "read_file", "input": {"path": "geometry.py"}}
            history = [*history, {"role": "assistant", "content": [{"type": "text", "text": say}, call]}]
            result = {"type": "tool_result", "tool_use_id": f"toolu_{turn}", "content": FILE}
            wish = {"type": "text", "text": "Now fix the value of π, please."}
            history = [*history, {"role": "user", "content": [result, wish]}]

    def chat(self, model: str, host: str, turns: int, **more: str) -> None:
        """Turns of chat completions."""
        history = [{"role": "system", "content": SYSTEM}, _user("Why does the client retry?")]
        for _ in range(turns):
            say = self.chance.choice(SAYINGS)
            asked = {"model": model, "stream": True, "stream_options": {"include_usage": True}, "messages": history}
            self.ask(host, "/v1/chat/completions", asked | {"reasoning_effort": "low"}, say, "opencode/1.0", **more)
            history = [*history, {"role": "assistant", "content": say}, _user("And the tests?")]

    def responses(self, **more: str) -> None:
        """One response."""
        asked = {"model": "gpt-5", "input": SYSTEM, "stream": True, "reasoning": {"effort": "low"}}
        self.ask("api.openai.com", "/v1/responses", asked, self.chance.choice(SAYINGS), "openai-python/2.8", **more)

    def gemini(self, **more: str) -> None:
        """One stream of Gemini's."""
        body = {"contents": [{"role": "user", "parts": [{"text": SYSTEM}]}]}
        path = "/v1beta/models/gemini-2.5-pro:streamGenerateContent?alt=sse"
        host = "generativelanguage.googleapis.com"
        self.ask(host, path, body, self.chance.choice(SAYINGS), "google-genai/1.5", **more)

    def work(self, rounds: int) -> None:
        """Some rounds of all of them at once, with a failure now and then; waits until they are done."""
        for number in range(rounds):
            fault = {"x_fault": "status:429"} if number % 6 == 4 else {"x_fault": "cut:14"} if number % 9 == 7 else {}
            self.together(
                lambda: self.messages(3),
                lambda: self.chat("gpt-5-mini", "api.openai.com", 2),
                partial(self.chat, "qwen3-30b-a3b", "127.0.0.1:8080", 1, **fault),
                self.responses,
                self.gemini,
            )

    def under_way(self) -> list[threading.Thread]:
        """Begin three streams that take their time."""
        slow = {"x_pace_gap": "260", "x_shape": "words=200"}
        late = slow | {"x_pace_first": "9000"}
        return self._begin(
            lambda: self.messages(1, x_pace_first="300", x_pace_gap="330"),
            lambda: self.chat("gpt-5-mini", "api.openai.com", 1, **slow),
            lambda: self.chat("qwen3-30b-a3b", "127.0.0.1:8080", 1, **late),
        )

    def together(self, *jobs: Callable[[], None]) -> None:
        """Do several things at once."""
        for thread in self._begin(*jobs):
            thread.join()

    def _begin(self, *jobs: Callable[[], None]) -> list[threading.Thread]:
        threads = [threading.Thread(target=job, daemon=True) for job in jobs]
        for thread in threads:
            thread.start()
        return threads


if __name__ == "__main__":
    agents = Agents(int(sys.argv[1]))
    agents.work(int(sys.argv[2]))
    sys.stdout.write(json.dumps({"sent": agents.sent}) + "\n")
