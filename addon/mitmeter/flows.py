"""mitmproxy's flows in our words: what the recorder takes from one."""

import uuid
from functools import lru_cache, partial
from typing import Any, BinaryIO
from urllib.parse import urlsplit, urlunsplit

from mitmproxy import connection, flowfilter, http
from mitmproxy.flow import Error
from mitmproxy.io import FlowWriter
from mitmproxy.websocket import WebSocketData, WebSocketMessage
from msgspec import to_builtins

from mitmeter import streamed
from mitmeter.exchange import Answer, Capture, Client, Exchange, Headers, Opening, Outcome, field_values
from mitmeter.live import Answers, Live, LiveSocket, Opens
from mitmeter.recorder import UNKNOWN
from mitmeter.tee import Kept
from mitmeter.usage.registry import Match, find
from mitmeter.wire import is_stream
from mitmeter.wire.codings import filter_accept_encoding

SMALL = 1 << 20

TEXT = 1  # RFC 6455, section 5.2

STREAMS = (b"h2", b"h3")

type Raw = tuple[tuple[bytes, bytes], ...]

_new = object.__new__
_ACCEPTED = b"accept-encoding"

MATCHES = 4096
LONGEST_URL = 512
_MATCHES: dict[tuple[bytes, bytes, str, bytes, bytes | None, bytes, bool], Match | None] = {}


_URLS: dict[tuple[object, ...], str] = {}


def text(raw: bytes) -> str:
    """Decode a header's bytes: UTF-8 where they are, else Latin-1 (RFC 9110, section 5.5)."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def fields(headers: http.Headers | None) -> Headers:
    """Return every header line in order."""
    return _texts(headers.fields) if headers is not None else ()


def _texts(raw: Raw) -> Headers:
    try:
        return tuple([(name.decode(), value.decode()) for name, value in raw])
    except UnicodeDecodeError:
        return tuple([(text(name), text(value)) for name, value in raw])


def filtering(expression: str) -> flowfilter.TFilter | None:
    """Return the user's own filter, None where there is none; raises ValueError that says what is accepted."""
    if not expression:
        return None
    try:
        return flowfilter.parse(expression)
    except ValueError as error:
        raise ValueError(
            f"meter_filter: {expression!r} is not a flow filter; accepted is for example ~d host"
        ) from error


def first(data: http.MessageData, name: bytes) -> bytes | None:
    """Return the first value of a header, by its lower-case name; None where it is not there."""
    for line, value in data.headers.fields:
        # Most names are told apart by their length.
        if len(line) == len(name) and line.lower() == name:
            return value
    return None


def match(flow: http.HTTPFlow) -> Match | None:
    """Return who reads this flow, None where no dialect recognises it. A HEAD asks for a POST's headers."""
    data = flow.request.data
    path, opens = data.path.partition(b"?")[0], (first(data, b"upgrade") or b"").lower() == b"websocket"
    key = (data.method, data.http_version, data.host, data.authority, first(data, b"host"), path, opens)
    if key not in _MATCHES:
        if len(_MATCHES) >= MATCHES:
            _MATCHES.clear()
        method = "POST" if flow.request.method == "HEAD" else flow.request.method
        _MATCHES[key] = find(method, flow.request.pretty_host, flow.request.path.partition("?")[0], opens)
    found = _MATCHES[key]
    if found is None or not found.dialect.asked_as or found.takes(text(first(data, b"content-type") or b"")):
        return found
    return None


def warm() -> None:
    """Load every dialect, so that the first request does not wait for it."""
    find("POST", "localhost", "/")


def _signs_accept_encoding(data: http.RequestData) -> bool:
    """Say whether an AWS signature covers Accept-Encoding, so that changing it would break the request."""
    signed = ((first(data, b"authorization") or b"") + b"&" + data.path.partition(b"?")[2]).lower()
    return b"signedheaders=" in signed and b"accept-encoding" in signed


def opens(
    flow: http.HTTPFlow, zero: float, accept_encoding: tuple[bytes, ...] | None = None, uploaded: bytes | None = None
) -> Opens:
    """Take the request as it stands now; what is returned puts it into our words, later and on any thread.

    `zero` and the rest as in `opening`.
    """
    data = flow.request.data
    taken = data.__dict__.copy(), data.headers.fields
    return partial(_opening, flow.id, *taken, flow.client_conn.peername, zero, accept_encoding, uploaded)


def opening(
    flow: http.HTTPFlow,
    zero: float,
    accept_encoding: tuple[bytes, ...] | None = None,
    uploaded: bytes | None = None,
) -> Opening:
    """Return the request as it stands now, with the client's own Accept-Encoding where it was filtered.

    `zero` is its first byte on the steady clock; `uploaded` is the body where it was streamed, so not on the flow.
    """
    return opens(flow, zero, accept_encoding, uploaded)()


