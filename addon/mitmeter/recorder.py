"""One exchange from first byte to last: feed(chunk, at), close(outcome, at) -> (Exchange, Redacted).

Pure: times are arguments, in seconds on any steady clock, on which `Opening.zero` is the request. Body bytes are
decompressed, framed and read as they come; each message's offset in the decoded body tells at which chunk's time it had
arrived, so that chunks may be fed in batches without blurring the clock. The capture keeps at most `Limits.body` bytes
of each body; what passes beyond that is still metered.
"""

from collections.abc import Iterable
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from msgspec import Struct
from msgspec.structs import replace

from mitmeter.body import Body
from mitmeter.exchange import (
    Answer,
    Capture,
    Exchange,
    Headers,
    Message,
    Opening,
    Outcome,
    RateSource,
    Sizes,
    Timing,
    Usage,
    field_value,
    field_values,
)
from mitmeter.moments import Moments
from mitmeter.mould import Tells
from mitmeter.progress import Progress, progress
from mitmeter.redact import Redacted, Redactor
from mitmeter.redact.policy import DEFAULT, Policy
from mitmeter.redact.secrets import credential, session
from mitmeter.tracing import trace
from mitmeter.usage.asked import read_request
from mitmeter.usage.dialect import Dialect, Keep
from mitmeter.usage.documents import NotADocument, tolerant
from mitmeter.usage.errors import read_error, shorten, status_text
from mitmeter.usage.form import outline
from mitmeter.usage.heads import limits, retry_after
from mitmeter.usage.reading import Reading
from mitmeter.usage.registry import Match
from mitmeter.usage.thread import Thread, read_thread
from mitmeter.wire import MessageDecoder
from mitmeter.wire.codings import Codings

UNKNOWN = Match("", Dialect(api="", operation="", paths=()))
ERROR_BODY = 1 << 20
FIRST, STARTS = 1024, 8
MEDIA = ("audio/", "image/", "video/", "application/octet-stream")


class Limits(Struct, frozen=True, kw_only=True):
    """Bytes: what a capture keeps of each body, what decompression may yield, what one message may hold.

    `policy` is what a user adds to the rules of what is redacted, `sessions` to the headers that name a conversation,
    `traced` says that rows are told to exporters.
    """

    body: int = 16 << 20
    decoded: int = 256 << 20
    message: int = 64 << 20
    ratio: int = 2000
    policy: Policy = DEFAULT
    sessions: tuple[str, ...] = ()
    traced: bool = False


