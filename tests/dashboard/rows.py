"""Rows and captures for the page's tests."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from mitmeter.exchange import Answer, Exchange, Headers, Opening, Outcome, Sizes, Timing, Usage
from mitmeter.recorder import Recorder
from mitmeter.redact import Redacted
from mitmeter.shelf import Shelf, private_folder
from mitmeter.usage.registry import find

NOW = 1_700_000_000.0
CHAT = "/v1/chat/completions"
JSON: Headers = (("Content-Type", "application/json"),)

type Item = tuple[Exchange, Redacted | None]


def row(
    started: float = NOW, usage: dict[str, Any] | None = None, timing: dict[str, Any] | None = None, **more: Any
) -> Item:
    """A row without a capture."""
    told = {"flow_id": f"f{started}", "method": "POST", "host": "h.invalid", "path": CHAT, "status": 200} | more
    return Exchange(
        started=started, usage=Usage(**usage or {}), timing=Timing(**timing or {}), sizes=Sizes(), **told
    ), None


def captured(
    request: bytes = b'{"model":"m"}',
    response: bytes = b'{"model":"m","usage":{"prompt_tokens":4,"completion_tokens":5}}',
    *,
    headers: Headers = JSON,
    answered: Headers = JSON,
    url: str = f"https://h.invalid{CHAT}",
    started: float = NOW,
    status: int = 200,
) -> Item:
    """A row with a capture."""
    opening = Opening(
        flow_id=f"f{started}", started=started, zero=0.0, method="POST", url=url, headers=headers, body=request
    )
    recorder = Recorder(opening, find("POST", "h.invalid", CHAT), secret=b"salt")
    recorder.answer(Answer(status=status, headers=answered), 0.1)
    recorder.feed(response, 0.2)
    return recorder.close(Outcome.COMPLETE, 0.2)


def written(folder: Path, items: Iterable[Item], kept: Any = "all") -> Path:
    """The folder, with these in it and nobody who writes."""
    private_folder(folder)
    with Shelf(folder, kept) as shelf:
        shelf.write(items, NOW, {})
    return folder
