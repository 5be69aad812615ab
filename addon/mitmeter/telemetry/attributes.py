"""An exchange as the span `gen_ai.inference.client` of the GenAI conventions has it. Pure.

https://github.com/open-telemetry/semantic-conventions-genai/blob/main/docs/gen-ai/gen-ai-spans.md
"""

import json
from typing import Any

from mitmeter.conversation import Conversation, Limits, Turn, of_capture
from mitmeter.exchange import Exchange
from mitmeter.telemetry import names
from mitmeter.telemetry.measures import conventional, error_type
from mitmeter.usage.block import Block, described

REQUEST = "gen_ai.request."
USAGE = "gen_ai.usage."
SYSTEM, ASKED, ANSWERED = "gen_ai.system_instructions", "gen_ai.input.messages", "gen_ai.output.messages"
CONTENT = (SYSTEM, ASKED, ANSWERED)
TOLD = Limits(text=1 << 17, block=1 << 15, turns=200, body=4 << 20)

type Attributes = dict[str, Any]


def span_name(exchange: Exchange) -> str:
    """Return `{operation} {model}`."""
    model = exchange.request_model or exchange.model
    return f"{exchange.operation or names.OTHER} {model}" if model else exchange.operation or names.OTHER


def attributes(exchange: Exchange, *, old_names: bool = False) -> Attributes:
    """Return what is known, under the conventions' names; `old_names` adds those of version 1.41."""
    usage, timing = exchange.usage, exchange.timing
    trace = exchange.trace
    first = timing.first_byte_ms if exchange.stream else None
    told: Attributes = {
        names.OPERATION: exchange.operation or names.OTHER,
        names.PROVIDER: conventional(exchange.provider),
        names.ERROR: error_type(exchange),
        names.REQUEST_MODEL: exchange.request_model,
        f"{REQUEST}stream": exchange.stream or None,
        names.RESPONSE_MODEL: exchange.model,
        "gen_ai.response.id": exchange.response_id,
        "gen_ai.response.finish_reasons": [exchange.finish] if exchange.finish else None,
        "gen_ai.response.time_to_first_chunk": None if first is None else first / 1000,
        f"{USAGE}input_tokens": usage.input_tokens,
        f"{USAGE}output_tokens": usage.output_tokens,
        f"{USAGE}cache_read.input_tokens": usage.cache_read_tokens,
        f"{USAGE}cache_write.input_tokens": usage.cache_write_tokens,
        f"{USAGE}reasoning.output_tokens": usage.reasoning_tokens,
        names.ADDRESS: exchange.host or None,
        names.PORT: trace.port if trace is not None and exchange.host else None,
        "http.response.status_code": exchange.status,
        names.OUTCOME: exchange.outcome.value,
        "mitmeter.flow_id": exchange.flow_id,
        "mitmeter.session": exchange.session,
        "mitmeter.cost_usd": exchange.cost_usd,
        names.COST_SOURCE: exchange.cost_source,
        "mitmeter.time_to_first_token": None if timing.first_token_ms is None else timing.first_token_ms / 1000,
    }
    for name, value in (trace.asked if trace is not None else {}).items():
        told[REQUEST + name] = value
    if old_names:
        told[f"{USAGE}cache_creation.input_tokens"] = usage.cache_write_tokens
    return {name: value for name, value in told.items() if value is not None}


def content(exchange: Exchange) -> Attributes:
    """Return what was said, as JSON texts; nothing where no redacted capture came along."""
    capture = exchange.trace.capture if exchange.trace is not None else None
    if capture is None:
        return {}
    said = of_capture(exchange, capture, TOLD)
    told = {
        SYSTEM: _system(said),
        ASKED: [_message(turn) for turn in said.turns if turn.role != "system"],
        ANSWERED: _reply(said, exchange.finish),
    }
    return {name: json.dumps(value, ensure_ascii=False) for name, value in told.items() if value}


def _system(said: Conversation) -> list[dict[str, Any]]:
    return [_part(block) for turn in said.turns if turn.role == "system" for block in turn.blocks]


def _message(turn: Turn) -> dict[str, Any]:
    return {"role": turn.role, "parts": [_part(block) for block in turn.blocks]}


def _reply(said: Conversation, finish: str | None) -> list[dict[str, Any]]:
    parts = [_part(block) for block in said.reply]
    return [{"role": "assistant", "parts": parts, "finish_reason": finish or "unknown"}] if parts else []


def _part(block: Block) -> dict[str, Any]:
    match block.kind:
        case "thinking":
            return {"type": "reasoning", "content": block.text}
        case "tool":
            return {"type": "tool_call", "id": block.call, "name": block.name, "arguments": block.text}
        case "tool_result":
            return {"type": "tool_call_response", "id": block.call, "response": block.text}
        case "text" | "other":
            return {"type": "text", "content": block.text}
    return {"type": "text", "content": described(block)}
