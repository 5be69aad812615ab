"""Exchanges under way: how long, how much, how far. For the comment column now, and whoever else asks `open_now`."""

from collections.abc import Mapping

from mitmproxy import http
from msgspec import Struct

from mitmeter.exchange import Usage
from mitmeter.live import Live
from mitmeter.progress import Doing
from mitmeter.tee import Watched


class InFlight(Struct, frozen=True, kw_only=True):
    """An open exchange. `usage` is what the server has said so far; None where it has said nothing."""

    flow_id: str
    started: float
    elapsed_ms: float
    method: str
    host: str
    path: str
    provider: str | None
    api: str | None
    response_bytes: int
    state: Doing
    usage: Usage | None


def open_now(watched: Mapping[http.HTTPFlow, Watched], now: float) -> list[InFlight]:
    """Return the open exchanges, oldest first; `now` is on the steady clock. To be called on the event loop."""
    return [in_flight(flow, known, now) for flow, known in list(watched.items())]


def in_flight(flow: http.HTTPFlow, known: Watched, now: float) -> InFlight:
    """Return one."""
    live: Live | None = known.live
    state, usage = ("waiting", None) if live is None or live.progress is None else live.progress
    match = known.match
    return InFlight(
        flow_id=flow.id,
        started=flow.request.timestamp_start,
        elapsed_ms=round((now - known.zero) * 1000, 3),
        method=flow.request.method,
        host=flow.request.pretty_host,
        path=flow.request.path.partition("?")[0],
        provider=match.provider or None if match else None,
        api=match.dialect.api or None if match else None,
        response_bytes=live.fed if live is not None else 0,
        state=state,
        usage=usage,
    )


def words(of: InFlight) -> str:
    """Return `generating · 12 s · 29 tok · 4.1 kB`."""
    told = "" if of.usage is None or of.usage.output_tokens is None else f"{of.usage.output_tokens} tok"
    size = f"{of.response_bytes / 1000:.1f} kB" if of.response_bytes else ""
    return " · ".join(filter(None, [of.state, f"{of.elapsed_ms / 1000:.0f} s", told, size]))