def _opening(
    flow_id: str,
    taken: dict[str, Any],
    raw: Raw,
    peer: tuple[str, int] | None,
    zero: float,
    accept_encoding: tuple[bytes, ...] | None,
    uploaded: bytes | None,
) -> Opening:
    request, headers = _request(taken, raw), _texts(raw)
    if accept_encoding is not None:
        kept = [field for field in headers if field[0].lower() != "accept-encoding"]
        place = next((at for at, (name, _) in enumerate(headers) if name.lower() == "accept-encoding"), len(kept))
        headers = (*kept[:place], *(("Accept-Encoding", text(value)) for value in accept_encoding), *kept[place:])
    agents = field_values(headers, "user-agent")
    return Opening(
        flow_id=flow_id,
        started=request.timestamp_start,
        zero=zero,
        method=request.method,
        url=_url(request, headers),
        http_version=request.http_version,
        headers=headers,
        body=uploaded if request.raw_content is None else request.raw_content,
        client=Client(address=peer[0] if peer else None, agent=", ".join(agents) if agents else None),
    )


def _url(request: http.Request, headers: Headers) -> str:
    """Return mitmproxy's own reading of a URL; short ones are remembered, since most come again."""
    data = request.data
    if len(data.path) > LONGEST_URL:
        return request.pretty_url
    place = (data.scheme, data.host, data.port, data.authority, data.path)
    key = (*place, data.method, data.http_version, *field_values(headers, "host"))
    url = _URLS.get(key)
    if url is None:
        if len(_URLS) >= MATCHES:
            _URLS.clear()
        url = _URLS[key] = request.pretty_url
    return url


def _request(taken: dict[str, Any], raw: Raw) -> http.Request:
    """Return the request again, not by initialisers, which check every member."""
    request, data, headers = _new(http.Request), _new(http.RequestData), _new(http.Headers)
    data.__dict__.update(taken, headers=headers)
    headers.fields, request.data = raw, data
    return request


def answer(flow: http.HTTPFlow) -> Answer | None:
    """Return the head of the response, None where there is none."""
    taken = answers(flow)
    return None if taken is None else taken()


def answers(flow: http.HTTPFlow) -> Answers | None:
    """Take the head of the response as it stands now, None where there is none."""
    if flow.response is None:
        return None
    return partial(_answer, flow.response.status_code, flow.response.data.reason, flow.response.headers.fields)


def _answer(status: int, reason: bytes, raw: Raw) -> Answer:
    return Answer(status=status, reason=reason.decode("latin-1") or None, headers=_texts(raw))


def cut_by(flow: http.HTTPFlow) -> Outcome:
    """Return who ended a flow that ended in an error: the connection that is gone tells, not the message.

    Where a stream was reset and both connections live on, mitmproxy names the client whoever it was. It was the client
    if only the client's protocol has streams, and most likely if the code says that somebody lost interest.
    """
    if not flow.client_conn.connected:
        return Outcome.CLIENT_ABORTED
    told = flow.error.msg if flow.error else ""
    if flow.client_conn.alpn in STREAMS and told.startswith(("stream reset by client", "stream closed by client")):
        others = flow.server_conn is not None and flow.server_conn.alpn in STREAMS
        return Outcome.UPSTREAM_ABORTED if others and "CANCEL" not in told else Outcome.CLIENT_ABORTED
    return Outcome.UPSTREAM_ABORTED


def narrow(request: http.Request) -> tuple[bytes, ...] | None:
    """Filter Accept-Encoding, unless it is signed; return the client's own lines where that changed them."""
    data = request.data
    own = tuple([value for name, value in data.headers.fields if len(name) == 15 and name.lower() == _ACCEPTED])
    wanted = _narrowed(own) if own else None
    if wanted is None or _signs_accept_encoding(data):
        return None
    request.headers["accept-encoding"] = wanted
    return own


@lru_cache(maxsize=1024)
def _narrowed(own: tuple[bytes, ...]) -> str | None:
    lines = [line.decode("utf-8", "surrogateescape") for line in own]
    wanted = filter_accept_encoding(lines)
    if wanted is None or [line.replace(" ", "") for line in lines] == [wanted.replace(" ", "")]:
        return None
    return wanted


def streams(flow: http.HTTPFlow) -> bool:
    """Say whether a response is teed: a streaming framing, an unknown length, or more than a small document."""
    if flow.response is None or flow.request.data.method == b"HEAD":
        return False
    data = flow.response.data
    if data.status_code in (101, 204, 304):
        return False
    length = first(data, b"content-length")
    if length is None or not length.isdigit() or int(length) > SMALL:
        return True
    return _streams(first(data, b"content-type") or b"")


@lru_cache(maxsize=1024)
def _streams(kind: bytes) -> bool:
    return is_stream(kind.decode("latin-1"))


def fill(flow: http.HTTPFlow, kept: Kept | None) -> None:
    """Give a streamed flow its body, which mitmweb, `-w` and content views then have."""
    if kept is not None and flow.response is not None and flow.response.data.content is None:
        streamed.fill(flow.response, kept.content)


