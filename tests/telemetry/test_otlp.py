"""A receiver that is slow, down or forbidden: what is lost is bounded and counted, and nobody waits."""

import time

import pytest
from receiving import Receiver, receiver, until
from telling import told

from harness.ports import free_port
from mitmeter.telemetry import otlp
from mitmeter.telemetry.health import Health
from mitmeter.telemetry.measures import Measures
from mitmeter.telemetry.otlp import Otlp, disabled


def test_a_receiver_that_is_down_costs_nothing_but_the_spans(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    otlp = Otlp(Measures(), Health)
    began = time.perf_counter()
    for _ in range(5000):
        otlp(told())
    assert time.perf_counter() - began < 5.0
    otlp.close()
    assert otlp.lost()["otlp_spans_dropped"][0] >= 5000 - 512
    assert otlp.lost() == {}


def test_a_receiver_that_is_slow_keeps_a_bounded_number_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "100")
    monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "10")
    with receiver(delay_s=0.3) as receiving:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiving.url)
        otlp = Otlp(Measures(), Health)
        for _ in range(1000):
            otlp(told())
        assert len(otlp._waiting.spans) <= 100
        receiving.delay_s = 0.0
        otlp.close()
        lost = otlp.lost()["otlp_spans_dropped"][0]
        assert lost + len(receiving.spans) == 1000
        assert len(receiving.spans) >= 100


def test_the_proxy_of_the_environment_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
    with receiver() as receiving:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiving.url)
        measures = Measures()
        measures(told())
        otlp = Otlp(measures, Health)
        otlp(told())
        otlp.close()
        assert (len(receiving.spans), len(receiving.reports)) == (1, 1)


@pytest.mark.parametrize(
    ("variable", "spans", "reports"),
    [
        pytest.param("OTEL_TRACES_EXPORTER", 0, 1, id="no spans"),
        pytest.param("OTEL_METRICS_EXPORTER", 1, 0, id="no metrics"),
    ],
)
def test_what_the_environment_does_not_want(
    monkeypatch: pytest.MonkeyPatch, variable: str, spans: int, reports: int
) -> None:
    with receiver() as receiving:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiving.url)
        monkeypatch.setenv(variable, "none")
        measures = Measures()
        measures(told())
        otlp = Otlp(measures, Health)
        otlp(told())
        otlp.close()
        assert (len(receiving.spans), len(receiving.reports)) == (spans, reports)


def test_the_environment_may_forbid_it_all(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not disabled()
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    assert disabled()


def test_metrics_go_out_while_it_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_METRIC_EXPORT_INTERVAL", "200")
    with receiver() as receiving:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiving.url)
        measures = Measures()
        otlp = Otlp(measures, Health)
        measures(told())
        try:
            assert until(lambda: len(receiving.reports) >= 3)
        finally:
            otlp.close()


def test_a_parent_that_is_none_begins_a_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    with receiver() as receiving:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiving.url)
        otlp = Otlp(Measures(), Health)
        for parent in (None, "nonsense", "00-" + "0" * 32 + "-" + "0" * 16 + "-01"):
            exchange = told()
            assert exchange.trace is not None
            otlp(told(trace=type(exchange.trace)(parent=parent)))
        otlp.close()
        assert [span.parent_span_id for span in receiving.spans] == [b"", b"", b""]
        assert len({span.trace_id for span in receiving.spans}) == 3


def test_deltas_are_told_where_they_are_preferred(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_METRIC_EXPORT_INTERVAL", "200")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "delta")
    with receiver() as receiving:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiving.url)
        sending = Otlp(Measures(), Health)
        for number in (1, 2):
            sending(told())
            assert until(lambda number=number: len(inputs(receiving)) == number)  # type: ignore[misc]
        sending.close()
        assert [(point.as_int, temporality) for point, temporality in inputs(receiving)] == [(100, 1), (100, 1)]
        (first, _), (second, _) = inputs(receiving)
        assert first.time_unix_nano <= second.start_time_unix_nano


def inputs(receiving: Receiver) -> list:
    found = []
    for report in receiving.reports:
        for metric in report:
            if metric.name == "gen_ai.client.inference.usage.input_tokens":
                found += [(point, metric.sum.aggregation_temporality) for point in metric.sum.data_points]
    return found


def test_contents_that_wait_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(otlp, "WAITING_CHARACTERS", 1000)
    monkeypatch.setattr(otlp, "content", lambda exchange: {"gen_ai.input.messages": "x" * 300})
    with receiver(delay_s=0.2) as receiving:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiving.url)
        sending = Otlp(Measures(), Health, contents=True)
        for _ in range(10):
            sending(told())
        assert len(sending._waiting.spans) == 3
        sending.close()
        assert sending.lost()["otlp_spans_dropped"][0] == 7
        assert len(receiving.spans) == 3
