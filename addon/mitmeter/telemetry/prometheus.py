"""Numbers for Prometheus: the text or OpenMetrics exposition of what was measured, and a server for it on loopback.

https://prometheus.io/docs/instrumenting/exposition_formats/
"""

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from mitmeter.telemetry.health import Ask, of_health
from mitmeter.telemetry.measures import Distribution, Labels, Measures, Series
from mitmeter.telemetry.names import Instrument

LOOPBACK = "127.0.0.1"
HOSTS = frozenset(("127.0.0.1", "localhost", "[::1]"))
AGAIN_SECONDS = 0.5

type Rendered = tuple[str, bytes]
type Start = Callable[[str, list[tuple[str, str]]], Any]


class Exposition(Collector):
    """What is exposed; a registry of its own, so that nothing of this process comes along."""

    def __init__(self, measures: Measures, health: Ask) -> None:
        self._measures = measures
        self._health = health
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)

    def collect(self) -> Iterable[Metric]:
        """Yield every metric, those without values too."""
        for series in (*self._measures.collect(), *of_health(self._health())):
            yield _family(series)

    def render(self, accept: str | None) -> Rendered:
        """Return the content type and the body for what an Accept header asks for."""
        encode, content_type = choose_encoder(accept or "")
        return content_type, encode(self._registry)


def label(attribute: str) -> str:
    """Return an attribute's name as a label."""
    return attribute.replace(".", "_")


def _family(series: Series) -> Metric:
    instrument = series.instrument
    labels = tuple(map(label, instrument.attributes))
    if instrument.kind == "histogram":
        spread = HistogramMetricFamily(instrument.translated, instrument.help, labels=labels)
        for at, found in series.values:
            if isinstance(found, Distribution):
                spread.add_metric(_values(instrument, at), list(_buckets(instrument, found)), found.sum)
        return spread
    kind = CounterMetricFamily if instrument.kind == "counter" else GaugeMetricFamily
    family = kind(instrument.translated, instrument.help, labels=labels)
    for at, number in series.values:
        if not isinstance(number, Distribution):
            family.add_metric(_values(instrument, at), number)
    return family


def _values(instrument: Instrument, labels: Labels) -> list[str]:
    known = dict(labels.pairs)
    return [str(known.get(attribute, "")) for attribute in instrument.attributes]


def _buckets(instrument: Instrument, found: Distribution) -> Iterator[tuple[str, float]]:
    below = 0
    for bound, count in zip((*map(float, instrument.bounds), None), found.counts, strict=True):
        below += count
        yield ("+Inf" if bound is None else str(bound)), below


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True
    address_family = 2


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: the log is the proxy's."""


def application(exposition: Exposition) -> Callable[[dict[str, Any], Start], list[bytes]]:
    """Return a WSGI application with `/metrics`; a page of another origin that was given our address gets nothing."""

    def answer(environ: dict[str, Any], start: Start) -> list[bytes]:
        host = str(environ.get("HTTP_HOST", "")).rsplit(":", 1)[0] or LOOPBACK
        if host not in HOSTS:
            return _refuse(start, "403 Forbidden", b"the name of this server is 127.0.0.1 or localhost\n")
        if environ.get("PATH_INFO") != "/metrics":
            return _refuse(start, "404 Not Found", b"there is /metrics\n")
        if environ.get("REQUEST_METHOD") not in ("GET", "HEAD"):
            return _refuse(start, "405 Method Not Allowed", b"/metrics can be read\n")
        content_type, body = exposition.render(environ.get("HTTP_ACCEPT"))
        start("200 OK", [("Content-Type", content_type), ("Content-Length", str(len(body)))])
        return [body]

    return answer


def _refuse(start: Start, status: str, why: bytes) -> list[bytes]:
    start(status, [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(why)))])
    return [why]


class Listener:
    """Serves `/metrics` on a port of loopback, on a thread of its own.

    Where the port is taken, it is tried again for `patience_s`: our predecessor has it for a moment.
    """

    def __init__(self, exposition: Exposition, port: int, patience_s: float) -> None:
        self._port = port
        self._application = application(exposition)
        self._deadline = time.monotonic() + patience_s
        self._server: WSGIServer | None = None
        self._over = threading.Event()
        self._failed: OSError | None = None
        self._thread = threading.Thread(target=self._run, name="mitmeter-metrics", daemon=True)
        self._thread.start()

    def lost(self) -> dict[str, tuple[int, str]]:
        """Return that it does not serve, and why, once."""
        error, self._failed = self._failed, None
        return {} if error is None else {"metrics_failures": (1, f"port {self._port}: {error.strerror or error}")}

    def close(self) -> None:
        """Stop serving."""
        self._over.set()
        if self._server is not None:
            self._server.shutdown()
        self._thread.join(AGAIN_SECONDS)

    def _run(self) -> None:
        while not self._over.is_set():
            try:
                server = self._server = make_server(LOOPBACK, self._port, self._application, _Server, _Quiet)
            except OSError as error:
                if time.monotonic() > self._deadline:
                    self._failed = error
                    return
                self._over.wait(AGAIN_SECONDS)
                continue
            with server:
                server.serve_forever()
            return
