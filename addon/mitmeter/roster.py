"""The flows that are metered, from `requestheaders` to their end, and how far each of them is.

The event loop enters and removes them; the worker's thread surveys them.
"""

import time
from collections.abc import Iterator
from weakref import WeakKeyDictionary

from mitmproxy import http
from msgspec.structs import replace

from mitmeter import flows
from mitmeter.exchange import Client, Exchange, Usage, field_values
from mitmeter.inflight import MOST, InFlight
from mitmeter.progress import Doing
from mitmeter.redact import Redactor
from mitmeter.redact.policy import DEFAULT, Policy
from mitmeter.tee import Watched
from mitmeter.usage.asked import Asked, read_request
from mitmeter.wire import is_stream


class Roster(WeakKeyDictionary[http.HTTPFlow, Watched]):
    """What is known of each flow that is metered."""

    def entries(self) -> Iterator[tuple[http.HTTPFlow, Watched]]:
        """Yield flows in the order in which they came, on any thread."""
        for reference in list(self.keyrefs()):
            flow = reference()
            known = None if flow is None else self.get(flow)
            if flow is not None and known is not None:
                yield flow, known

    def survey(self, age_seconds: float, policy: Policy) -> list[InFlight]:
        """Return what has been under way for some time, oldest first, on the worker's thread."""
        now, found = time.perf_counter(), list[InFlight]()
        for flow, known in self.entries():
            if now - known.zero >= age_seconds and len(found) < MOST:
                _describe(flow, known, policy)
                found.append(in_flight(flow, known, now))
        return found


def how_far(known: Watched, now: float) -> tuple[Doing, float, int, Usage | None]:
    """Return what changes: the state, milliseconds until `now` on the steady clock, bytes, and tokens so far."""
    live = known.live
    state, usage = ("waiting", None) if live is None or live.progress is None else live.progress
    return state, round((now - known.zero) * 1000, 3), live.fed if live is not None else 0, usage


def in_flight(flow: http.HTTPFlow, known: Watched, now: float) -> InFlight:
    """Return one; what only its bodies tell is there once the worker has surveyed it."""
    row = known.described or _row(flow, known, DEFAULT, None)
    state, elapsed_ms, size, usage = how_far(known, now)
    return InFlight(
        flow_id=row.flow_id,
        started=row.started,
        elapsed_ms=elapsed_ms,
        method=row.method,
        host=row.host,
        path=row.path,
        provider=row.provider,
        api=row.api,
        operation=row.operation,
        model=row.model,
        request_model=row.request_model,
        stream=row.stream,
        status=row.status,
        state=state,
        response_bytes=size,
        usage=usage,
        client=row.client,
    )


def _describe(flow: http.HTTPFlow, known: Watched, policy: Policy) -> None:
    """Note what does not change any more; anew once the response is there, and once it has named its model."""
    live, row = known.live, known.described
    said = live.model if live is not None else None
    answered = flow.response is not None
    if row is None or answered is not (row.status is not None) or (said is not None and row.model is None):
        known.described = _row(flow, known, policy, said, bodies=True)


def _row(flow: http.HTTPFlow, known: Watched, policy: Policy, model: str | None, *, bodies: bool = False) -> Exchange:
    """Return the row so far, without secrets. Reading `bodies` may take milliseconds."""
    request, response, match = flow.request, flow.response, known.match
    headers, address = flows.fields(request.headers), flow.client_conn.peername
    body = request.raw_content
    if bodies and known.asked is None and match is not None and body:
        kind = next(iter(field_values(headers, "content-type")), "")
        known.asked = replace(read_request(match.dialect, kind, body), document=None)
    asked = known.asked or Asked()
    stream = asked.stream if response is None else is_stream(response.headers.get("content-type", ""))
    row = Exchange(
        flow_id=flow.id,
        started=request.timestamp_start,
        method=request.method,
        host=request.pretty_host,
        path=request.path,
        provider=match.provider or None if match else None,
        api=match.dialect.api or None if match else None,
        operation=match.dialect.operation or None if match else None,
        model=model,
        request_model=asked.model or (match.path_model(request.path.partition("?")[0]) if match else None),
        stream=stream,
        status=response.status_code if response else None,
        client=Client(address=address[0] if address else None, agent=request.headers.get("user-agent")),
    )
    return Redactor(headers, request.pretty_url, (), policy).exchange(row)
