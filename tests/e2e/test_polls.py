"""A background response through real proxies that share a folder: its tokens are in one row, whoever asks how often."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

from harness import Mitm
from harness.rows import wait_rows

USAGE = {"input_tokens": 10, "output_tokens": 5, "total_tokens": 15}
POLLS = 3


class Background(BaseHTTPRequestHandler):
    """Queues what is asked for, and has made it by the third time that it is asked for."""

    polls: ClassVar[dict[str, int]] = {}

    def _answer(self, document: dict[str, Any]) -> None:
        body = json.dumps({"object": "response", "model": "gpt-5", **document}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self._answer({"id": "resp_1", "status": "queued", "usage": None})

    def do_GET(self) -> None:
        ident = self.path.rpartition("/")[2]
        self.polls[ident] = self.polls.get(ident, 0) + 1
        done = self.polls[ident] >= POLLS
        self._answer({"id": ident, "status": "completed" if done else "in_progress", "usage": USAGE if done else None})

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def background() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Background)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def ask(proxy: Mitm, method: str, path: str) -> None:
    connection = HTTPConnection("127.0.0.1", proxy.port, timeout=10)
    body = b'{"model":"gpt-5","background":true,"input":"hi"}' if method == "POST" else None
    connection.request(method, path, body, {"Content-Type": "application/json"})
    connection.getresponse().read()
    connection.close()


def test_a_background_response_counts_once(tmp_path: Path) -> None:
    folder = tmp_path / "meter"
    with background() as url:
        with Mitm(url, tmp_path / "one", meter_dir=folder) as one, Mitm(url, tmp_path / "two", meter_dir=folder) as two:
            ask(one, "POST", "/v1/responses")
            for proxy in (one, two, one, two, one):
                ask(proxy, "GET", "/v1/responses/resp_1")
        with Mitm(url, tmp_path / "three", meter_dir=folder) as three:
            ask(three, "GET", "/v1/responses/resp_1")
            rows = wait_rows(folder, 7)
    assert len(rows) == 7
    counted = [row["usage"] for row in rows if row["usage"]["source"] is not None]
    assert [(usage["input_tokens"], usage["output_tokens"]) for usage in counted] == [(10, 5)]
    assert {row["response_id"] for row in rows} == {"resp_1"}
    assert sorted(row["finish"] or "" for row in rows) == ["", "", "", *["completed"] * 4]
    assert {row["operation"] for row in rows} == {"chat", "retrieve"}
