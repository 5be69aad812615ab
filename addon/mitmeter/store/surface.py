"""A row as the JSON object that users and scripts read (DESIGN.md, section 5). Pure."""

from datetime import UTC, datetime
from typing import Any

from msgspec.structs import asdict

from mitmeter.store.rows import Row

_FIRST = ("method", "host", "path", "provider", "api", "operation", "model", "request_model", "stream", "status")
_SECOND = ("content_type", "outcome", "error", "finish", "service_tier")


def to_json(row: Row) -> dict[str, Any]:
    """Plain values in the published order; what that order lacks follows at the end. Floats have 3 decimals."""
    exchange = row.exchange
    flat = asdict(exchange)
    return {
        "id": row.id,
        "flow_id": exchange.flow_id,
        "started": instant(exchange.started),
        **{name: flat[name] for name in _FIRST},
        **{name: flat[name] for name in _SECOND},
        "outcome": exchange.outcome.value,
        "usage": asdict(exchange.usage),
        "timing": {name: _rounded(value) for name, value in asdict(exchange.timing).items()},
        "sizes": asdict(exchange.sizes),
        "credential": exchange.credential,
        "client": asdict(exchange.client),
        "anomalies": list(exchange.anomalies),
        "has_capture": row.has_capture,
        "error_type": exchange.error_type,
        "response_id": exchange.response_id,
        "reported": exchange.reported,
        "cost_usd": exchange.cost_usd,
        "server_ms": _rounded(exchange.server_ms),
        "retry_after_s": exchange.retry_after_s,
        "limits": exchange.limits,
        "session": exchange.session,
        "cost_source": exchange.cost_source,
    }


def instant(seconds: float) -> str | None:
    """RFC 3339 in UTC with microseconds; None for a time outside the years 1 to 9999."""
    try:
        instant = datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return instant.isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


def _rounded(value: Any) -> Any:
    return round(value, 3) if isinstance(value, float) else value
