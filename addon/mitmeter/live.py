"""An exchange under way, shared between the event loop, which writes, and the worker, which reads."""

from collections import deque
from collections.abc import Callable
from functools import cached_property
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
BEHIND = 4 << 20
TURN_BYTES = 256 << 10

type Item = tuple[Exchange, Redacted | None]
type Opens = Callable[[], Opening]
type Answers = Callable[[], Answer]


class Ending(Struct, frozen=True, kw_only=True):
    """How the transport ended. `body` is the whole body where it was not teed."""

    outcome: Outcome
    at: float
    cause: str | None = None
    body: bytes | None = None
    trailers: Headers | None = None


class Live:
    """An HTTP exchange. `tag` is the caller's own and comes back with the row.

    `opens` returns the request, whose body has `asked_bytes`, and `answers` the response's head; the worker calls them.
    `hurry` is called on the event loop where much has come that was not read.
    `fed` and `drained` count bytes and have one writer each. The event loop calls `append`, and sets `answers` and
    `ending`; the worker calls `read` and `end`, which may raise what a recorder raises.
    """

    answers: Answers | None = None
    answered_at = 0.0
    fed = drained = lost = handed = 0
    unseen = broken = finished = False
    ending: Ending | None = None
    progress: Progress | None = None
    model: str | None = None
    hurry: "Callable[[Live], None] | None" = None
    _hurried = False
    _noted = 0
    _recorder: Recorder | None = None

    def __init__(self, opens: Opens, match: Match | None, tag: Any = None, asked_bytes: int = 0) -> None:
        self.opens = opens
        self.match = match
        self.tag = tag
        self.asked_bytes = asked_bytes
        # Lists cost nothing while they are empty, and a tuple for each chunk would keep the garbage collector busy.
        self._chunks: list[bytes] = []
        self._times: list[float] = []

    @cached_property
    def opening(self) -> Opening:
        """The request."""
        return self.opens()

    @cached_property
    def answer(self) -> Answer | None:
        """The response's head; to be asked for once it is there, or will not come."""
        return self.answers() if self.answers is not None else None

    @property
    def pending(self) -> bool:
        """Whether something has arrived that was not read."""
        return bool(self._chunks)

    @property
    def weight(self) -> int:
        """Bytes of bodies that it holds and that were not read."""
        ending = self.ending
        whole = len(ending.body) if ending is not None and ending.body is not None else 0
        return self.fed - self.drained + whole + self.asked_bytes

    def append(self, chunk: bytes, at: float) -> None:
        """Take a chunk on the event loop; drop it when the worker has fallen too far behind."""
        size = len(chunk)
        ahead = self.fed - self.drained
        if ahead > BEHIND and not self._room(ahead):
            self.lost += size
            return
        self.fed += size
        self._times.append(at)
        self._chunks.append(chunk)

    def _room(self, ahead: int) -> bool:
        """Ask for what has arrived to be read soon; False where the worker has fallen too far behind to take more."""
        if self.hurry is not None and not self._hurried:
            self._hurried = True
            self.hurry(self)
        return ahead <= LAG_LIMIT

    def read(self, limits: Limits, secret: bytes) -> list[Item]:
        """Read of what has arrived as much as one turn may take; returns what ended by that."""
        self._hurried = False
        recorder = self._recorder
        if recorder is None:
            if self.answers is None and self.ending is None:
                return []
            recorder = self._recorder = Recorder(self.opening, self.match, limits=limits, secret=secret)
            if self.answer is not None:
                recorder.answer(self.answer, self.answered_at)
        size = taken = 0
        for chunk in self._chunks:
            taken, size = taken + 1, size + len(chunk)
            if size >= TURN_BYTES:
                break
        if taken:
            recorder.feed_all(zip(self._chunks[:taken], self._times[:taken], strict=True))
            del self._chunks[:taken], self._times[:taken]
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

    def __init__(self, opens: Opens, match: Match, answers: Answers, tag: Any = None, asked_bytes: int = 0) -> None:
        super().__init__(opens, match, tag, asked_bytes)
        self.answers = answers
        self._reader = match
        self._frames: deque[tuple[bytes, float, bool]] = deque()
        self._session: Session | None = None

    def hear(self, content: bytes, at: float, from_client: bool) -> None:
        """Take a message on the event loop; drop it when the worker has fallen too far behind."""
        ahead = self.fed - self.drained
        if ahead > BEHIND and not self._room(ahead):
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
        self._hurried = False
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
