"""The lines of a day's cost and tokens: who crosses one is marked, and it is said once. Nothing is ever blocked.

Days are those of this machine. What was spent before is asked for once.
"""

from collections.abc import Callable
from datetime import date, datetime

from msgspec import Struct
from msgspec.structs import replace

from mitmeter.exchange import Exchange

OVER_COST, OVER_TOKENS = "over_cost", "over_tokens"


class Spent(Struct, frozen=True):
    """US dollars, and input and output tokens together."""

    usd: float = 0.0
    tokens: int = 0


type Ask = Callable[[float], Spent]
type Say = Callable[[str], None]


class Budget:
    """Marks the exchange with which a day's line is crossed, and calls `say` with what happened."""

    def __init__(self, usd: float | None, tokens: int | None, spent_since: Ask, say: Say) -> None:
        """`spent_since` returns what was spent from an instant in epoch seconds on."""
        self._usd, self._tokens = usd, tokens
        self._spent_since, self._say = spent_since, say
        self._day: date | None = None
        self._spent = Spent()

    def __call__(self, exchange: Exchange) -> Exchange:
        """Return the exchange, marked where it crosses a line."""
        day = date.fromtimestamp(exchange.started)
        if self._day is None:
            self._day, self._spent = day, self._spent_since(datetime(day.year, day.month, day.day).timestamp())
        elif day > self._day:
            self._day, self._spent = day, Spent()
        if day != self._day:
            return exchange
        before = self._spent
        tokens = (exchange.usage.input_tokens or 0) + (exchange.usage.output_tokens or 0)
        now = self._spent = Spent(before.usd + (exchange.cost_usd or 0.0), before.tokens + tokens)
        crossed: list[str] = []
        if self._usd is not None and before.usd < self._usd <= now.usd:
            crossed.append(OVER_COST)
            self._say(f"${now.usd:,.2f} were spent today, which is beyond meter_warn_cost (${self._usd:,.2f})")
        if self._tokens is not None and before.tokens < self._tokens <= now.tokens:
            crossed.append(OVER_TOKENS)
            self._say(f"{now.tokens:,} tokens were used today, which is beyond meter_warn_tokens ({self._tokens:,})")
        return replace(exchange, anomalies=(*exchange.anomalies, *crossed)) if crossed else exchange
