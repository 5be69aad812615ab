"""A real OTLP/HTTP receiver on loopback: it decodes what it gets with `opentelemetry.proto`."""

import gzip
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric
from opentelemetry.proto.trace.v1.trace_pb2 import Span


class Receiver:
    """What came in so far; `delay_s` is how long each request is kept waiting."""

    def __init__(self, delay_s: float = 0.0) -> None:
        self.spans: list[Span] = []
        self.reports: list[list[Metric]] = []
        self.resources: list[dict[str, Any]] = []
        self.asked: list[str] = []
        self.delay_s = delay_s
        self.url = ""

    def take(self, path: str, body: bytes) -> None:
        """Take a request."""
        if path == "/v1/traces":
            traces = ExportTraceServiceRequest.FromString(body)
            for group in traces.resource_spans:
                self.resources.append(plain(group.resource.attributes))
                self.spans += (span for scope in group.scope_spans for span in scope.spans)
        else:
            metrics = ExportMetricsServiceRequest.FromString(body)
            scopes = [scope for group in metrics.resource_metrics for scope in group.scope_metrics]
            self.reports.append([metric for scope in scopes for metric in scope.metrics])

    @property
    def metrics(self) -> dict[str, Metric]:
        """The newest report, by name."""
        return {metric.name: metric for metric in self.reports[-1]} if self.reports else {}


def plain(attributes: Any) -> dict[str, Any]:
    """Attributes as plain values."""
    return {pair.key: _value(pair.value) for pair in attributes}


def _value(value: Any) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_value(one) for one in value.array_value.values]
    return getattr(value, kind)


@contextmanager
def receiver(delay_s: float = 0.0) -> Iterator[Receiver]:
    """Runs one."""
    receiving = Receiver(delay_s)

    class Taking(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            time.sleep(receiving.delay_s)
            body = self.rfile.read(int(self.headers["content-length"]))
            if self.headers.get("content-encoding") == "gzip":
                body = gzip.decompress(body)
            receiving.asked.append(self.path)
            receiving.take(self.path.partition("?")[0], body)
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Taking) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        receiving.url = f"http://127.0.0.1:{server.server_address[1]}"
        try:
            yield receiving
        finally:
            server.shutdown()


def until(true: Callable[[], object], seconds: float = 15.0) -> bool:
    """Waits for something to come true."""
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True
