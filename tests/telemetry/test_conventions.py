"""The conventions' normative list, and what is really sent: nothing is missing, nothing is otherwise.

https://github.com/open-telemetry/semantic-conventions-genai/tree/main/docs/gen-ai
"""

from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry.proto.metrics.v1.metrics_pb2 import AggregationTemporality, Metric
from receiving import Receiver, plain, receiver, until
from telling import COMMON, PARENT, failed, told

from mitmeter.exchange import Exchange, Outcome, Timing, Trace, Usage
from mitmeter.telemetry import names
from mitmeter.telemetry.attributes import attributes, span_name
from mitmeter.telemetry.health import Health
from mitmeter.telemetry.measures import Measures
from mitmeter.telemetry.otlp import Otlp

T = [1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864]
D = [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92]
FIRST = [0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10]
EACH = [0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5]

# Metric: instrument, unit, buckets, attributes beside the common ones (`?`: where it ended in an error).
NORMATIVE: dict[str, tuple[str, str, list[float], tuple[str, ...]]] = {
    "gen_ai.client.operation.duration": ("histogram", "s", D, ("error.type?",)),
    "gen_ai.client.operation.time_to_first_chunk": ("histogram", "s", D, ()),
    "gen_ai.client.operation.time_per_output_chunk": ("histogram", "s", D, ()),
    "gen_ai.client.inference.usage.input_tokens": ("sum", "{token}", [], ("gen_ai.token.modality",)),
    "gen_ai.client.inference.usage.output_tokens": ("sum", "{token}", [], ("gen_ai.token.modality",)),
    "gen_ai.client.inference.usage.cache_read.input_tokens": ("sum", "{token}", [], ("gen_ai.token.modality",)),
    "gen_ai.client.inference.usage.cache_write.input_tokens": ("sum", "{token}", [], ("gen_ai.token.modality",)),
    "gen_ai.client.inference.usage.reasoning.output_tokens": ("sum", "{token}", [], ("gen_ai.token.modality",)),
    "gen_ai.client.inference.operation.input_tokens": ("histogram", "{token}", T, ("error.type?",)),
    "gen_ai.client.inference.operation.output_tokens": ("histogram", "{token}", T, ("error.type?",)),
    "gen_ai.client.token.usage": ("histogram", "{token}", T, ("gen_ai.token.type",)),
    "gen_ai.server.request.duration": ("histogram", "s", D, ("error.type?",)),
    "gen_ai.server.time_to_first_token": ("histogram", "s", FIRST, ()),
    "gen_ai.server.time_per_output_token": ("histogram", "s", EACH, ()),
}
REQUIRED = {"gen_ai.operation.name", "gen_ai.provider.name"}

ALL = (
    told(server_ms=1400.0, timing=Timing(duration_ms=1500.0, first_byte_ms=100.0, first_token_ms=250.0)),
    told(timing=Timing(duration_ms=2.0, prompt_per_second=80.0, tokens_per_second=50.0, rate_source="server")),
    failed(),
    told(outcome=Outcome.CLIENT_ABORTED, usage=Usage(input_tokens=7, source="body"), server_ms=3.0),
)


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    with receiver() as receiving:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiving.url)
        measures = Measures(old_names=True)
        otlp = Otlp(measures, lambda: Health(counters={"rows_dropped": 2}))
        for exchange in ALL:
            measures(exchange)
            otlp(exchange)
        otlp.close()
        yield receiving


def points(metric: Metric) -> Any:
    return getattr(metric, metric.WhichOneof("data")).data_points


@pytest.mark.parametrize("name", NORMATIVE)
def test_the_normative_list(sent: Receiver, name: str) -> None:
    kind, unit, bounds, more = NORMATIVE[name]
    metric = sent.metrics[name]
    assert (metric.WhichOneof("data"), metric.unit) == (kind, unit)
    data = getattr(metric, kind)
    assert data.aggregation_temporality == AggregationTemporality.AGGREGATION_TEMPORALITY_CUMULATIVE
    if kind == "sum":
        assert data.is_monotonic
    always = {one for one in more if not one.endswith("?")}
    sometimes = {one.removesuffix("?") for one in more if one.endswith("?")}
    for point in points(metric):
        has = set(plain(point.attributes))
        assert REQUIRED | always <= has <= set(COMMON) | always | sometimes
        if kind == "histogram":
            assert list(point.explicit_bounds) == bounds
            assert sum(point.bucket_counts) == point.count
            assert point.min * point.count <= point.sum * 1.000001 <= point.max * point.count * 1.00001


