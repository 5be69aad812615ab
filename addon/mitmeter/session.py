"""One WebSocket connection: feed(content, at, from_client), close(outcome, at), each giving the responses that ended.

A connection carries many responses, one after the other, and each makes a row and a capture of its own: its request are
the client's messages since the last response, its body the server's, as JSON lines. What the server says between
responses is not kept. A connection on which nothing was answered makes one row.
"""

from typing import Any
from urllib.parse import parse_qsl, urlsplit

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

type Ended = tuple[Exchange, Redacted]


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
        self._decode = decoder(members([*self._socket.model, *self._socket.ends]) | {"type"})
        query = dict(parse_qsl(urlsplit(opening.url).query))
        self._model: str | None = query.get(self._socket.query_model)
        self._asked = Body(limits.body)
        self._asked_at: float | None = None
        self._turn: Recorder | None = None
        self._over = False
        self._turns = 0

    def feed(self, content: bytes, at: float, from_client: bool) -> list[Ended]:
        """Take one message, which had arrived at `at`."""
        ended = self._finish(at) if self._over and (from_client or not self._trails(content)) else []
        if from_client:
            self._ask(content, at)
            return ended
        return ended + self._hear(content, at)

    def close(self, outcome: Outcome, at: float, cause: str | None = None) -> list[Ended]:
        """End the connection at `at`."""
        if self._turn is not None:
            return self._finish(at, Outcome.COMPLETE if self._over else outcome, cause)
        if self._turns:
            return []
        self._begin(self._opening.zero)
        return self._finish(at, outcome, cause)

    def _ask(self, content: bytes, at: float) -> None:
        self._asked.feed(_line(content))
        document = self._read(content)
        self._learn(document)
        if not self._socket.asks or document.get("type") in self._socket.asks:
            self._asked_at = at

    def _hear(self, content: bytes, at: float) -> list[Ended]:
        document = self._read(content)
        kind, socket = document.get("type"), self._socket
        if self._turn is not None and kind == "error" and not socket.errors_end:
            return []
        begins = not socket.begins or kind in socket.begins
        cut = self._finish(at) if self._turn is not None and socket.begins and begins else []
        if self._turn is None:
            self._learn(document)
            if not begins and kind != "error":
                return cut
            self._begin(at if self._asked_at is None else self._asked_at)
        assert self._turn is not None
        self._turn.feed(_line(content), at)
        self._over = self._over or kind in self._match.dialect.ends or kind == "error" or self._ends(document)
        if not self._over or (socket.usage_trails and not self._turn.counted):
            return cut
        return cut + self._finish(at)

    def _trails(self, content: bytes) -> bool:
        """Say whether a message after a response's end still belongs to it: it has usage and is no other's begin."""
        return self._socket.usage_trails and not any(name in content for name in (b'"serverContent"', b'"toolCall"'))

    def _ends(self, document: dict[str, Any]) -> bool:
        return any(dig(document, path(at)) for at in self._socket.ends)

    def _read(self, content: bytes) -> dict[str, Any]:
        try:
            document = self._decode(content)
        except NotADocument:
            return {}
        return document if isinstance(document, dict) else {}

    def _learn(self, document: dict[str, Any]) -> None:
        self._model = first_text(document, self._socket.model) or self._model

    def _begin(self, zero: float) -> None:
        opening = replace(
            self._opening,
            started=self._opening.started + zero - self._opening.zero,
            zero=zero,
            body=self._asked.content(),
        )
        self._turn = Recorder(opening, self._match, limits=self._limits, secret=self._secret)
        self._turn.answer(self._answer, zero, content_type=LINES)
        self._turns += 1

    def _finish(self, at: float, outcome: Outcome = Outcome.COMPLETE, cause: str | None = None) -> list[Ended]:
        turn, self._turn, self._over, self._asked_at = self._turn, None, False, None
        self._asked = Body(self._limits.body)
        if turn is None:
            return []
        exchange, redacted = turn.close(outcome, at, cause)
        model = exchange.request_model or self._model
        return [(replace(exchange, request_model=model, model=exchange.model or model), redacted)]


def _line(content: bytes) -> bytes:
    """Put a JSON message on one line: outside of its strings, where no line end may be, line ends are white space."""
    return content.replace(b"\r", b" ").replace(b"\n", b" ") + b"\n"
