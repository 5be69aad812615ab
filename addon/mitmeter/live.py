"""An exchange under way, shared between the event loop, which writes, and the worker, which reads."""

from collections import deque
from typing import Any

from msgspec import Struct

from mitmeter.bare import bare
from mitmeter.exchange import Answer, Exchange, Headers, Opening, Outcome
from mitmeter.progress import Progress
from mitmeter.recorder import Limits, Recorder
from mitmeter.redact import Redacted
from mitmeter.session import Session
from mitmeter.usage.registry import Match

LAG_LIMIT = 64 << 20
TURN_BYTES = 256 << 10

type Item = tuple[Exchange, Redacted | None]


class Ending(Struct, frozen=True, kw_only=True):
    """How the transport ended. `body` is the whole body where it was not teed."""

    outcome: Outcome
    at: float
    cause: str | None = None
    body: bytes | None = None
    trailers: Headers | None = None


class Live:
    """An HTTP exchange. `tag` is the caller's own and comes back with the row.

    `fed` and `drained` count bytes and have one writer each. The event loop calls `append`, and sets `answer` and
    `ending`; the worker calls `read` and `end`, which may raise what a recorder raises.
    """

    def __init__(self, opening: Opening, match: Match | None, tag: Any = None) -> None:
        self.opening = opening
        self.match = match
        self.tag = tag
        self.answer: Answer | None = None
        self.answered_at = 0.0
        self.fed = 0
        self.drained = 0
        self.lost = 0
        self.unseen = False
        self.ending: Ending | None = None
        self.broken = False
        self.finished = False
        self.handed = 0
        self.progress: Progress | None = None
        self.model: str | None = None
        self._noted = 0
        self._chunks: deque[tuple[bytes, float]] = deque()
        self._recorder: Recorder | None = None

    @property
    def lags(self) -> bool:
        """Whether the worker has fallen too far behind to take more."""
        return self.fed - self.drained > LAG_LIMIT

    @property
    def pending(self) -> bool:
        """Whether something has arrived that was not read."""
        return bool(self._chunks)

    @property
    def weight(self) -> int:
        """Bytes of bodies that it holds and that were not read."""
        ending = self.ending
        whole = len(ending.body) if ending is not None and ending.body is not None else 0
        return self.fed - self.drained + whole + len(self.opening.body or b"")

    def append(self, chunk: bytes, at: float) -> None:
        """Take a chunk on the event loop; drop it when the worker has fallen too far behind."""
        if self.lags:
            self.lost += len(chunk)
            return
        self.fed += len(chunk)
        self._chunks.append((chunk, at))

    def read(self, limits: Limits, secret: bytes) -> list[Item]:
        """Read of what has arrived as much as one turn may take; returns what ended by that."""
        recorder = self._recorder
        if recorder is None:
            if self.answer is None and self.ending is None:
                return []
            recorder = self._recorder = Recorder(self.opening, self.match, limits=limits, secret=secret)
            if self.answer is not None:
                recorder.answer(self.answer, self.answered_at)
        batch: list[tuple[bytes, float]] = []
        size = 0
        while self._chunks and size < TURN_BYTES:
            item = self._chunks.popleft()
            size += len(item[0])
            batch.append(item)
        if batch:
            recorder.feed_all(batch)
            self.drained += size
        return []

    def note(self) -> None:
        """Note how far it has come, on the worker's thread; a connection of many exchanges says nothing."""
        if self._recorder is not None and self.drained != self._noted:
            self.progress, self.model, self._noted = self._recorder.progress, self._recorder.model, self.drained

    def end(self, ending: Ending) -> list[Item]:
        """Return what the exchange came to."""
        recorder = self._recorder
        if self.broken or recorder is None:
            return [self.bare(ending)]
        if ending.body:
            recorder.whole(ending.body, ending.at)
        if ending.trailers:
            recorder.trailers(ending.trailers)
        if self.unseen:
            recorder.anomalies.append("unseen")
        if self.lost:
            recorder.anomalies.append("lagged")
        return [recorder.close(ending.outcome, ending.at, ending.cause)]

    def bare(self, ending: Ending) -> Item:
        """Return the row of an exchange that could not be read."""
        return bare(self.opening, self.answer, self.match, ending.outcome, ending.at), None


class LiveSocket(Live):
    """A WebSocket connection: its messages have a sender, and each response on it makes a row."""

    def __init__(self, opening: Opening, match: Match, answer: Answer, tag: Any = None) -> None:
        super().__init__(opening, match, tag)
        self.answer = answer
        self._reader = match
        self._frames: deque[tuple[bytes, float, bool]] = deque()
        self._session: Session | None = None

    def hear(self, content: bytes, at: float, from_client: bool) -> None:
        """Take a message on the event loop; drop it when the worker has fallen too far behind."""
        if self.lags:
            self.lost += len(content)
            return
        self.fed += len(content)
        self._frames.append((content, at, from_client))

    @property
    def pending(self) -> bool:
        """Whether something has arrived that was not read."""
        return bool(self._frames)

    def read(self, limits: Limits, secret: bytes) -> list[Item]:
        """Read of what has arrived as much as one turn may take; returns the responses that ended by that."""
        session = self._session
        if session is None:
            assert self.answer is not None
            session = Session(self.opening, self.answer, self._reader, limits=limits, secret=secret)
            self._session = session
        items: list[Item] = []
        size = 0
        while self._frames and size < TURN_BYTES:
            content, at, from_client = self._frames.popleft()
            items += session.feed(content, at, from_client)
            size += len(content)
        self.drained += size
        return items

    def end(self, ending: Ending) -> list[Item]:
        """Return the response that was open, or the connection if nothing was answered on it."""
        if self.broken or self._session is None:
            return [self.bare(ending)]
        return list(self._session.close(ending.outcome, ending.at, ending.cause))
