"""The words every room speaks: frozen records, no behaviour worth the name.

Counts are tokens, sizes are bytes, `..._ms` are milliseconds since the first byte of the request,
`started` is seconds since the epoch. Absent is `None`; `0` means that somebody said zero.
"""

from collections.abc import Callable
from enum import StrEnum
from typing import Any, Literal

from msgspec import Struct

CLIENT_LEFT = "Client disconnected."  # mitmproxy's word


class Outcome(StrEnum):
    """How an exchange ended."""

    COMPLETE = "complete"
    CLIENT_ABORTED = "client_aborted"
    UPSTREAM_ABORTED = "upstream_aborted"
    ERROR = "error"
    UNREACHABLE = "unreachable"


class Message(Struct, frozen=True, gc=False):
    """One decoded event or document.

    `data` is its payload without framing, `event` its name where the framing has names, `end` the offset in the
    decoded body just past it, from which the recorder tells when it had arrived.
    """

    data: bytes
    event: bytes = b""
    end: int = 0


type Source = Literal["body", "headers", "timings"]
type RateSource = Literal["server", "wire"]
type CostSource = Literal["provider", "prices"]
type Headers = tuple[tuple[str, str], ...]
type Timeline = tuple[tuple[int, int], ...]


class Usage(Struct, frozen=True, kw_only=True):
    """Tokens: `input` includes cache reads and writes, `output` includes reasoning, the parts are subsets.

    `total_tokens` is the server's own total and is never computed.
    """

    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_tokens: int | None = None
    cache_write_tokens: int | None = None
    reasoning_tokens: int | None = None
    total_tokens: int | None = None
    draft_tokens: int | None = None
    draft_accepted_tokens: int | None = None
    source: Source | None = None


class Timing(Struct, frozen=True, kw_only=True):
    """The clock. `first_byte_ms` is the first byte of the body, `first_token_ms` the first generated token.

    Rates are the server's own; where it gives none, `tokens_per_second` is measured from the first to the last
    generated token and `rate_source` says `wire`.
    """

    duration_ms: float | None = None
    headers_ms: float | None = None
    first_byte_ms: float | None = None
    first_token_ms: float | None = None
    prompt_per_second: float | None = None
    tokens_per_second: float | None = None
    rate_source: RateSource | None = None


class Sizes(Struct, frozen=True, kw_only=True):
    """Body bytes: as sent in the request, as received in the response, and after decompression."""

    request_bytes: int = 0
    response_bytes: int = 0
    decoded_bytes: int = 0


class Client(Struct, frozen=True, kw_only=True):
    """Who asked, as far as the connection and the User-Agent header tell."""

    address: str | None = None
    agent: str | None = None


class Trace(Struct, frozen=True, kw_only=True):
    """What exporters are told beside the row; it is stored nowhere.

    `parent` is the request's `traceparent` header (https://www.w3.org/TR/trace-context/), `port` the server's,
    `consumes` says that the API uses tokens, `asked` are the numbers that a request sets (`temperature` and the like),
    `arrivals` the times in seconds, on any clock, of a stream's chunks from the first generated token to the last.
    `capture` is what may be told of the contents, where they are asked for: without secrets, as it is archived.
    """

    parent: str | None = None
    port: int | None = None
    consumes: bool = True
    asked: dict[str, Any] = {}
    arrivals: tuple[float, ...] = ()
    capture: "Capture | None" = None


class Exchange(Struct, frozen=True, kw_only=True):
    """One request with its response, as a row. `reported` holds the server's usage objects verbatim.

    `cost_usd` is what it cost and `cost_source` who says so, the provider itself or a list of prices; `server_ms` is
    how long the provider says that it worked, `retry_after_s` when it asks to be asked again, `limits` its rate-limit
    headers as sent. `session` is a keyed hash that the turns of one conversation share, `follows` the id of the
    response that the request goes on from: the store, which knows its session, joins the two and keeps no such id.
    `stored` says that the answer can be read again by its `response_id`, or that this is such a reading: its tokens
    count once. `trace` is for exporters.
    """

    flow_id: str
    started: float
    method: str
    host: str
    path: str
    provider: str | None = None
    api: str | None = None
    operation: str | None = None
    model: str | None = None
    request_model: str | None = None
    stream: bool = False
    status: int | None = None
    content_type: str | None = None
    outcome: Outcome = Outcome.COMPLETE
    error: str | None = None
    error_type: str | None = None
    finish: str | None = None
    service_tier: str | None = None
    response_id: str | None = None
    usage: Usage = Usage()
    timing: Timing = Timing()
    sizes: Sizes = Sizes()
    credential: str | None = None
    client: Client = Client()
    anomalies: tuple[str, ...] = ()
    reported: dict[str, Any] | None = None
    cost_usd: float | None = None
    server_ms: float | None = None
    retry_after_s: float | None = None
    limits: dict[str, str] | None = None
    session: str | None = None
    stored: bool = False
    cost_source: CostSource | None = None
    trace: Trace | None = None
    follows: str | None = None

    @property
    def cut_short(self) -> str | None:
        """What cut it short, as a flow says it; None where nothing did."""
        if self.outcome is Outcome.CLIENT_ABORTED:
            return CLIENT_LEFT
        if self.outcome in (Outcome.UPSTREAM_ABORTED, Outcome.UNREACHABLE):
            return self.error or self.outcome.value
        return None


type Exporter = Callable[[Exchange], None]


class Capture(Struct, frozen=True, kw_only=True):
    """The archived content of an exchange. Bodies are decompressed; a part that is not kept is `None`.

    `request_cut` and `response_cut` are the bytes of a body that were left out, `coding` is the Content-Encoding that
    is still in force on `response_body` because it could not be undone.
    """

    flow_id: str
    started: float
    method: str
    url: str
    path: str
    http_version: str
    outcome: Outcome
    request_headers: Headers | None = None
    request_body: bytes | None = None
    request_cut: int = 0
    status: int | None = None
    reason: str | None = None
    response_headers: Headers | None = None
    response_body: bytes | None = None
    response_cut: int = 0
    response_trailers: Headers | None = None
    coding: str | None = None
    ended: float | None = None
    timeline: Timeline = ()


class Place(Struct, frozen=True):
    """Where a capture lies: the segment's file name, offset and size in its decompressed stream, and its CRC-32."""

    segment: str
    offset: int
    size: int
    checksum: int | None = None


class Opening(Struct, frozen=True, kw_only=True):
    """The request as it was sent. `zero` is its first byte on a steady clock, `started` the same on the wall clock."""

    flow_id: str
    started: float
    zero: float
    method: str
    url: str
    http_version: str = "HTTP/1.1"
    headers: Headers = ()
    body: bytes | None = None
    client: Client = Client()


def field_values(headers: Headers, name: str) -> list[str]:
    """Return every value of a header, by lower-case name."""
    return [value for field, value in headers if len(field) == len(name) and field.lower() == name]


def field_value(headers: Headers, name: str) -> str | None:
    """Return the first value of a header, by lower-case name."""
    for field, value in headers:
        if len(field) == len(name) and field.lower() == name:
            return value
    return None


class Answer(Struct, frozen=True, kw_only=True):
    """The response's head."""

    status: int
    reason: str | None = None
    headers: Headers = ()
