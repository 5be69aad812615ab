"""Puts its price on an exchange before it is written."""

from pathlib import Path

from msgspec.structs import replace

from mitmeter.exchange import Exchange
from mitmeter.prices.listed import Listed, installed
from mitmeter.prices.overrides import Overrides, read


class Pricing:
    """Returns each exchange with its price: the provider's own, else by the user's prices, else by the list."""

    def __init__(self, path: Path | None = None, *, listed: bool = True) -> None:
        """Raises ValueError where the file cannot be used."""
        self._overrides = Overrides() if path is None else read(path)
        self._listed = Listed() if listed and installed() else None

    def __call__(self, exchange: Exchange) -> Exchange:
        """Return the exchange with its price."""
        if exchange.cost_usd is not None:
            return exchange if exchange.cost_source else replace(exchange, cost_source="provider")
        cost = self._overrides(exchange)
        if cost is None and self._listed is not None:
            cost = self._listed(exchange)
        return exchange if cost is None else replace(exchange, cost_usd=round(cost, 12), cost_source="prices")
