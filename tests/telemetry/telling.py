"""Exchanges to tell of."""

from typing import Any

from mitmeter.exchange import Exchange, Outcome, Sizes, Timing, Trace, Usage

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
COMMON = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "gcp.gemini",
    "gen_ai.request.model": "asked",
    "gen_ai.response.model": "answered",
    "server.address": "api.example.com",
    "server.port": 443,
}


def told(**changes: Any) -> Exchange:
    """A streamed exchange that went well."""
    fields: dict[str, Any] = {
        "flow_id": "f",
        "started": 1_790_000_000.5,
        "method": "POST",
        "host": "api.example.com",
        "path": "/v1/chat/completions",
        "provider": "gemini",
        "api": "chat",
        "operation": "chat",
        "model": "answered",
        "request_model": "asked",
        "stream": True,
        "status": 200,
        "finish": "stop",
        "response_id": "r-1",
        "usage": Usage(input_tokens=100, output_tokens=20, cache_read_tokens=60, source="body"),
        "timing": Timing(duration_ms=1500.0, headers_ms=90.0, first_byte_ms=100.0, first_token_ms=250.0),
        "sizes": Sizes(request_bytes=1000, response_bytes=3000, decoded_bytes=3000),
        "trace": Trace(parent=PARENT, port=443, arrivals=(1.0, 1.005, 1.3, 2.25)),
        **changes,
    }
    return Exchange(**fields)


def failed(**changes: Any) -> Exchange:
    """One that the provider refused."""
    fields: dict[str, Any] = {
        "status": 429,
        "outcome": Outcome.ERROR,
        "error": "slow down",
        "error_type": "rate_limit_error",
        "finish": None,
        "stream": False,
        "usage": Usage(),
        "timing": Timing(duration_ms=20.0, headers_ms=19.0),
        "trace": Trace(port=443),
    }
    return told(**(fields | changes))
