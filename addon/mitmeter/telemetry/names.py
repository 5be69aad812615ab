"""The one table of what is told: names, units, buckets, attributes.

What the GenAI conventions name is told under their names; what they lack is `mitmeter.…`. The older names are those of
version 1.41 of the conventions.
https://github.com/open-telemetry/semantic-conventions-genai/tree/main/docs/gen-ai
https://github.com/open-telemetry/semantic-conventions/blob/v1.41.1/docs/gen-ai/gen-ai-metrics.md
https://opentelemetry.io/docs/specs/otel/compatibility/prometheus_and_openmetrics/ (how names translate)
"""

from typing import Literal

from msgspec import Struct

OPERATION = "gen_ai.operation.name"
PROVIDER = "gen_ai.provider.name"
REQUEST_MODEL = "gen_ai.request.model"
RESPONSE_MODEL = "gen_ai.response.model"
ADDRESS = "server.address"
PORT = "server.port"
ERROR = "error.type"
MODALITY = "gen_ai.token.modality"
TOKEN_TYPE = "gen_ai.token.type"
OUTCOME = "mitmeter.outcome"
COST_SOURCE = "mitmeter.cost_source"

OTHER = "_other"
UNKNOWN = "unknown"

COMMON = (OPERATION, PROVIDER, REQUEST_MODEL, RESPONSE_MODEL, ADDRESS, PORT)

SECONDS = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
TOKENS = tuple(4**power for power in range(14))
FIRST_TOKEN = (0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
EACH_TOKEN = (0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5)

_SUFFIXES = {"s": "_seconds", "By": "_bytes", "USD": "_usd"}

type Kind = Literal["counter", "histogram", "gauge"]


class Instrument(Struct, frozen=True, kw_only=True, eq=False):
    """One metric; `extra` are its attributes beside the common ones, `bounds` the upper ends of its buckets."""

    name: str
    kind: Kind
    unit: str
    help: str
    common: bool = True
    extra: tuple[str, ...] = ()
    bounds: tuple[float, ...] = ()

    @property
    def attributes(self) -> tuple[str, ...]:
        """Its attributes, in order."""
        return (*(COMMON if self.common else ()), *self.extra)

    @property
    def translated(self) -> str:
        """Its name at Prometheus, without the `_total` of a counter."""
        return self.name.replace(".", "_") + _SUFFIXES.get(self.unit, "")


def _seconds(name: str, told: str, bounds: tuple[float, ...] = SECONDS, extra: tuple[str, ...] = ()) -> Instrument:
    return Instrument(name=name, kind="histogram", unit="s", help=told, bounds=bounds, extra=extra)


def _counted(name: str, told: str) -> Instrument:
    full = f"gen_ai.client.inference.usage.{name}"
    return Instrument(name=full, kind="counter", unit="{token}", help=told, extra=(MODALITY,))


def _tokens(name: str, told: str, extra: str) -> Instrument:
    return Instrument(name=name, kind="histogram", unit="{token}", help=told, bounds=TOKENS, extra=(extra,))


def _own(kind: Kind, name: str, unit: str, told: str, extra: tuple[str, ...] = (), common: bool = True) -> Instrument:
    return Instrument(name=f"mitmeter.{name}", kind=kind, unit=unit, help=told, extra=extra, common=common)


DURATION = _seconds("gen_ai.client.operation.duration", "How long an exchange took.", extra=(ERROR,))
FIRST_CHUNK = _seconds(
    "gen_ai.client.operation.time_to_first_chunk", "From the request to the first byte of a streamed body."
)
EACH_CHUNK = _seconds(
    "gen_ai.client.operation.time_per_output_chunk", "Between the chunks of a stream that hold generated tokens."
)
INPUT = _counted("input_tokens", "Input tokens, cache reads and writes included.")
OUTPUT = _counted("output_tokens", "Output tokens, reasoning included.")
CACHE_READ = _counted("cache_read.input_tokens", "Input tokens that came out of a cache.")
CACHE_WRITE = _counted("cache_write.input_tokens", "Input tokens that were written into a cache.")
REASONING = _counted("reasoning.output_tokens", "Output tokens that were spent on reasoning.")
INPUT_EACH = _tokens("gen_ai.client.inference.operation.input_tokens", "Input tokens of an exchange.", ERROR)
OUTPUT_EACH = _tokens("gen_ai.client.inference.operation.output_tokens", "Output tokens of an exchange.", ERROR)
OLD_TOKENS = _tokens("gen_ai.client.token.usage", "Tokens of an exchange, by the older name.", TOKEN_TYPE)
SERVER_DURATION = _seconds("gen_ai.server.request.duration", "How long the server says that it took.", extra=(ERROR,))
SERVER_FIRST = _seconds(
    "gen_ai.server.time_to_first_token", "How long the engine says that the prompt took.", FIRST_TOKEN
)
SERVER_EACH = _seconds(
    "gen_ai.server.time_per_output_token", "How long the engine says that each token took.", EACH_TOKEN
)

EXCHANGES = _own("counter", "exchanges", "{exchange}", "Exchanges, by how they ended.", (OUTCOME, ERROR))
FIRST_TOKEN_AFTER = Instrument(
    name="mitmeter.time_to_first_token",
    kind="histogram",
    unit="s",
    help="From the request to the first generated token of a stream.",
    bounds=SECONDS,
)
SENT = _own("counter", "request.body", "By", "Bytes of request bodies.")
RECEIVED = _own("counter", "response.body", "By", "Bytes of response bodies, as received.")
COST = _own("counter", "cost", "USD", "US dollars, where the provider says so or a price is known.", (COST_SOURCE,))
UNPRICED = _own("counter", "unpriced_exchanges", "{exchange}", "Exchanges with tokens for which no price is known.")

IN_FLIGHT = _own("gauge", "in_flight_exchanges", "{exchange}", "Exchanges under way.", common=False)
WAITING = _own("gauge", "waiting", "s", "How long the longest waits for its first token.", common=False)
QUEUE = _own("gauge", "queued_exchanges", "{exchange}", "Exchanges that ended and are not written yet.", common=False)
BACKLOG = _own("gauge", "backlog", "By", "Bytes that arrived and were not read by the meter yet.", common=False)
LAG = _own("gauge", "lag", "s", "From the end of an exchange to its row, at the last write.", common=False)
ARCHIVE = _own("gauge", "archive", "By", "Bytes of captures on the disk.", common=False)
SHIP_BACKLOG = _own("gauge", "ship_backlog", "{row}", "Rows that wait to be sent to the fleet.", common=False)
SHIP_LAG = _own("gauge", "ship_lag", "s", "How old the oldest row is that waits to be sent.", common=False)
COUNTED = _own("counter", "events", "{event}", "What was dropped or failed, by name.", ("name",), common=False)

CONVENTIONS = (
    *(DURATION, FIRST_CHUNK, EACH_CHUNK, INPUT, OUTPUT, CACHE_READ, CACHE_WRITE, REASONING, INPUT_EACH, OUTPUT_EACH),
    *(SERVER_DURATION, SERVER_FIRST, SERVER_EACH),
)
OWN = (EXCHANGES, FIRST_TOKEN_AFTER, SENT, RECEIVED, COST, UNPRICED)
HEALTH = (IN_FLIGHT, WAITING, QUEUE, BACKLOG, LAG, ARCHIVE, COUNTED)
