"""What the stand-in calls a token: a whitespace-separated word in any string of what the model reads or writes."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

PROMPT_KEYS = ("system", "instructions", "tools", "messages", "input", "prompt")


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for child in value.values():
            yield from _strings(child)
    elif isinstance(value, list):
        for child in value:
            yield from _strings(child)


def count(value: Any) -> int:
    """Words in all string values (not keys) of a JSON value."""
    return sum(len(text.split()) for text in _strings(value))


@dataclass(frozen=True)
class Prompt:
    """Input tokens of a request: `total` includes `cached` (read) and `written`; `marked`: it named `cache_control`."""

    total: int
    cached: int
    written: int
    marked: bool


def prompt(request: dict[str, Any]) -> Prompt:
    """Counts a request.

    Everything up to the last assistant turn counts as cached, as it must have been sent before. A request that names
    `cache_control` (Anthropic) also writes the rest to the cache, but for the last three tokens.
    """
    parts = {key: request[key] for key in PROMPT_KEYS if request.get(key)}
    total = count(parts)
    history = request.get("messages") or request.get("input") or []
    turns = history if isinstance(history, list) else []
    past = [index for index, turn in enumerate(turns) if isinstance(turn, dict) and turn.get("role") == "assistant"]
    cached = total - count(turns[past[-1] + 1 :]) if past else 0
    marked = "cache_control" in json.dumps(request)
    return Prompt(total, cached, max(0, total - cached - 3) if marked else 0, marked)
