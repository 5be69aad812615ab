"""Exchanges added up: counters and histograms by their attributes. An exporter, read by whoever tells them on.

Names of models, hosts and errors come from outside, so each kind is capped: what comes later is `_other`.
"""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from itertools import pairwise
from math import inf
from threading import Lock

from msgspec import Struct

from mitmeter.exchange import Exchange, Outcome, Trace, Usage
from mitmeter.telemetry import names
from mitmeter.telemetry.names import CONVENTIONS, OLD_TOKENS, OTHER, OWN, UNKNOWN, Instrument
from mitmeter.usage.registry import named

DISTINCT = 100
FAMILIES = 1000
KNOWN = 4000
LONGEST = 128

_NOT_TRACED = Trace()
_COUNTED = (
    (names.INPUT, "input_tokens"),
    (names.OUTPUT, "output_tokens"),
    (names.CACHE_READ, "cache_read_tokens"),
    (names.CACHE_WRITE, "cache_write_tokens"),
    (names.REASONING, "reasoning_tokens"),
)


class Labels:
    """A set of attributes, known by its identity; an attribute that is not known is left out."""

    __slots__ = ("pairs",)

    def __init__(self, *pairs: tuple[str, str | int]) -> None:
        self.pairs = pairs


class Distribution:
    """A histogram: how many values fell into each bucket, the last one without an upper end, their sum and ends."""

    __slots__ = ("counts", "least", "most", "sum")

    def __init__(self, buckets: int) -> None:
        self.counts = [0] * buckets
        self.sum = 0.0
        self.least, self.most = inf, -inf

    def copy(self) -> "Distribution":
        """Return one that does not change any more."""
        made = Distribution(0)
        made.counts, made.sum, made.least, made.most = list(self.counts), self.sum, self.least, self.most
        return made


type Value = int | float | Distribution


class Series(Struct, frozen=True):
    """What one instrument comes to, by attributes."""

    instrument: Instrument
    values: list[tuple[Labels, Value]]


class _Family:
    """The sets of attributes that exchanges of one model at one server need."""

    def __init__(self, *pairs: tuple[str, str | int]) -> None:
        self.common = Labels(*pairs)
        self._with: dict[tuple[tuple[str, str], ...], Labels] = {}

    def but(self, *more: tuple[str, str]) -> Labels:
        """Return the common ones and more."""
        known = self._with.get(more)
        if known is None:
            known = self._with[more] = Labels(*self.common.pairs, *more)
        return known


