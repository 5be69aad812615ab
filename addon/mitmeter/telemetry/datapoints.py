"""What was measured, as OpenTelemetry's SDK hands it to an exporter."""

from collections.abc import Iterable

from msgspec import Struct
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from mitmeter import __version__
from mitmeter.telemetry.health import Health, of_health
from mitmeter.telemetry.measures import Distribution, Labels, Series

CUMULATIVE = AggregationTemporality.CUMULATIVE
SCHEMA = "https://opentelemetry.io/schemas/gen-ai/1.42.0"


class _Period(Struct, frozen=True):
    """What is counted from when to when, and whether the next report goes on from there."""

    since_ns: int
    now_ns: int
    temporality: AggregationTemporality


def metrics_data(
    measured: Iterable[Series], health: Health, resource: Resource, since_ns: int, now_ns: int, *, delta: bool = False
) -> MetricsData:
    """Return all that has values, counted from `since_ns` on; `delta`: `measured` is what has come since then.

    What the meter says of itself is counted from its start in any case.
    """
    period = _Period(since_ns, now_ns, AggregationTemporality.DELTA if delta else CUMULATIVE)
    whole = _Period(since_ns, now_ns, CUMULATIVE)
    found = [_metric(series, period) for series in measured if series.values]
    found += [_metric(series, whole) for series in of_health(health) if series.values]
    scope = ScopeMetrics(InstrumentationScope("mitmeter", __version__), found, SCHEMA)
    return MetricsData([ResourceMetrics(resource, [scope], "")])


def _metric(series: Series, period: _Period) -> Metric:
    instrument = series.instrument
    data: Sum | Gauge | Histogram
    if instrument.kind == "histogram":
        spread = [(at, found) for at, found in series.values if isinstance(found, Distribution)]
        data = Histogram([_spread(instrument.bounds, at, found, period) for at, found in spread], period.temporality)
    else:
        numbers = [
            NumberDataPoint(dict(at.pairs), period.since_ns, period.now_ns, number)
            for at, number in series.values
            if not isinstance(number, Distribution)
        ]
        data = Sum(numbers, period.temporality, True) if instrument.kind == "counter" else Gauge(numbers)
    return Metric(instrument.name, instrument.help, instrument.unit, data)


def _spread(bounds: tuple[float, ...], at: Labels, found: Distribution, period: _Period) -> HistogramDataPoint:
    return HistogramDataPoint(
        attributes=dict(at.pairs),
        start_time_unix_nano=period.since_ns,
        time_unix_nano=period.now_ns,
        count=sum(found.counts),
        sum=found.sum,
        bucket_counts=found.counts,
        explicit_bounds=bounds,
        min=found.least,
        max=found.most,
    )
