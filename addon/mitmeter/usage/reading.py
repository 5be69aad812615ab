"""One response read by its dialect: messages in, facts out.

A stream is mostly deltas that tell nothing but that a token was generated. Once the first of them was seen, only
messages that tell something (`telling`) are decoded, and of a run of those that fit one mould only the last. The last
messages that were passed over are kept, to find the last generated token at the end.
"""

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from itertools import islice
from typing import Any

from msgspec import Struct

from mitmeter.exchange import Message, Source, Usage
from mitmeter.mould import Fits, Mould, Tells, cast, never
from mitmeter.usage.counts import Pace, Tally, amount, together, usage_of
from mitmeter.usage.dialect import Clock, Dialect, Figure, Snapshot, highest, overlay
from mitmeter.usage.documents import Decode, NotADocument, opener, response_decoder
from mitmeter.usage.errors import error_at, read_error
from mitmeter.usage.paths import Path, dig, element_key, listed, only, path, walk
from mitmeter.usage.pieces import generated
from mitmeter.usage.telling import DONE, FAILED, pinned, teller, telling, tells, thinking

NOT_JSON = frozenset((DONE, b""))
REMEMBERED = 64
TRIES = 32
ANSWERS = 10_000
REPORTED = 100


class Plan(Struct, frozen=True):
    """What reading in a dialect needs, worked out once."""

    decode: Decode
    opened: Callable[[Message], Message] | None
    needles: tuple[bytes, ...]
    needles_once_thought: tuple[bytes, ...]
    sparse: bool
    pinned: frozenset[bytes]
    usage_paths: tuple[Path, ...]
    error_paths: tuple[Path, ...]
    clocks: tuple[tuple[Path, tuple[Clock, ...]], ...]
    root_counts: tuple[str, ...]
    took_headers: frozenset[str]
    took_elsewhere: tuple[Figure, ...]


@lru_cache(maxsize=256)
def plan(dialect: Dialect) -> Plan:
    """Return what reading in this dialect needs."""
    return Plan(
        decode=response_decoder(dialect),
        opened=opener(dialect.envelope) if dialect.envelope else None,
        needles=(*telling(dialect), *thinking(dialect)),
        needles_once_thought=telling(dialect),
        sparse=not dialect.envelope and dialect.fold is not highest,
        pinned=pinned(dialect),
        usage_paths=tuple(path(text) for text in dialect.usage),
        error_paths=tuple(path(text) for text in dialect.errors),
        clocks=clocks_by_place(dialect),
        root_counts=dialect.counts.places(),
        took_headers=frozenset(figure.header for figure in dialect.took if figure.header),
        took_elsewhere=tuple(figure for figure in dialect.took if not figure.header),
    )


@lru_cache(maxsize=256)
def clocks_by_place(dialect: Dialect) -> tuple[tuple[Path, tuple[Clock, ...]], ...]:
    """Return the clocks of a dialect by where their object stands."""
    places = dict.fromkeys(clock.at for clock in dialect.clocks)
    return tuple((path(at), tuple(clock for clock in dialect.clocks if clock.at == at)) for at in places)


def first_text(document: Any, paths: tuple[str, ...]) -> str | None:
    """Return the first non-empty text at one of the paths."""
    for text in paths:
        steps = path(text)
        if steps[0] not in document:
            continue
        if len(steps) == 1 and isinstance(value := document[steps[0]], str) and value:
            return value
        for _, value in walk(document, steps):
            if isinstance(value, str) and value:
                return value
            if isinstance(value, int) and not isinstance(value, bool):
                return str(value)
    return None


class Told(Struct):
    """What one answer says: its usage object, folded, and the timings of each clock."""

    snapshot: Snapshot | None = None
    timings: dict[Clock, Snapshot] = {}

    def paces(self) -> list[Pace]:
        """Return what the timings say."""
        return [Pace(clock, timings) for clock, timings in self.timings.items()]