class Recorder:
    """Records one exchange. Call `answer` once the head is there, `feed` for each chunk, `close` once.

    `secret` keys the credential's hash; None leaves the credential out.
    """

    def __init__(
        self, opening: Opening, match: Match | None, *, limits: Limits | None = None, secret: bytes | None = None
    ) -> None:
        self.opening = opening
        self.match = match or UNKNOWN
        self.limits = limits or Limits()
        self.anomalies: list[str] = []
        self._dialect = self.match.dialect
        self._secret = secret
        self._request_body = self._decoded_request()
        self._answer: Answer | None = None
        self._answered_at: float | None = None
        self._content_type: str | None = None
        self._head: dict[str, str] = {}
        self._codings: Codings | None = None
        self._messages: MessageDecoder | None = None
        self._reading: Reading | None = None
        self._body = Body(self.limits.body)
        self._trailers: Headers | None = None
        self._newest: Message | None = None
        self._heeding: Tells | None = None
        self._received = 0
        self._moments = Moments()
        self._legible = True
        self._buffered = False
        self._first_at: float | None = None
        self._first_byte_at: float | None = None
        self._last_at: float | None = None

    def _decoded_request(self) -> bytes | None:
        body = self.opening.body
        named = field_values(self.opening.headers, "content-encoding")
        if not body or not named:
            return body
        codings = Codings(named, output_limit=self.limits.message, ratio_limit=self.limits.ratio)
        decoded = codings.feed(body) + codings.close()
        self._flag(*(f"request_{anomaly}" for anomaly in codings.anomalies))
        return decoded

    def answer(self, answer: Answer, at: float, content_type: str | None = None) -> None:
        """Take the response's head, which had arrived at `at`; `content_type` overrules how its body is framed."""
        self._answer, self._answered_at = answer, at
        self._head = {name.lower(): value for name, value in answer.headers}
        encoded = "content-encoding" in self._head
        self._codings = Codings(
            field_values(answer.headers, "content-encoding") if encoded else (),
            output_limit=self.limits.decoded,
            ratio_limit=self.limits.ratio,
        )
        self._content_type = field_value(answer.headers, "content-type")
        if content_type is None:
            content_type = self._content_type or ""
        # Some gateways call an event stream octets; where the reply is sound, a picture or anything, octets are that.
        media = MEDIA[:-1] if self._dialect.api and self._dialect.keep.response_body else MEDIA
        self._legible = not content_type.lower().startswith(media)
        self._messages = MessageDecoder(content_type, limit=self.limits.message, stream=self._dialect.streams)

    def feed(self, chunk: bytes, at: float) -> None:
        """Take a chunk of the response's body as received, which had arrived at `at`."""
        if chunk:
            self.feed_all(((chunk, at),))

    def feed_all(self, chunks: Iterable[tuple[bytes, float]]) -> None:
        """Take several chunks at once, without empty ones."""
        codings = self._codings
        together = list(chunks)
        if codings is None or not together:
            return
        if self._first_byte_at is None:
            self._first_byte_at = together[0][1]
        self._last_at = together[-1][1]
        for body, sizes, times in codings.undo(together):
            self._moments.add(sizes, times)
            self._take_body(body)
        self._received = codings.received

    def whole(self, body: bytes, at: float) -> None:
        """Take a body that had been buffered until `at`: when anything in it came is not known."""
        self.feed(body, at)
        self._first_byte_at = None
        self._buffered = True

    @property
    def counted(self) -> bool:
        """Whether the response has shown a usage object."""
        return self._reading is not None and self._reading.snapshots > 0

    @property
    def progress(self) -> Progress:
        """What the server is doing, and the tokens that it has told so far."""
        return progress(self._reading, self._newest)

    @property
    def model(self) -> str | None:
        """The model that the response has named so far."""
        return self._reading.model if self._reading is not None else None

    def trailers(self, trailers: Headers) -> None:
        """Take the trailers that followed the body."""
        self._trailers = trailers

    def _take_body(self, decoded: bytes) -> None:
        """Read decoded bytes, in small pieces until it is known which messages tell something."""
        assert self._messages is not None
        self._body.feed(decoded)
        at, size = 0, len(decoded)
        while at < size and self._legible:
            streams = self._messages.streaming or self._dialect.streams
            piece = FIRST if self._heeding is None and streams and at < STARTS * FIRST else size
            part = decoded if at == 0 and piece >= size else decoded[at : at + piece]
            at += len(part)
            if messages := self._messages.feed(part):
                self._take(messages)

    def _take(self, messages: list[Message]) -> None:
        assert self._messages is not None
        reading = self._reading
        if reading is None:
            reading = self._reading = Reading(self._dialect, streaming=self._messages.streaming)
        known = reading.mould
        self._newest = messages[-1]
        reading.feed(messages)
        if reading.mould is not known and reading.mould is not None:
            self._messages.hush(reading.mould)
        if reading.tells is not self._heeding and reading.tells is not None:
            self._heeding = reading.tells
            self._messages.heed(reading.tells)
        if self._first_at is None:
            self._first_at = self._moments.at(reading.first_end)

    def _ms(self, at: float | None) -> float | None:
        return None if at is None else round(max(0.0, at - self.opening.zero) * 1000, 3)

    def close(self, outcome: Outcome, at: float, cause: str | None = None) -> tuple[Exchange, Redacted]:
        """End the exchange at `at` and return its row and its capture.

        `outcome` is how the transport ended and `cause` what it says of it; an error status, an error inside the body
        or a stream that had reached its own end before the reader left overrule it.
        """
        self._finish()
        reading = self._reading
        outcome = self._outcome(outcome, reading)
        if not self._expects_json(outcome) and "not_json" in self.anomalies:
            self.anomalies.remove("not_json")
        usage, timing = self._measure(reading, outcome, at)
        error, error_type = self._error(reading, outcome)
        if error is None and outcome is not Outcome.COMPLETE:
            error = shorten(cause)
        exchange = self._exchange(reading, outcome, usage, timing, error, error_type)
        answered = [headers for headers in (self._answer.headers if self._answer else None, self._trailers) if headers]
        clean = Redactor(self.opening.headers, self.opening.url, answered, self.limits.policy)
        streams = self._messages is not None and self._messages.streaming
        return clean.both(exchange, self._capture(outcome, at), stream=streams)

    def _finish(self) -> None:
        if self._codings is None or self._messages is None:
            return
        rest = self._codings.close()
        if rest:
            if self._last_at is not None:
                self._moments.add((len(rest),), (self._last_at,))
            self._take_body(rest)
        messages = self._messages.close()
        if messages:
            self._take(messages)
        if self._reading is not None:
            self._reading.close(self._messages.passed())
            self._flag(*self._reading.anomalies)
        self._flag(*self._codings.anomalies, *self._messages.anomalies)

    def _flag(self, *anomalies: str) -> None:
        self.anomalies += [anomaly for anomaly in anomalies if anomaly not in self.anomalies]

    def _expects_json(self, outcome: Outcome) -> bool:
        if self._answer is None or outcome is not Outcome.COMPLETE:
            return False
        kind = (self._content_type or "json").lower()
        return "json" in kind or "event-stream" in kind

    def _outcome(self, outcome: Outcome, reading: Reading | None) -> Outcome:
        if self._answer is None:
            return outcome if outcome is Outcome.CLIENT_ABORTED else Outcome.UNREACHABLE
        if self._answer.status >= 400 or (reading is not None and reading.failed):
            return Outcome.ERROR
        if outcome in (Outcome.CLIENT_ABORTED, Outcome.UPSTREAM_ABORTED) and reading is not None and reading.ended:
            return Outcome.COMPLETE
        return outcome

    def _measure(self, reading: Reading | None, outcome: Outcome, at: float) -> tuple[Usage, Timing]:
        last_at = self._last_at if self._last_at is not None and outcome is Outcome.COMPLETE else at
        timing = Timing(
            duration_ms=self._ms(max(last_at, self._answered_at or last_at)),
            headers_ms=self._ms(self._answered_at),
            first_byte_ms=self._ms(self._first_byte_at),
        )
        if self._answer is None:
            return Usage(), timing
        reading = reading or Reading(self._dialect, streaming=False)
        usage, prompt, output = reading.usage(self._head)
        self._flag(*(anomaly for anomaly in reading.anomalies if anomaly != "not_json"))
        first, last = (None, None) if self._buffered else (self._first_at, self._moments.at(reading.last_end))
        source: RateSource | None = "server" if prompt is not None or output is not None else None
        if output is None and (measured := reading.pace(usage, first, last)) is not None:
            output, source = measured, "wire"
        rates = {"prompt_per_second": prompt, "tokens_per_second": output, "rate_source": source}
        return usage, replace(timing, first_token_ms=self._ms(first), **rates)

    def _error(self, reading: Reading | None, outcome: Outcome) -> tuple[str | None, str | None]:
        if reading is not None and reading.failed and reading.error:
            return reading.error, reading.error_type
        if self._answer is None or self._answer.status < 400:
            return (None, reading.error_type) if reading is not None and outcome is Outcome.ERROR else (None, None)
        kind, message = None, None
        with suppress(NotADocument):
            kind, message = read_error(tolerant(self._body.content()[:ERROR_BODY].strip()))
        told = field_value(self._answer.headers, self._dialect.error_header or "") or ""
        return message or status_text(self._answer.status), kind or told.partition(":")[0] or None

    def _exchange(
        self,
        reading: Reading | None,
        outcome: Outcome,
        usage: Usage,
        timing: Timing,
        error: str | None,
        error_type: str | None,
    ) -> Exchange:
        opening, answer = self.opening, self._answer
        told = answer.headers if answer else ()
        address = urlsplit(opening.url)
        kind = field_value(opening.headers, "content-type") or ""
        request = read_request(self._dialect, kind, self._request_body or b"")
        asked = request.model or self.match.path_model(address.path)
        wants_stream = request.stream or self._dialect.streams
        arrivals = self._arrivals(reading)
        spent_by = credential(opening.headers, address.query, self._secret) if self._secret else None
        joined, follows = self._session(request.document, spent_by)
        streams = self._messages.streaming if self._messages is not None and self._received else wants_stream
        return Exchange(
            flow_id=opening.flow_id,
            started=opening.started,
            method=opening.method,
            host=address.hostname or "",
            path=address.path,
            provider=self.match.engine(told, reading.timed_by if reading else None),
            api=self._dialect.api or None,
            operation=self._dialect.operation or None,
            model=(reading.model if reading is not None else None) or asked,
            request_model=asked,
            stream=streams,
            status=answer.status if answer else None,
            content_type=self._content_type,
            outcome=outcome,
            error=error,
            error_type=error_type,
            finish=reading.ending if reading and answer and answer.status < 400 else None,
            service_tier=reading.service_tier if reading else None,
            response_id=self.match.path_id(address.path) or (reading.response_id if reading else None),
            usage=usage,
            timing=timing,
            sizes=Sizes(
                request_bytes=len(opening.body or b""),
                response_bytes=self._received,
                decoded_bytes=self._body.size,
            ),
            credential=spent_by,
            client=opening.client,
            anomalies=tuple(self.anomalies),
            reported=reading.reported() if reading else None,
            cost_usd=reading.cost(self._head) if reading else None,
            server_ms=reading.took(self._head) if reading else None,
            retry_after_s=retry_after(told, opening.started + (timing.headers_ms or 0.0) / 1000),
            limits=limits(told),
            session=joined,
            follows=follows,
            stored=self._dialect.stored,
            trace=trace(opening, self._dialect, request.document, arrivals) if self.limits.traced else None,
        )

    def _session(self, document: Any, spent_by: str | None) -> tuple[str | None, str | None]:
        """Return what joins the turns of a conversation; a connection on which it is not named holds one."""
        if self._secret is None:
            return None, None
        thread = read_thread(self._dialect, self.opening.headers, document, self.limits.sessions)
        if thread.ident is None and self._dialect.socket is not None:
            thread = Thread(self.opening.flow_id, follows=thread.follows)
        return session(thread.ident, thread.beginning, spent_by, self._secret), thread.follows

    def _arrivals(self, reading: Reading | None) -> tuple[float, ...]:
        known = reading is not None and self.limits.traced and not self._buffered
        ends = (reading.first_end, reading.last_end) if reading is not None and known else (None, None)
        return self._moments.between(*ends)

    def _capture(self, outcome: Outcome, at: float) -> Capture:
        opening, answer, keep, sent = self.opening, self._answer, self._dialect.keep, self._request_body
        keep = Keep(request_body=keep.request_body) if outcome is Outcome.ERROR else keep
        body = sent if keep.request_body else outline(sent or b"")
        return Capture(
            flow_id=opening.flow_id,
            started=opening.started,
            method=opening.method,
            url=opening.url,
            path=urlsplit(opening.url).path,
            http_version=opening.http_version,
            outcome=outcome,
            request_headers=opening.headers if keep.request_headers else None,
            request_body=None if body is None else body[: self.limits.body],
            request_cut=0 if body is None else max(0, len(sent or b"") - min(len(body), self.limits.body)),
            status=answer.status if answer else None,
            reason=answer.reason if answer else None,
            response_headers=answer.headers if answer and keep.response_headers else None,
            response_body=self._body.content() if answer and keep.response_body else None,
            response_cut=self._body.cut if answer and keep.response_body else 0,
            response_trailers=self._trailers,
            coding=self._codings.undecoded if self._codings else None,
            ended=opening.started + max(0.0, at - opening.zero),
            timeline=() if self._buffered else self._moments.timeline(opening.zero),
        )
