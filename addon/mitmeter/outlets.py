"""What happens to each exchange beside being stored: its price, the day's budget, and whom it is told to.

Everything here runs on the worker's thread. What is not asked for is not imported.
"""

import logging
import sqlite3
from collections.abc import Callable, Iterator
from functools import cache, partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from msgspec import Struct
from msgspec.structs import replace

from mitmeter.budget import Budget, Spent
from mitmeter.exchange import Exchange, Exporter
from mitmeter.redact import Redacted
from mitmeter.store.filters import Filter
from mitmeter.store.schema import SchemaError
from mitmeter.store.sqlite import Store

if TYPE_CHECKING:
    from mitmeter.prices.pricing import Pricing
    from mitmeter.telemetry.health import Ask
    from mitmeter.telemetry.measures import Measures
    from mitmeter.telemetry.prometheus import Exposition

log = logging.getLogger("mitmeter")

PATIENCE_SECONDS = 15.0
OTEL = "opentelemetry is not installed; `pip install 'mitmeter[otel]'` has it"
PRICES = "genai-prices is not installed, costs are known only from providers; `pip install 'mitmeter[prices]'` has it"

type Content = Literal["off", "on", "content"]
type Opening = Callable[[], None]


class Outgoing(Struct, frozen=True, kw_only=True):
    """What a user asks for.

    `prices` is a file of the user's own, `listed` asks for the list of prices; `measured` has numbers kept for whoever
    asks for them, `metrics_port` is where they are served; `old_names` adds those of the older conventions.
    `warn_usd` and `warn_tokens` are the lines of a day.
    """

    prices: Path | None = None
    listed: bool = True
    measured: bool = False
    metrics_port: int = 0
    otel: Content = "off"
    old_names: bool = False
    warn_usd: float | None = None
    warn_tokens: int | None = None

    @property
    def traced(self) -> bool:
        """Whether exporters are to be told what is stored nowhere."""
        return self.measured or self.metrics_port > 0 or self.otel != "off"


def available(wanted: Outgoing) -> None:
    """Raise ValueError that says what to install, where something is asked for that is not there."""
    if wanted.otel != "off" and not _installed("opentelemetry.exporter.otlp.proto.http"):
        raise ValueError(f"meter_otel: {OTEL}")
    if wanted.prices is not None:
        from mitmeter.prices.overrides import read

        try:
            read(wanted.prices)
        except ValueError as error:
            raise ValueError(f"meter_prices: {error}") from error


@cache
def _say_once(message: str) -> None:
    """Options that change open outlets again, which is no news."""
    log.info("mitmeter: %s", message)


def spent(folder: Path, since: float) -> Spent:
    """Return what a meter_dir has from an instant on, in epoch seconds; nothing where it cannot be read."""
    try:
        with Store(folder / "meter.db", readonly=True) as store:
            found = store.stats("day", Filter(since=since))
    except (OSError, SchemaError, sqlite3.Error):
        return Spent()
    tokens = sum((stat.input_tokens or 0) + (stat.output_tokens or 0) for stat in found)
    return Spent(sum(stat.cost_usd or 0.0 for stat in found), tokens)


def _installed(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:
        return False


class Outlets:
    """What is asked for, once it is opened; `exposition` renders `/metrics`."""

    def __init__(self, wanted: Outgoing, folder: Path) -> None:
        self.wanted = wanted
        self._folder = folder
        self._budget: Budget | None = None
        self.exporters: dict[str, Exporter] = {}
        self.exposition: Exposition | None = None
        self._pricing: Pricing | None = None
        self._measures: Measures | None = None
        self._closing: list[Callable[[], None]] = []
        self._losing: list[Callable[[], dict[str, tuple[int, str]]]] = []

    def openings(self, health: "Ask") -> Iterator[tuple[str, Opening]]:
        """Yield what is to be opened, by name; each may raise what it likes."""
        yield "prices", self._open_prices
        if self.wanted.warn_usd is not None or self.wanted.warn_tokens is not None:
            yield "budget", self._open_budget
        if self.wanted.traced:
            yield "measures", partial(self._open_measures, health)
        if self.wanted.metrics_port:
            yield "metrics", self._open_metrics
        if self.wanted.otel != "off":
            yield "otlp", partial(self._open_otlp, health)

    def amend(self, exchange: Exchange, redacted: Redacted | None) -> Exchange:
        """Return an exchange as it is to be stored, and told on with what may be told of its contents."""
        priced = exchange if self._pricing is None else self._pricing(exchange)
        priced = priced if self._budget is None else self._budget(priced)
        if self.wanted.otel == "content" and priced.trace is not None:
            return replace(priced, trace=replace(priced.trace, capture=redacted))
        return priced

    def lost(self) -> dict[str, tuple[int, str]]:
        """Return what could not be told on since it was last asked: how many, by name, and why."""
        found: dict[str, tuple[int, str]] = {}
        for losing in self._losing:
            found |= losing()
        return found

    def close(self) -> None:
        """Close what was opened."""
        while self._closing:
            self._closing.pop()()

    def _open_prices(self) -> None:
        from mitmeter.prices.listed import installed
        from mitmeter.prices.pricing import Pricing

        if self.wanted.listed and self.wanted.prices is None and not installed():
            _say_once(PRICES)
        self._pricing = Pricing(self.wanted.prices, listed=self.wanted.listed)

    def _open_budget(self) -> None:
        say = partial(log.warning, "mitmeter: %s; nothing is blocked")
        self._budget = Budget(self.wanted.warn_usd, self.wanted.warn_tokens, partial(spent, self._folder), say)

    def _open_measures(self, health: "Ask") -> None:
        from mitmeter.telemetry.measures import Measures
        from mitmeter.telemetry.prometheus import Exposition

        self._measures = Measures(old_names=self.wanted.old_names)
        self.exporters["measures"] = self._measures
        self.exposition = Exposition(self._measures, health)

    def _open_metrics(self) -> None:
        from mitmeter.telemetry.prometheus import Listener

        assert self.exposition is not None
        listener = Listener(self.exposition, self.wanted.metrics_port, PATIENCE_SECONDS)
        self._losing.append(listener.lost)
        self._closing.append(listener.close)
        log.info("mitmeter: numbers for Prometheus at http://127.0.0.1:%d/metrics", self.wanted.metrics_port)

    def _open_otlp(self, health: "Ask") -> None:
        from mitmeter.telemetry.otlp import Otlp, disabled

        if self._measures is None or disabled():
            return
        otlp = Otlp(self._measures, health, contents=self.wanted.otel == "content", old_names=self.wanted.old_names)
        self.exporters["otlp"] = otlp
        self._losing.append(otlp.lost)
        self._closing.append(otlp.close)