def test_no_metric_of_the_conventions_is_sent_that_is_not_in_the_list(sent: Receiver) -> None:
    assert {name for name in sent.metrics if name.startswith("gen_ai.")} == set(NORMATIVE)


def test_counters_are_recorded_for_every_inference(sent: Receiver) -> None:
    found = points(sent.metrics["gen_ai.client.inference.usage.input_tokens"])
    assert [(plain(point.attributes)["gen_ai.token.modality"], point.as_int) for point in found] == [("unknown", 207)]
    durations = points(sent.metrics["gen_ai.client.operation.duration"])
    assert sorted(plain(point.attributes).get("error.type", "") for point in durations) == [
        *("", "client_aborted", "rate_limit_error"),
    ]


def test_the_meters_own_health_comes_along(sent: Receiver) -> None:
    (point,) = points(sent.metrics["mitmeter.events"])
    assert (plain(point.attributes), point.as_int) == ({"name": "rows_dropped"}, 2)
    assert {"mitmeter.in_flight_exchanges", "mitmeter.lag", "mitmeter.archive"} <= set(sent.metrics)


def test_a_span_is_the_callers_child_with_its_own_times(sent: Receiver) -> None:
    span = sent.spans[0]
    assert (span.name, span.kind) == ("chat asked", 3)
    assert (span.trace_id.hex(), span.parent_span_id.hex()) == (PARENT.split("-")[1], PARENT.split("-")[2])
    assert span.end_time_unix_nano - span.start_time_unix_nano == 1_500_000_000
    assert span.start_time_unix_nano == 1_790_000_000_500_000_000
    assert span.status.code == 0


def test_a_span_that_failed_says_so(sent: Receiver) -> None:
    span = sent.spans[2]
    assert (span.status.code, span.status.message) == (2, "slow down")
    assert plain(span.attributes)["error.type"] == "rate_limit_error"


def test_who_speaks(sent: Receiver) -> None:
    assert sent.resources[0]["service.name"] == "mitmeter"


def test_the_environment_names_who_speaks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SERVICE_NAME", "desk")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "team=blue")
    with receiver() as receiving:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiving.url)
        otlp = Otlp(Measures(), Health)
        otlp(told())
        otlp.close()
        assert until(lambda: receiving.resources)
        assert {"service.name": "desk", "team": "blue"}.items() <= receiving.resources[0].items()


ATTRIBUTES = {
    **COMMON,
    "gen_ai.request.stream": True,
    "gen_ai.request.temperature": 0.5,
    "gen_ai.response.id": "r-1",
    "gen_ai.response.finish_reasons": ["stop"],
    "gen_ai.response.time_to_first_chunk": 0.1,
    "gen_ai.usage.input_tokens": 100,
    "gen_ai.usage.output_tokens": 20,
    "gen_ai.usage.cache_read.input_tokens": 60,
    "http.response.status_code": 200,
    "mitmeter.outcome": "complete",
    "mitmeter.flow_id": "f",
    "mitmeter.time_to_first_token": 0.25,
}


def test_a_spans_attributes() -> None:
    asked = told(trace=Trace(port=443, asked={"temperature": 0.5}))
    assert attributes(asked) == ATTRIBUTES


def test_the_older_attribute_is_a_switch() -> None:
    exchange = told(usage=Usage(cache_write_tokens=5))
    assert "gen_ai.usage.cache_creation.input_tokens" not in attributes(exchange)
    assert attributes(exchange, old_names=True)["gen_ai.usage.cache_creation.input_tokens"] == 5


@pytest.mark.parametrize(
    ("exchange", "name"),
    [
        pytest.param(told(), "chat asked", id="the model asked for"),
        pytest.param(told(request_model=None), "chat answered", id="the model that answered"),
        pytest.param(told(request_model=None, model=None), "chat", id="none"),
        pytest.param(told(operation=None), "_other asked", id="no operation"),
    ],
)
def test_a_spans_name(exchange: Exchange, name: str) -> None:
    assert span_name(exchange) == name


@pytest.mark.parametrize("instrument", [*names.CONVENTIONS, *names.OWN, *names.HEALTH], ids=lambda one: one.name)
def test_names_translate(instrument: names.Instrument) -> None:
    assert instrument.translated.replace("_", "").isalnum()
    assert "." not in instrument.translated