class Reading:
    """Reads the messages of one response. Nothing raises; what cannot be read is named in `anomalies`.

    `first_end` and `last_end` are the `end` of the messages with the first and the last generated token, `ended` says
    that the API's own end of stream was seen. Of a run of messages that fit `mould` only the last is needed.
    """

    def __init__(self, dialect: Dialect, *, streaming: bool) -> None:
        self.dialect = dialect
        self.streaming = streaming
        self.anomalies: list[str] = []
        self.model: str | None = None
        self.finish: str | None = None
        self.service_tier: str | None = None
        self.response_id: str | None = None
        self.error: str | None = None
        self.error_type: str | None = None
        self.failed = False
        self.ended = False
        self.first_end: int | None = None
        self.last_end: int | None = None
        self.thought = False
        self.snapshots = 0
        self._plan = plan(dialect)
        self._needles = self._plan.needles
        self._answers: dict[int, Told] = {}
        self._skipped: deque[Message] = deque(maxlen=REMEMBERED)
        self.mould: Mould | None = None
        self._fits: Fits = never
        self._fitting: Message | None = None
        self._before: Message | None = None
        self._tries = 0

    def feed(self, messages: Iterable[Message]) -> None:
        """Take the next messages."""
        fits = self._fits
        for message in messages if self._plan.opened is None else map(self._plan.opened, messages):
            if fits(message.data):
                self._fitting = message
                continue
            self.settle()
            told = self.first_end is None or message.event == FAILED or tells(message.data, self._needles)
            if told:
                self._read(message)
            else:
                self._pass_over(message)
            if self.first_end is not None:
                fits = self._recast(message, told)

    def settle(self) -> None:
        """Read the last message of a run that fits a mould."""
        message, self._fitting = self._fitting, None
        if message is not None:
            self._read(message)

    def _recast(self, message: Message, told: bool) -> Fits:
        """Look for a mould in two neighbours that both tell something and fit none, as long as looking pays."""
        before, self._before = self._before, message if told else None
        if before is None or not told or self._tries > TRIES or not self._plan.sparse or message.data in NOT_JSON:
            return self._fits
        self._tries += 1
        if before.data.count(b'"') != message.data.count(b'"'):
            return self._fits
        mould = cast(before, message, self._plan.pinned)
        if mould is not None and self._find(message.data) is not None and self._find(before.data) is not None:
            self.mould, self._fits = mould, mould.fits()
        return self._fits

    def _pass_over(self, message: Message) -> None:
        if message.data in NOT_JSON:
            self.ended = True
        else:
            self._skipped.append(message)

    def _find(self, payload: bytes) -> tuple[str, str] | None:
        try:
            found = generated(self._plan.decode(payload), self.dialect.parts)
        except NotADocument:
            return None
        if found is not None:
            self._note(found[0])
        return found

    def _note(self, kind: str) -> None:
        """Once thinking was seen, it is no longer looked for."""
        if kind == "thinking" and not self.thought:
            self.thought = True
            self._needles = self._plan.needles_once_thought

    def _read(self, message: Message) -> None:
        payload = message.data
        if payload == DONE:
            self.ended = True
            return
        try:
            document = self._plan.decode(payload)
        except NotADocument:
            if message.event != FAILED:
                self._flag("not_json")
                return
            document = {"message": payload.decode("utf-8", "replace")}
        if message.event and message.event.decode("utf-8", "replace") in self.dialect.ends:
            self.ended = True
        for place, one in enumerate(document if isinstance(document, list) else (document,)):
            if isinstance(one, dict):
                self._take(one, message.end, self._answer(one, place))
        if (isinstance(document, list) or message.event == FAILED) and not self.failed:
            self._take_error(document, named=message.event == FAILED)

    def _answer(self, document: dict[str, Any], place: int) -> Told:
        """Return what is known of the answer to which a document belongs."""
        number = element_key(document, place) if self.dialect.several else 0
        known = self._answers.get(number)
        if known is None:
            known = Told()
            if len(self._answers) < ANSWERS:
                self._answers[number] = known
            else:
                self._flag("too_many_answers")
        return known

    def _take(self, document: dict[str, Any], end: int, told: Told) -> None:
        dialect = self.dialect
        for steps in self._plan.usage_paths:
            if steps and steps[0] not in document:
                continue
            for _, usage in walk(document, steps):
                if not steps:
                    usage = only(document, self._plan.root_counts)
                if dialect.listed and isinstance(usage, list):
                    usage = listed(usage, *dialect.listed)
                if isinstance(usage, dict) and usage:
                    self.snapshots += 1
                    told.snapshot = usage if told.snapshot is None else dialect.fold(told.snapshot, usage)
        for at, clocks in self._plan.clocks:
            if not at or at[0] in document:
                _take_timings(document, at, clocks, told)
        self.model = self.model or first_text(document, dialect.model)
        self.response_id = self.response_id or first_text(document, dialect.response_id)
        self.finish = first_text(document, dialect.finish) or self.finish
        self.service_tier = first_text(document, dialect.service_tier) or self.service_tier
        if dialect.ends and document.get(dialect.type_at) in dialect.ends:
            self.ended = True
        if self.streaming and (piece := generated(document, dialect.parts)):
            self.first_end = self.first_end or end
            self.last_end = end
            self._note(piece[0])
        self._take_error(document)

    def _take_error(self, document: Any, named: bool = False) -> None:
        found = None
        if isinstance(document, list):
            if named or any(isinstance(one, dict) and one.get("error") for one in document):
                found = read_error(document)
        elif isinstance(document, dict):
            told = named or document.get("type") == "error" or document.get("object") == "error"
            errors = (dig(document, at) for at in self._plan.error_paths)
            told = told or any(isinstance(error, dict | str) and error for error in errors)
            found = error_at(document, self.dialect.errors) if told else None
        if found is not None:
            self.failed = True
            self.error_type, self.error = found

    def _flag(self, anomaly: str) -> None:
        if anomaly not in self.anomalies:
            self.anomalies.append(anomaly)

    @property
    def tells(self) -> Tells | None:
        """What finds the messages that need to be told from now on, beside the last; None while all of them do."""
        return None if self.first_end is None else teller(self.dialect, self.thought)

    def close(self, unseen: Iterable[Message] = ()) -> None:
        """Find the last generated token among the messages that were passed over; `unseen` are more, the last first."""
        self.settle()
        for source in (reversed(self._skipped), islice(unseen, 4 * REMEMBERED)):
            for message in source:
                if self.last_end is not None and message.end <= self.last_end:
                    break
                if self._find(message.data) is not None:
                    self.last_end = message.end
                    break

    def usage(self, headers: Mapping[str, str]) -> tuple[Usage, float | None, float | None]:
        """Return (usage, prompt tokens per second, output tokens per second) as the server told them.

        `headers` are the response's, by lower-case name: where the body has no usage, a dialect may find it there.
        """
        dialect = self.dialect
        source: Source = "body"
        if not self._consumes():
            return Usage(), None, None
        if len(self._answers) > 1:
            # Each speed is that of one answer, and they were made side by side.
            counted = [self._count(one.snapshot, one.paces(), source) for one in self._answers.values()]
            return together(counted), None, None
        answer = self._only
        snapshot, paces = answer.snapshot, answer.paces()
        told: Snapshot = {to: headers[name] for name, to in dialect.usage_headers if name in headers}
        if told and snapshot is None:
            snapshot, source = told, "headers"
        elif snapshot is not None and dialect.headers_fill:
            snapshot = overlay(told, snapshot)
        usage = self._count(snapshot, paces, source)
        prompt = output = None
        for pace in paces:
            faster = pace.rates(usage)
            prompt, output = faster[0] or prompt, faster[1] or output
        return usage, prompt, output

    @property
    def _only(self) -> Told:
        """What the one answer says; nothing where there are several."""
        return next(iter(self._answers.values())) if len(self._answers) == 1 else Told()

    def _count(self, snapshot: Snapshot | None, paces: list[Pace], source: Source) -> Usage:
        tally = None if snapshot is None else Tally(self.dialect.counts, snapshot)
        for anomaly in tally.anomalies if tally else ():
            self._flag(anomaly)
        return usage_of(tally, paces, source)

    @property
    def ending(self) -> str | None:
        """Return why it ended; while it goes on, what it says of its state is no reason."""
        return None if (self.finish or "").lower() in self.dialect.unsettled else self.finish

    def _consumes(self) -> bool:
        """Say whether what is told is consumption, and if it may be told again, the last word on it."""
        settled = self.streaming or self.ending == self.finish
        return self.dialect.consumes and settled

    def cost(self, headers: Mapping[str, str]) -> float | None:
        """Return the provider's own price, in US dollars."""
        return self._figure(self.dialect.costs, headers) if self._consumes() else None

    def took(self, headers: Mapping[str, str]) -> float | None:
        """Return how long the server says that it took, in milliseconds."""
        for pace in self._only.paces():
            if pace.total_seconds is not None:
                return round(pace.total_seconds * 1000, 3)
        named = not self._plan.took_headers.isdisjoint(headers)
        return self._figure(self.dialect.took if named else self._plan.took_elsewhere, headers)

    def _figure(self, figures: tuple[Figure, ...], headers: Mapping[str, str]) -> float | None:
        for figure in figures:
            told = headers.get(figure.header) if figure.header else dig(self._only.snapshot, path(figure.at))
            if told is not None and (value := amount(told)) is not None:
                return round(value * figure.unit, 12)
        return None

    def pace(self, usage: Usage, first: float | None, last: float | None) -> float | None:
        """Return tokens per second from the first to the last generated token (seconds on a steady clock).

        What was not sent in that time is left out: the first token, and reasoning that stayed hidden.
        """
        if first is None or last is None or last <= first or usage.output_tokens is None:
            return None
        hidden = 0 if self.thought else usage.reasoning_tokens or 0
        seen = usage.output_tokens - hidden - 1
        return round(seen / (last - first), 3) if seen > 0 else None

    def timed_by(self, clock: Clock) -> bool:
        """Say whether the response carried figures of this clock."""
        for told in self._answers.values():
            if (timings := told.timings.get(clock)) is not None and Pace(clock, timings).speaks:
                return True
        return False

    def reported(self) -> dict[str, Any] | None:
        """Return the server's usage and timings objects as they were, None where it sent none.

        Where there are several answers, they are lists of those of the first of these.
        """
        if len(self._answers) < 2:
            return _reported(self._only) or None
        answers = [_reported(told) for told in islice(self._answers.values(), REPORTED)]
        names = dict.fromkeys(name for answer in answers for name in answer)
        return {name: [answer.get(name) for answer in answers] for name in names} or None


def _reported(told: Told) -> dict[str, Any]:
    found: dict[str, Any] = {} if told.snapshot is None else {"usage": told.snapshot}
    for clock, timings in told.timings.items():
        found.setdefault(clock.at or "timings", timings)
    return found


def _take_timings(document: dict[str, Any], at: Path, clocks: tuple[Clock, ...], told: Told) -> None:
    found = dig(document, at)
    for clock in clocks:
        timings = found if at else only(document, clock.places())
        if isinstance(timings, dict) and any(path(place)[0] in timings for place in clock.places()):
            told.timings[clock] = timings
