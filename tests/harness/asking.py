"""The plain exchange that most end-to-end tests ask for, and its row."""

from typing import Any

from harness.client import Reply, fetch
from harness.mitm import Mitm
from harness.rows import Row, rows_of

CHAT, MESSAGES = "/v1/chat/completions", "/v1/messages"
TURNS = [{"role": "user", "content": "stay with me"}]
DOCUMENT: dict[str, Any] = {"model": "m", "messages": TURNS}
STREAM: dict[str, Any] = {**DOCUMENT, "stream": True, "stream_options": {"include_usage": True}}
ASKED, SAID = 4, 24


def ask(port: int, agent: str, path: str = CHAT, body: dict[str, Any] = STREAM, **headers: str) -> Reply:
    """One exchange of a client that is known by its User-Agent."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return fetch(port, path, body, {"user-agent": agent, **named}, timeout=20)


def one(proxy: Mitm, agent: str) -> Row:
    """The only row of a client."""
    found = rows_of(proxy.meter_dir, agent)
    assert len(found) == 1, proxy.output[-2000:]
    return found[0]


def counted(row: Row) -> tuple[int | None, int | None]:
    """Input and output tokens."""
    return row["usage"]["input_tokens"], row["usage"]["output_tokens"]