class Measures:
    """Takes each exchange once; `collect` may be called on any thread."""

    def __init__(self, *, old_names: bool = False) -> None:
        self._instruments = (*CONVENTIONS, *OWN, *((OLD_TOKENS,) if old_names else ()))
        self._old_names = old_names
        self._lock = Lock()
        self._seen: defaultdict[str, set[str]] = defaultdict(set)
        self._families: dict[tuple[tuple[str, str | int], ...], _Family] = {}
        self._known: dict[tuple[object, ...], _Family] = {}
        self._sums: dict[Instrument, dict[Labels, int | float]] = {}
        self._spread: dict[Instrument, dict[Labels, Distribution]] = {}
        for instrument in self._instruments:
            if instrument.bounds:
                self._spread[instrument] = {}
            else:
                self._sums[instrument] = {}

    def __call__(self, exchange: Exchange) -> None:
        """Take an exchange."""
        with self._lock:
            self._take(exchange)

    def collect(self, *, anew: bool = False) -> list[Series]:
        """Return what has come together so far, and with `anew` begin at nothing again."""
        with self._lock:
            found = [
                Series(instrument, list(self._sums[instrument].items()))
                if instrument in self._sums
                else Series(instrument, [(at, found.copy()) for at, found in self._spread[instrument].items()])
                for instrument in self._instruments
            ]
            if anew:
                self._sums = {instrument: {} for instrument in self._sums}
                self._spread = {instrument: {} for instrument in self._spread}
            return found

    def _take(self, exchange: Exchange) -> None:
        trace = exchange.trace or _NOT_TRACED
        family = self._family(exchange, trace.port)
        error = error_type(exchange)
        failed = () if error is None else ((names.ERROR, self._capped(names.ERROR, error)),)
        ended = family.but(*failed)
        self._add(names.EXCHANGES, family.but((names.OUTCOME, exchange.outcome.value), *failed), 1)
        self._add(names.SENT, family.common, exchange.sizes.request_bytes)
        self._add(names.RECEIVED, family.common, exchange.sizes.response_bytes)
        self._clock(exchange, family, ended, trace.arrivals)
        if trace.consumes:
            self._tokens(exchange.usage, family, ended)
        if exchange.cost_usd is not None:
            source = family.but((names.COST_SOURCE, exchange.cost_source or "provider"))
            self._add(names.COST, source, exchange.cost_usd)
        elif exchange.usage.source is not None:
            self._add(names.UNPRICED, family.common, 1)

    def _clock(self, exchange: Exchange, family: _Family, ended: Labels, arrivals: tuple[float, ...]) -> None:
        timing, usage = exchange.timing, exchange.usage
        self._observe(names.DURATION, ended, timing.duration_ms, 0.001)
        if exchange.stream:
            self._observe(names.FIRST_CHUNK, family.common, timing.first_byte_ms, 0.001)
            self._observe(names.FIRST_TOKEN_AFTER, family.common, timing.first_token_ms, 0.001)
        if len(arrivals) > 1:
            self._gaps(family.common, arrivals)
        self._observe(names.SERVER_DURATION, ended, exchange.server_ms, 0.001)
        if timing.prompt_per_second and usage.input_tokens is not None:
            fresh = usage.input_tokens - (usage.cache_read_tokens or 0)
            self._observe(names.SERVER_FIRST, family.common, fresh / timing.prompt_per_second)
        if timing.rate_source == "server" and timing.tokens_per_second:
            self._observe(names.SERVER_EACH, family.common, 1 / timing.tokens_per_second)

    def _tokens(self, usage: Usage, family: _Family, ended: Labels) -> None:
        unknown = family.but((names.MODALITY, UNKNOWN))
        for instrument, field in _COUNTED:
            self._add(instrument, unknown, getattr(usage, field) or 0)
        for instrument, kind, number in (
            (names.INPUT_EACH, "input", usage.input_tokens),
            (names.OUTPUT_EACH, "output", usage.output_tokens),
        ):
            self._observe(instrument, ended, number)
            if self._old_names:
                self._observe(OLD_TOKENS, family.but((names.TOKEN_TYPE, kind)), number)

    def _add(self, instrument: Instrument, labels: Labels, number: int | float) -> None:
        sums = self._sums[instrument]
        sums[labels] = sums.get(labels, 0) + number

    def _observe(self, instrument: Instrument, labels: Labels, value: float | None, unit: float = 1) -> None:
        if value is None:
            return
        value *= unit
        found = self._distribution(instrument, labels)
        found.counts[bisect_left(instrument.bounds, value)] += 1
        found.sum += value
        found.least, found.most = min(found.least, value), max(found.most, value)

    def _gaps(self, labels: Labels, arrivals: tuple[float, ...]) -> None:
        found = self._distribution(names.EACH_CHUNK, labels)
        gaps = sorted(after - before for before, after in pairwise(arrivals))
        below = 0
        for at, bound in enumerate(names.EACH_CHUNK.bounds):
            upto = bisect_right(gaps, bound, below)
            found.counts[at] += upto - below
            below = upto
        found.counts[-1] += len(gaps) - below
        found.sum += arrivals[-1] - arrivals[0]
        found.least, found.most = min(found.least, gaps[0]), max(found.most, gaps[-1])

    def _distribution(self, instrument: Instrument, labels: Labels) -> Distribution:
        spread = self._spread[instrument]
        found = spread.get(labels)
        if found is None:
            found = spread[labels] = Distribution(len(instrument.bounds) + 1)
        return found

    def _family(self, exchange: Exchange, port: int | None) -> _Family:
        told = (exchange.operation, exchange.provider, exchange.request_model, exchange.model, exchange.host, port)
        family = self._known.get(told)
        if family is None:
            pairs = tuple(self._common(*told))
            if pairs not in self._families and len(self._families) >= FAMILIES:
                pairs = tuple(self._common(exchange.operation, exchange.provider, OTHER, OTHER, OTHER, None))
            family = self._families.setdefault(pairs, _Family(*pairs))
            if len(self._known) >= KNOWN:
                self._known.clear()
            self._known[told] = family
        return family

    def _common(
        self,
        operation: str | None,
        provider: str | None,
        request_model: str | None,
        model: str | None,
        host: str,
        port: int | None,
    ) -> list[tuple[str, str | int]]:
        pairs: list[tuple[str, str | int]] = [
            (names.OPERATION, operation or OTHER),
            (names.PROVIDER, conventional(provider)),
        ]
        if request_model:
            pairs.append((names.REQUEST_MODEL, self._capped(names.RESPONSE_MODEL, request_model)))
        if model:
            pairs.append((names.RESPONSE_MODEL, self._capped(names.RESPONSE_MODEL, model)))
        if host:
            pairs.append((names.ADDRESS, self._capped(names.ADDRESS, host)))
        if host and port is not None:
            pairs.append((names.PORT, port))
        return pairs

    def _capped(self, kind: str, value: str) -> str:
        value, seen = value[:LONGEST], self._seen[kind]
        if value not in seen:
            if len(seen) >= DISTINCT:
                return OTHER
            seen.add(value)
        return value


def error_type(exchange: Exchange) -> str | None:
    """Return what went wrong, as `error.type` has it: the server's word, else the status, else how it ended."""
    if exchange.outcome is Outcome.COMPLETE:
        return None
    if exchange.error_type:
        return exchange.error_type
    failed = exchange.status is not None and exchange.status >= 400
    return str(exchange.status) if failed else exchange.outcome.value


def conventional(provider: str | None) -> str:
    """Return a provider's name in the conventions."""
    return (named(provider).convention or provider) if provider else OTHER
