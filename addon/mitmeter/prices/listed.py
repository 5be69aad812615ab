"""Prices of the package `genai-prices`, which carries them; nothing is fetched.

One of its own calculations takes a tenth of a millisecond and more. In a fixed tier of a model's prices they are linear
in the counts, so what each count weighs is found out once by asking for a few prices, and kept. What is not plain is
asked for each time.
"""

from bisect import bisect_left
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from importlib.util import find_spec
from typing import Any

from mitmeter.exchange import Exchange, Usage
from mitmeter.usage.paths import dig, path
from mitmeter.usage.registry import find, named, owner

KEPT = 4096

# What a count is a part of, outermost first.
_WITHIN = {
    "input_tokens": (),
    "output_tokens": (),
    "cache_read_tokens": ("input_tokens",),
    "cache_write_tokens": ("input_tokens",),
    "cache_write_5m_tokens": ("input_tokens", "cache_write_tokens"),
    "cache_write_1h_tokens": ("input_tokens", "cache_write_tokens"),
}

type Counts = dict[str, int]


class _Rates:
    """What each count weighs, in US dollars, while the input is at most `upto`."""

    def __init__(self, flat: float, weights: Mapping[str, float]) -> None:
        self.flat = flat
        self.weights = weights

    def of(self, counts: Counts) -> float:
        return self.flat + sum(self.weights[name] * count for name, count in counts.items())


def installed() -> bool:
    """Say whether the package is there, without importing it."""
    return find_spec("genai_prices") is not None


class Listed:
    """Prices exchanges by the list. Imports the package when the first one has a provider whose host is known."""

    def __init__(self) -> None:
        self._rates: dict[tuple[object, ...], _Rates] = {}

    def __call__(self, exchange: Exchange) -> float | None:
        """Return what an exchange cost, None where the list does not know; a host that nobody claims has no price."""
        usage = exchange.usage
        if usage.source is None or owner(exchange.host) is None:
            return None
        found = _model(exchange)
        counts = counted(exchange)
        if found is None or not counts:
            return None
        try:
            return self._price(found, exchange, counts)
        except (ValueError, LookupError, ArithmeticError):
            # The list's own word for counts that contradict each other.
            return None

    def _price(self, found: tuple[Any, Any], exchange: Exchange, counts: Counts) -> float:
        provider, model = found
        at = datetime.fromtimestamp(exchange.started, UTC)
        context = {"service_tier": exchange.service_tier} if exchange.service_tier else None

        def ask(asked: Counts) -> float:
            from genai_prices import Usage as Asked

            total = model.calc_price(Asked(**asked), provider, genai_request_timestamp=at, price_context=context)
            return float(total.total_price)

        if not _plain(counts):
            return ask(counts)
        prices = model.get_prices(at)
        starts = _tiers(prices)
        tier = bisect_left(starts, counts.get("input_tokens", 0))
        key = (id(prices), provider.id, exchange.service_tier, tier, *counts)
        rates = self._rates.get(key)
        if rates is None:
            if len(self._rates) >= KEPT:
                self._rates.clear()
            rates = self._rates[key] = _rates(ask, counts, starts[tier - 1] + 1 if tier else 1)
        return rates.of(counts)


def counted(exchange: Exchange) -> Counts:
    """Return the counts that have prices, by the list's names, those that are 0 left out."""
    usage: Usage = exchange.usage
    counts: dict[str, int | None] = {
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "cache_read_tokens": usage.cache_read_tokens,
        "cache_write_tokens": usage.cache_write_tokens,
    }
    reported = (exchange.reported or {}).get("usage")
    for name, place in _places(exchange.method, exchange.host, exchange.path, exchange.status == 101):
        value = dig(reported, place) if isinstance(reported, dict) else None
        counts[name] = value if type(value) is int else None
    return {name: count for name, count in counts.items() if count}


@lru_cache(maxsize=KEPT)
def _places(method: str, host: str, address: str, upgraded: bool) -> tuple[tuple[str, tuple[str, ...]], ...]:
    match = find(method, host, address, upgraded)
    return tuple((name, path(at)) for name, at in match.dialect.counts.priced) if match is not None else ()


def _model(exchange: Exchange) -> tuple[Any, Any] | None:
    match = find(exchange.method, exchange.host, exchange.path, exchange.status == 101)
    own = match.dialect.prices if match is not None else ""
    return _found(own, exchange.provider, exchange.host, exchange.path, exchange.model, exchange.request_model)


@lru_cache(maxsize=KEPT)
def _found(own: str, provider: str | None, host: str, address: str, *models: str | None) -> tuple[Any, Any] | None:
    from genai_prices.data_snapshot import get_snapshot

    known = get_snapshot()
    claimed = named(provider) if provider else None
    asked: tuple[tuple[str | None, str | None], ...] = ((None, f"https://{host}{address}"),)
    if own:
        asked = ((own, None),)
    elif claimed is not None:
        asked += ((claimed.prices or claimed.name, None),)
    for ident, url in asked:
        for model in dict.fromkeys(filter(None, models)):
            try:
                found: tuple[Any, Any] = known.find_provider_model(model, None, ident, url)
            except LookupError:
                continue
            return found
    return None


def _plain(counts: Counts) -> bool:
    """Say whether the counts fit into each other, so that they may be weighed one by one."""
    if not all(name in _WITHIN and count > 0 for name, count in counts.items()):
        return False
    written = counts.get("cache_write_tokens", 0)
    parts = counts.get("cache_write_5m_tokens", 0) + counts.get("cache_write_1h_tokens", 0)
    return parts <= written and counts.get("cache_read_tokens", 0) + written <= counts.get("input_tokens", 0)


def _tiers(prices: Any) -> list[int]:
    """Return the input counts above which another price holds."""
    from genai_prices.types import TieredPrices

    values = vars(prices).values()
    return sorted({tier.start for value in values if isinstance(value, TieredPrices) for tier in value.tiers})


def _rates(ask: Any, names: Counts, least: int) -> _Rates:
    """Find out what each count weighs where the input is at least `least`."""
    flat = ask({})
    weights: dict[str, float] = {}
    for name in names:
        around = dict.fromkeys(_WITHIN[name] or (("input_tokens",) if least > 1 else ()), least)
        alone = ask(around) if name != "input_tokens" else flat
        weights[name] = (ask({**around, name: least}) - alone) / least
    return _Rates(flat, weights)