def unseen(flow: http.HTTPFlow, kept: Kept | None) -> bool:
    """Say whether a whole body passed without our tee: a later addon took the stream for itself."""
    return kept is not None and not kept.ended and flow.response is not None and flow.response.raw_content is None


def connected(live: Live) -> LiveSocket:
    """Return the connection that an upgrade's exchange has become."""
    assert live.answers is not None
    return LiveSocket(live.opens, live.match or UNKNOWN, live.answers, live.tag, live.asked_bytes)


def closed_by(flow: http.HTTPFlow) -> tuple[Outcome, str | None]:
    """Return how a WebSocket connection ended: in order, or cut by one side (close code 1006, RFC 6455, 7.4.1)."""
    socket = flow.websocket
    if socket is None or socket.close_code in (1000, 1001, 1005, None):
        return Outcome.COMPLETE, None
    cut = Outcome.CLIENT_ABORTED if socket.closed_by_client else Outcome.UPSTREAM_ABORTED
    return cut, socket.close_reason or f"closed with code {socket.close_code}"


def notes(exchange: Exchange, ident: int) -> dict[str, Any]:
    """Return the row in plain values, for the flow's metadata."""
    row: dict[str, Any] = to_builtins(exchange)
    row["anomalies"] = list(exchange.anomalies)
    return {"id": ident, **row, "reported": None}


def rebuilt(exchange: Exchange, capture: Capture) -> http.HTTPFlow:
    """Return the flow of a captured exchange, as far as the capture tells; its body is decompressed.

    Its id is the flow's own, but for the responses of one WebSocket connection, which are a flow each.
    """
    url = urlsplit(capture.url)
    secure = url.scheme in ("https", "wss")
    host, port = url.hostname or exchange.host, url.port or (443 if secure else 80)
    peer = (exchange.client.address or "127.0.0.1", 0)
    client = connection.Client(peername=peer, sockname=("127.0.0.1", 0), timestamp_start=capture.started)
    server = connection.Server(address=(host, port))
    flow = http.HTTPFlow(client, server)
    socket = capture.status == 101
    flow.id = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{capture.flow_id} {capture.started}")) if socket else capture.flow_id
    path = urlunsplit(("", "", url.path or "/", url.query, ""))
    flow.request = http.Request(
        host=host,
        port=port,
        method=capture.method.encode(),
        scheme=b"https" if secure else b"http",
        authority=b"",
        path=path.encode("utf-8", "replace"),
        http_version=capture.http_version.encode() or b"HTTP/1.1",
        headers=_stated(capture.request_headers, capture.request_body),
        content=capture.request_body,
        trailers=None,
        timestamp_start=capture.started,
        timestamp_end=capture.started,
    )
    ended = capture.ended or capture.started
    if capture.status is not None:
        answered = capture.started + (exchange.timing.headers_ms or 0.0) / 1000
        trailers = capture.response_trailers
        flow.response = http.Response(
            http_version=capture.http_version.encode() or b"HTTP/1.1",
            status_code=capture.status,
            reason=(capture.reason or "").encode("latin-1", "replace"),
            headers=_stated(capture.response_headers, capture.response_body, decoded=capture.coding is None),
            content=capture.response_body,
            trailers=None if trailers is None else _lines(trailers),
            timestamp_start=answered,
            timestamp_end=max(ended, answered),
        )
    if socket:
        flow.websocket = _said(capture, ended)
    if exchange.cut_short is not None:
        flow.error = Error(exchange.cut_short, ended)
    return flow


def _said(capture: Capture, ended: float) -> WebSocketData:
    """Return the messages of one response on a connection, whose own times the capture does not tell."""
    sides = ((True, capture.request_body, capture.started), (False, capture.response_body, ended))
    return WebSocketData(
        messages=[
            WebSocketMessage(TEXT, from_client, line, at)
            for from_client, body, at in sides
            for line in (body or b"").splitlines()
        ],
        timestamp_end=ended,
    )


def _lines(headers: Headers) -> http.Headers:
    return http.Headers(
        [(name.encode("utf-8", "replace"), value.encode("utf-8", "replace")) for name, value in headers]
    )


def _stated(headers: Headers | None, body: bytes | None, decoded: bool = True) -> http.Headers:
    """Return headers that are true of the body as it is kept: no coding that was undone, the length that it has."""
    told = _lines(headers or ())
    if decoded:
        told.pop("content-encoding", None)
    if body is not None and "transfer-encoding" not in told and (body or "content-length" in told):
        told["content-length"] = str(len(body))
    return told


def write_flow(file: BinaryIO, flow: http.HTTPFlow) -> None:
    """Append a flow to a flow file; raises OSError."""
    FlowWriter(file).add(flow)  # type: ignore[no-untyped-call]  # mitmproxy leaves it untyped
