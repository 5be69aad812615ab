"""Metrics and spans by OTLP/HTTP (extra `otel`), from a thread of their own.

The standard `OTEL_*` variables say where to and how often. What a receiver does not take in time is dropped and
counted, and only this thread waits. It never goes through a proxy of the environment: that may be the one it observes.
https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
https://opentelemetry.io/docs/specs/otel/protocol/exporter/
"""

import logging
import os
import threading
import time
from collections import deque

import requests
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics.export import MetricExportResult
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.trace import SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from mitmeter import __version__
from mitmeter.exchange import Exchange, Outcome
from mitmeter.telemetry.attributes import CONTENT, attributes, content, span_name
from mitmeter.telemetry.datapoints import metrics_data
from mitmeter.telemetry.health import Ask
from mitmeter.telemetry.measures import Measures

CLOSING_SECONDS = 3.0
WAITING_CHARACTERS = 16 << 20
DELTA = "delta"
WHY = "the OTLP receiver does not take them"

type Lost = dict[str, tuple[int, str]]


def disabled() -> bool:
    """Say whether the environment forbids it all."""
    return os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"


def direct() -> requests.Session:
    """Return a session that goes straight to where it is sent."""
    session = requests.Session()
    session.trust_env = False
    return session


def resource() -> Resource:
    """Return who speaks, by the environment, else `mitmeter`."""
    found = Resource.create({"service.version": __version__})
    if str(found.attributes.get(SERVICE_NAME, "")).startswith("unknown_service"):
        return found.merge(Resource({SERVICE_NAME: "mitmeter"}))
    return found


class _Waiting(SpanProcessor):
    """Spans that wait to be sent; beyond a bound, of their number or of what they tell, the newest is dropped."""

    def __init__(self, bound: int, enough: int, wake: threading.Event) -> None:
        self.spans: deque[ReadableSpan] = deque()
        self.dropped = 0
        self._told = 0
        self._bound, self._enough, self._wake = bound, enough, wake

    def on_end(self, span: ReadableSpan) -> None:
        self._told = self._told + _told(span) if self.spans else _told(span)
        if len(self.spans) >= self._bound or self._told > WAITING_CHARACTERS:
            self._told -= _told(span)
            self.dropped += 1
            return
        self.spans.append(span)
        if len(self.spans) >= self._enough:
            self._wake.set()

    def take(self, most: int) -> list[ReadableSpan]:
        """Return the oldest, none once there are none."""
        taken = [self.spans.popleft() for _ in range(min(most, len(self.spans)))]
        self._told -= sum(map(_told, taken))
        return taken


class Otlp:
    """An exporter: a span for each exchange, and now and then what was measured."""

    def __init__(self, measures: Measures, health: Ask, *, contents: bool = False, old_names: bool = False) -> None:
        # What its own parts have to say over a receiver that is away is counted here, and told once.
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
        self._health = health
        # What is counted from one report to the next is counted apart.
        self._own = Measures(old_names=old_names) if _prefers(DELTA) else None
        self._measures = self._own or measures
        self._contents, self._old_names = contents, old_names
        self._batch = _number("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", 512)
        self._delay_s = _number("OTEL_BSP_SCHEDULE_DELAY", 5000) / 1000
        self._period_s = _number("OTEL_METRIC_EXPORT_INTERVAL", 60_000) / 1000
        self._resource = resource()
        self._wake, self._stopping = threading.Event(), threading.Event()
        self._waiting = _Waiting(_number("OTEL_BSP_MAX_QUEUE_SIZE", 2048), self._batch, self._wake)
        self._spans = OTLPSpanExporter(session=direct()) if _sends("OTEL_TRACES_EXPORTER") else None
        self._metrics = OTLPMetricExporter(session=direct()) if _sends("OTEL_METRICS_EXPORTER") else None
        provider = TracerProvider(resource=self._resource, shutdown_on_exit=False)
        provider.add_span_processor(self._waiting)
        self._tracer = provider.get_tracer("mitmeter", __version__)
        self._parents = TraceContextTextMapPropagator()
        self._began_ns = time.time_ns()
        self._unsent = 0
        self._told: Lost = {}
        self._thread = threading.Thread(target=self._run, name="mitmeter-otlp", daemon=True)
        self._thread.start()

    def __call__(self, exchange: Exchange) -> None:
        """Make the span of an exchange, and have it sent."""
        if self._own is not None:
            self._own(exchange)
        if self._spans is None:
            return
        parent = exchange.trace.parent if exchange.trace is not None else None
        told = attributes(exchange, old_names=self._old_names)
        if self._contents:
            told |= content(exchange)
        began = int(exchange.started * 1e9)
        span = self._tracer.start_span(
            span_name(exchange),
            context=self._parents.extract({"traceparent": parent}) if parent else None,
            kind=SpanKind.CLIENT,
            attributes=told,
            start_time=began,
        )
        if exchange.outcome is not Outcome.COMPLETE:
            span.set_status(Status(StatusCode.ERROR, exchange.error))
        span.end(began + int((exchange.timing.duration_ms or 0) * 1e6))

    def lost(self) -> Lost:
        """Return how many spans and reports of metrics were dropped since it was last asked."""
        now = {"otlp_spans_dropped": self._waiting.dropped, "otlp_metrics_unsent": self._unsent}
        found = {name: number - self._told.get(name, (0, ""))[0] for name, number in now.items()}
        self._told = {name: (number, WHY) for name, number in now.items()}
        return {name: (number, WHY) for name, number in found.items() if number}

    def close(self) -> None:
        """Send what is there, within a few seconds."""
        self._stopping.set()
        self._wake.set()
        self._thread.join(CLOSING_SECONDS)
        for exporter in (self._spans, self._metrics):
            if exporter is not None:
                exporter.shutdown()
        self._waiting.dropped += len(self._waiting.spans)

    def _run(self) -> None:
        due = time.monotonic() + self._period_s
        while not self._stopping.is_set():
            self._wake.wait(max(0.05, min(self._delay_s, due - time.monotonic())))
            self._wake.clear()
            self._send_spans()
            if time.monotonic() >= due or self._stopping.is_set():
                due = time.monotonic() + self._period_s
                self._send_metrics()

    def _send_spans(self) -> None:
        while self._spans is not None and (batch := self._waiting.take(self._batch)):
            if self._spans.export(batch) is not SpanExportResult.SUCCESS:
                self._waiting.dropped += len(batch)

    def _send_metrics(self) -> None:
        if self._metrics is None:
            return
        now_ns = time.time_ns()
        measured = self._measures.collect(anew=self._own is not None)
        data = metrics_data(
            measured, self._health(), self._resource, self._began_ns, now_ns, delta=self._own is not None
        )
        if self._own is not None:
            self._began_ns = now_ns
        if self._metrics.export(data) is not MetricExportResult.SUCCESS:
            self._unsent += 1


def _told(span: ReadableSpan) -> int:
    attributes = span.attributes or {}
    return sum(len(str(attributes[name])) for name in CONTENT if name in attributes)


def _sends(variable: str) -> bool:
    return os.environ.get(variable, "").strip().lower() != "none"


def _prefers(temporality: str) -> bool:
    found = os.environ.get("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "")
    return found.strip().lower() == temporality


def _number(variable: str, default: int) -> int:
    try:
        found = int(os.environ.get(variable, ""))
    except ValueError:
        return default
    return found if found > 0 else default
