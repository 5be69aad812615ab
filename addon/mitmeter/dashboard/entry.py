"""Rows, captures and what is under way, in llama-swap's shapes with our fields beside them. Pure.

llama-swap's are those of `internal/server/apigroup.go` and `internal/store` in github.com/mostlygeek/llama-swap, where
unknown is -1, for input and output 0, and empty text.
"""

from typing import Any

from msgspec import to_builtins

from mitmeter.inflight import InFlight
from mitmeter.store.rows import Row
from mitmeter.store.surface import instant, to_json

UNKNOWN = -1


def entry(row: Row) -> dict[str, Any]:
    """Return a row as an entry of the activity log."""
    exchange, usage, timing = row.exchange, row.exchange.usage, row.exchange.timing
    tokens = {
        "cache_tokens": _known(usage.cache_read_tokens),
        "draft_tokens": _known(usage.draft_tokens),
        "draft_acc_tokens": _known(usage.draft_accepted_tokens),
        "input_tokens": usage.input_tokens or 0,
        "output_tokens": usage.output_tokens or 0,
        "prompt_per_second": _known(timing.prompt_per_second),
        "tokens_per_second": _known(timing.tokens_per_second),
    }
    theirs = {
        "id": row.id,
        "timestamp": instant(exchange.started) or "",
        "model": exchange.model or "",
        "req_path": exchange.path,
        "resp_content_type": exchange.content_type or "",
        "resp_status_code": exchange.status or 0,
        "tokens": tokens,
        "duration_ms": int(timing.duration_ms or 0),
        "has_capture": row.has_capture,
    }
    if exchange.error is not None:
        theirs["error_msg"] = exchange.error
    return theirs | {name: value for name, value in to_json(row).items() if name not in theirs}


def _known(value: float | None) -> float:
    return UNKNOWN if value is None else value


def request(under_way: InFlight) -> dict[str, Any]:
    """Return an exchange under way as an entry of llama-swap's in-flight list; its id is the flow's."""
    theirs = {
        "id": under_way.flow_id,
        "timestamp": instant(under_way.started) or "",
        "model": under_way.model or "",
        "req_path": under_way.path,
        "method": under_way.method,
        "req_headers": {},
        "remote_ip": under_way.client.address or "",
        "resp_headers": {},
        "resp_bytes": under_way.response_bytes,
        "elapsed_ms": int(under_way.elapsed_ms),
        "metadata": {},
    }
    return theirs | {name: value for name, value in to_builtins(under_way).items() if name not in theirs}
