"""Exchange <-> the columns of the table `exchanges`, and the records that the store hands out."""

import json
import re
from operator import attrgetter
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import astuple, fields

from mitmeter.exchange import Client, Exchange, Outcome, Sizes, Timing, Usage

# Larger than any true count, exact in every reader of JSON, and far enough from the 64 bits in which SQLite sums.
LARGEST_COUNT = 2**53

_JSON = ("anomalies", "reported", "limits")
_NESTED = ("usage", "timing", "sizes", "client", "trace", "follows", *_JSON)
_FLAT = tuple(field.name for field in fields(Exchange) if field.name not in _NESTED)
_USAGE, _TIMING, _SIZES = Usage.__struct_fields__, Timing.__struct_fields__, Sizes.__struct_fields__
_CLIENT = Client.__struct_fields__

COLUMNS = (*_FLAT, *_USAGE, *_TIMING, *_SIZES, *(f"client_{name}" for name in _CLIENT), *_JSON)

_own = attrgetter(*_FLAT)
_escaped = json.JSONEncoder(separators=(",", ":")).encode
_SURROGATE = re.compile("[\ud800-\udfff]")


class Row(Struct, frozen=True):
    """An exchange as stored, with its id."""

    id: int
    exchange: Exchange
    has_capture: bool


class Stat(Struct, frozen=True, kw_only=True):
    """What the exchanges of one group come to.

    Sums leave out exchanges that say nothing, and are None where all do. `errors` are the outcomes `error` and
    `unreachable`, `aborted` both kinds of abort, `unpriced` those with tokens and without a price. `first_token_ms`,
    `duration_ms` and `tokens_per_second` are medians, `..._p95` and `..._p99` the values that 95 and 99 of 100 stay
    below.
    """

    name: str | None
    requests: int
    errors: int
    aborted: int
    input_tokens: int | None
    output_tokens: int | None
    cache_read_tokens: int | None
    cache_write_tokens: int | None
    reasoning_tokens: int | None
    first_token_ms: float | None
    duration_ms: float | None
    total_duration_ms: float | None
    cost_usd: float | None = None
    unpriced: int = 0
    first_token_ms_p95: float | None = None
    first_token_ms_p99: float | None = None
    duration_ms_p95: float | None = None
    duration_ms_p99: float | None = None
    tokens_per_second: float | None = None


def _compact(value: Any) -> str:
    """JSON; what UTF-8 cannot hold is escaped in it."""
    try:
        return msgspec.json.encode(value).decode()
    except (UnicodeEncodeError, RecursionError):
        return _escaped(value)


def flatten(exchange: Exchange) -> list[Any]:
    """The values of COLUMNS.

    A token count beyond 2**53 becomes NULL and is named in `anomalies` (`unstorable:<column>`); what the server said
    stays in `reported`.
    """
    usage = astuple(exchange.usage)
    anomalies = exchange.anomalies
    if any(type(count) is int and not -LARGEST_COUNT <= count <= LARGEST_COUNT for count in usage):
        usage, found = _storable(usage)
        anomalies += found
    values = list(_own(exchange))
    values += usage
    values += astuple(exchange.timing)
    values += astuple(exchange.sizes)
    values += astuple(exchange.client)
    values.append(_compact(anomalies) if anomalies else "[]")
    values.append(None if exchange.reported is None else _compact(exchange.reported))
    values.append(None if exchange.limits is None else _compact(exchange.limits))
    return values


def _storable(usage: tuple[Any, ...]) -> tuple[tuple[Any, ...], tuple[str, ...]]:
    """Usage without the counts that cannot be stored, and the anomalies that name them."""
    kept, found = [], []
    for name, count in zip(_USAGE, usage, strict=True):
        fits = type(count) is not int or -LARGEST_COUNT <= count <= LARGEST_COUNT
        kept.append(count if fits else None)
        if not fits:
            found.append(f"unstorable:{name}")
    return tuple(kept), tuple(found)


def valid_text(values: list[Any]) -> list[Any]:
    """The values with U+FFFD in place of lone surrogates, which SQLite cannot hold."""
    return [_SURROGATE.sub("\ufffd", value) if isinstance(value, str) else value for value in values]


def unflatten(values: tuple[Any, ...]) -> Exchange:
    """The exchange whose values of COLUMNS these are."""
    flat = dict(zip(COLUMNS, values, strict=True))
    own = {name: flat[name] for name in _FLAT}
    own["stream"], own["stored"] = bool(own["stream"]), bool(own["stored"])
    own["outcome"] = Outcome(own["outcome"])
    return Exchange(
        **own,
        usage=Usage(**{name: flat[name] for name in _USAGE}),
        timing=Timing(**{name: flat[name] for name in _TIMING}),
        sizes=Sizes(**{name: flat[name] for name in _SIZES}),
        client=Client(**{name: flat[f"client_{name}"] for name in _CLIENT}),
        anomalies=tuple(json.loads(flat["anomalies"])),
        reported=None if flat["reported"] is None else json.loads(flat["reported"]),
        limits=None if flat["limits"] is None else json.loads(flat["limits"]),
    )
