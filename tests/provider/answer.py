"""What the stand-in says: thinking, text and a tool call, the same for the same request."""

import hashlib
import itertools
import json
from dataclasses import dataclass
from typing import Any

from provider.tokens import Prompt, count, prompt

WORDS = "the café in 漢字 shows a naïve fox 🦊 jumping über 東京 while straße lights glow 🚀 and Ωmega waits for résumé"
THOUGHTS = "The user wants an answer; I weigh it — 考える 🤔 — and choose the plain one."


@dataclass(frozen=True)
class Call:
    """A tool call; `arguments` is JSON text."""

    name: str
    arguments: str


@dataclass(frozen=True)
class Answer:
    """A reply before it takes the shape of an API. Text is a list of words, each with the space before it."""

    ident: str
    model: str
    prompt: Prompt
    thinking: list[str]
    text: list[str]
    call: Call | None
    cut_short: bool

    @property
    def reasoning_tokens(self) -> int:
        """Words of the thinking."""
        return len(self.thinking)

    @property
    def output_tokens(self) -> int:
        """Words of thinking, text and tool arguments."""
        return len(self.thinking) + len(self.text) + (count(self.call.arguments) if self.call else 0)


def _spaced(words: list[str]) -> list[str]:
    return [word if index == 0 else f" {word}" for index, word in enumerate(words)]


def _turns(request: dict[str, Any]) -> list[dict[str, Any]]:
    turns = request.get("messages") or request.get("input") or request.get("prompt") or ""
    if isinstance(turns, list) and turns and isinstance(turns[0], dict):
        return turns
    return [{"role": "user", "content": turns}]


def _last_words(turn: dict[str, Any]) -> list[str]:
    content = turn.get("content") or turn.get("output") or ""
    while isinstance(content, list):
        last = content[-1] if content else ""
        content = (last.get("text") or last.get("content") or "") if isinstance(last, dict) else last
    return str(content).split()[-8:]


def _answers_a_tool(turn: dict[str, Any]) -> bool:
    return turn.get("role") == "tool" or "tool_result" in json.dumps(turn) or turn.get("type") == "function_call_output"


def _wants_thinking(request: dict[str, Any]) -> bool:
    thinking = request.get("thinking")
    enabled = isinstance(thinking, dict) and thinking.get("type") != "disabled"
    return enabled or bool(request.get("reasoning_effort") or request.get("reasoning"))


def _call(request: dict[str, Any], last: dict[str, Any]) -> Call | None:
    """The first tool, with the user's last word for its first property; text again once the tool has answered."""
    tools = request.get("tools")
    if not tools or request.get("tool_choice") in ("none", {"type": "none"}) or _answers_a_tool(last):
        return None
    tool = tools[0].get("function", tools[0])
    schema = tool.get("parameters") or tool.get("input_schema") or {}
    names = list(schema.get("properties", {})) or ["query"]
    words = _last_words(last) or ["nothing"]
    return Call(tool.get("name", "tool"), json.dumps({names[0]: f"{words[-1]} — 東京"}, ensure_ascii=False))


def answer(request: dict[str, Any], body: bytes, words: int, say: str = "") -> Answer:
    """Decides what is said, unless told what to `say`; `words` is its length unless the request's limit is lower."""
    last = _turns(request)[-1]
    call = _call(request, last)
    wanted = ["You", "said:", *_last_words(last), "—"]
    wanted += itertools.islice(itertools.cycle(WORDS.split()), max(0, words - len(wanted)))
    wanted = wanted[: 6 if call else words]
    if say:
        wanted = say.split(" ")
    limits = (request.get(key) for key in ("max_tokens", "max_completion_tokens", "max_output_tokens"))
    limit = next((value for value in limits if isinstance(value, int)), len(wanted))
    return Answer(
        ident=hashlib.sha256(body).hexdigest()[:24],
        model=f"{request.get('model') or 'stand-in'}-20260101",
        prompt=prompt(request),
        thinking=_spaced(THOUGHTS.split()) if _wants_thinking(request) else [],
        text=_spaced(wanted[:limit]),
        call=call,
        cut_short=len(wanted) > limit,
    )
