"""One WebSocket connection: feed(content, at, from_client), close(outcome, at), each giving the responses that ended.

A connection carries many responses, one after the other or at once, and each makes a row and a capture of its own: its
request are the client's messages since the last one began, its body the server's, as JSON lines. What the server says
between responses is not kept. What another model did aside, such as writing down what was heard, is its own bill and
makes a row of its own. A connection on which nothing was answered makes one row.
"""

from typing import Any
from urllib.parse import parse_qs, urlsplit

from msgspec.structs import replace

from mitmeter.body import Body
from mitmeter.exchange import Answer, Exchange, Opening, Outcome
from mitmeter.recorder import Limits, Recorder
from mitmeter.redact import Redacted
from mitmeter.usage.dialect import Socket
from mitmeter.usage.documents import NotADocument, decoder, members
from mitmeter.usage.paths import dig, path
from mitmeter.usage.reading import first_text
from mitmeter.usage.registry import Match

LINES = "application/x-ndjson"
OPEN = 32

type Ended = tuple[Exchange, Redacted]


class _Turn:
    """A response under way, and the model that was asked for."""

    def __init__(self, recorder: Recorder, model: str | None) -> None:
        self.recorder = recorder
        self.model = model
        self.over = False

    def close(self, outcome: Outcome, at: float, cause: str | None = None) -> Ended:
        exchange, redacted = self.recorder.close(Outcome.COMPLETE if self.over else outcome, at, cause)
        asked = exchange.request_model or self.model
        return replace(exchange, request_model=asked, model=exchange.model or asked), redacted


class Session:
    """Takes the messages of one connection, in order; never raises over what they hold."""

    def __init__(
        self, opening: Opening, answer: Answer, match: Match, *, limits: Limits, secret: bytes | None = None
    ) -> None:
        self._opening = opening
        self._answer = answer
        self._match = match
        self._limits = limits
        self._secret = secret
        self._socket = match.dialect.socket or Socket()
        self._decode = decoder(members(self._socket.places()) | {"type", "error"})
        query = parse_qs(urlsplit(opening.url).query, max_num_fields=100) if len(opening.url) < 1 << 16 else {}
        self._model: str | None = next((query[name][0] for name in self._socket.query_model if name in query), None)
        self._aside_model: str | None = None
        self._asked = Body(limits.body)
        self._asked_at: float | None = None
        self._open: dict[str, _Turn] = {}
        self._answered = False

    def feed(self, content: bytes, at: float, from_client: bool) -> list[Ended]:
        """Take one message, which had arrived at `at`."""
        document = self._read(content)
        kinds = frozenset(document) if self._socket.by_member else frozenset((_text(document.get("type")),))
        if from_client:
            return self._ask(content, document, kinds, at)
        aside = self._socket.aside
        if aside is not None and not kinds.isdisjoint(aside.ends):
            return [self._beside(content, Match(self._match.provider, aside), at)]
        return self._hear(content, document, kinds, at)

    def close(self, outcome: Outcome, at: float, cause: str | None = None) -> list[Ended]:
        """End the connection at `at`."""
        if not self._answered:
            self._begin("", self._opening.zero)
        return [ended for key in tuple(self._open) for ended in self._end(key, at, outcome, cause)]

    def _ask(self, content: bytes, document: dict[str, Any], kinds: frozenset[str], at: float) -> list[Ended]:
        asks = not self._socket.asks or not kinds.isdisjoint(self._socket.asks)
        waiting = [key for key, turn in self._open.items() if turn.over] if asks else []
        ended = [one for key in waiting for one in self._end(key, at)]
        self._asked.feed(_line(content))
        self._learn(document)
        if asks:
            self._asked_at = at
        return ended

    def _hear(self, content: bytes, document: dict[str, Any], kinds: frozenset[str], at: float) -> list[Ended]:
        socket, failed = self._socket, "error" in kinds
        begins = not socket.begins or not kinds.isdisjoint(socket.begins)
        ends = not kinds.isdisjoint(self._match.dialect.ends) or any(dig(document, path(at)) for at in socket.ends)
        key = first_text(document, socket.thread) or next(reversed(self._open), "")
        turn = self._open.get(key)
        ended: list[Ended] = []
        if turn is not None and begins and (turn.over or (socket.cuts and socket.begins)):
            ended, turn = self._end(key, at), None
        if turn is None:
            self._learn(document)
            if not (begins or ends or failed):
                return ended
            ended += self._end(next(iter(self._open)), at) if len(self._open) >= OPEN else []
            turn = self._begin(key, at if self._asked_at is None else self._asked_at)
        elif failed and not socket.errors_end:
            return ended
        turn.recorder.feed(_line(content), at)
        turn.over = turn.over or ends or failed
        if not turn.over or (socket.usage_trails and not failed and not turn.recorder.counted):
            return ended
        return ended + self._end(key, at)

    def _beside(self, content: bytes, match: Match, at: float) -> Ended:
        """Record a message that is another model's whole response; when that was asked for is not known."""
        self._answered = True
        turn = _Turn(self._recorder(match, at, None), self._aside_model)
        turn.recorder.feed(_line(content), at)
        return turn.close(Outcome.COMPLETE, at)

    def _read(self, content: bytes) -> dict[str, Any]:
        try:
            document = self._decode(content)
        except NotADocument:
            return {}
        return document if isinstance(document, dict) else {}

    def _learn(self, document: dict[str, Any]) -> None:
        told = first_text(document, self._socket.model)
        within = self._socket.model_within
        self._model = (told.rpartition(within)[2] if within else told) if told else self._model
        self._aside_model = first_text(document, self._socket.aside_model) or self._aside_model

    def _begin(self, key: str, zero: float) -> _Turn:
        turn = _Turn(self._recorder(self._match, zero, self._asked.content()), self._model)
        self._open[key] = turn
        self._answered = True
        self._asked, self._asked_at = Body(self._limits.body), None
        return turn

    def _recorder(self, match: Match, zero: float, body: bytes | None) -> Recorder:
        started = self._opening.started + zero - self._opening.zero
        opening = replace(self._opening, started=started, zero=zero, body=body)
        recorder = Recorder(opening, match, limits=self._limits, secret=self._secret)
        recorder.answer(self._answer, zero, content_type=LINES)
        return recorder

    def _end(self, key: str, at: float, outcome: Outcome = Outcome.COMPLETE, cause: str | None = None) -> list[Ended]:
        return [self._open.pop(key).close(outcome, at, cause)]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _line(content: bytes) -> bytes:
    """Put a JSON message on one line: outside of its strings, where no line end may be, line ends are white space."""
    return content.replace(b"\r", b" ").replace(b"\n", b" ") + b"\n"
