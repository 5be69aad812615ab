"""What was measured, as OpenTelemetry's SDK hands it to an exporter."""

from collections.abc import Iterable

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


def metrics_data(
    measured: Iterable[Series], health: Health, resource: Resource, since_ns: int, now_ns: int
) -> MetricsData:
    """Return all that has values, counted from `since_ns` on."""
    found = [_metric(series, since_ns, now_ns) for series in (*measured, *of_health(health)) if series.values]
    scope = ScopeMetrics(InstrumentationScope("mitmeter", __version__), found, SCHEMA)
    return MetricsData([ResourceMetrics(resource, [scope], "")])


def _metric(series: Series, since_ns: int, now_ns: int) -> Metric:
    instrument = series.instrument
    data: Sum | Gauge | Histogram
    if instrument.kind == "histogram":
        spread = [(at, found) for at, found in series.values if isinstance(found, Distribution)]
        points = [_spread(instrument.bounds, at, found, since_ns, now_ns) for at, found in spread]
        data = Histogram(points, CUMULATIVE)
    else:
        numbers = [
            NumberDataPoint(dict(at.pairs), since_ns, now_ns, number)
            for at, number in series.values
            if not isinstance(number, Distribution)
        ]
        data = Sum(numbers, CUMULATIVE, True) if instrument.kind == "counter" else Gauge(numbers)
    return Metric(instrument.name, instrument.help, instrument.unit, data)


def _spread(
    bounds: tuple[float, ...], at: Labels, found: Distribution, since_ns: int, now_ns: int
) -> HistogramDataPoint:
    return HistogramDataPoint(
        attributes=dict(at.pairs),
        start_time_unix_nano=since_ns,
        time_unix_nano=now_ns,
        count=sum(found.counts),
        sum=found.sum,
        bucket_counts=found.counts,
        explicit_bounds=bounds,
        min=found.least,
        max=found.most,
    )
