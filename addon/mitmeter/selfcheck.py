"""Plants secrets in real traffic through a real proxy, and looks for them in everything that the meter leaves behind.

All of it stays on the loopback interface and in a temporary folder: a `mitmdump` of this environment with the addon,
its page, its numbers and its telemetry, an upstream that answers, echoes, refuses and takes the telemetry, and requests
that carry a fresh secret in each place where one may stand, one of them still under way when the proxy is asked.
"""

import base64
import gzip
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from typing import ClassVar
from urllib.parse import quote

import zstandard
from msgspec import Struct

from mitmeter.plants import HELD, Answer, Garden, Plant, plan

LISTENING = re.compile(r"listening at \S*?:(\d+)")
TELEMETRY = ("/v1/traces", "/v1/metrics", "/v1/logs")
HELD_SECONDS = 2.0
LOOK_SECONDS = 1.5
API = (
    *("meter", "metrics", "metrics/activity", "metrics/stats", "metrics/series", "metrics/values"),
    *("metrics/activity?text=key&limit=900", "metrics/activity?header=x-api-key:%20*"),
)
RUN = 12


class Report(Struct, frozen=True):
    """What was planted, where each that was found was found, and where all was looked."""

    plants: tuple[Plant, ...]
    found: dict[str, list[str]]
    rows: int
    looked: tuple[str, ...] = ()


class _Upstream(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    answers: ClassVar[dict[str, Answer]] = {}
    telemetry: ClassVar[list[bytes]] = []

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        if self.path in TELEMETRY:
            self.telemetry.append(gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body)
        status, headers, chunks = self.answers.get(self.headers.get("user-agent", ""), (200, [], []))
        self.send_response(status)
        for name, value in (*headers, ("Transfer-Encoding", "chunked")):
            self.send_header(name, value)
        self.end_headers()
        for chunk in chunks:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
            self.wfile.flush()
            time.sleep(HELD_SECONDS if self.headers.get("user-agent") == HELD else 0.002)
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def _upstream() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Upstream)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def _proxy(upstream: int, folder: Path, scripts: Sequence[Path], page: int, numbers: int) -> Iterator[int]:
    log = folder / "log"
    command = [str(Path(sys.executable).parent / "mitmdump"), "--mode", f"reverse:http://127.0.0.1:{upstream}"]
    command += ["--listen-host", "127.0.0.1", "--listen-port", "0", "--set", f"confdir={folder / 'conf'}"]
    command += ["--set", f"meter_dir={folder / 'meter'}", "--set", "keep_host_header=true", "--set", "flow_detail=0"]
    command += ["--set", f"meter_port={page}", "--set", f"meter_metrics_port={numbers}"]
    env = {**os.environ, "PYTHONUNBUFFERED": "1", "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{upstream}"}
    if _has_telemetry():
        command += ["--set", "meter_otel=content"]
    for script in scripts:
        command += ["-s", str(script)]
    with log.open("wb") as file:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=file, stderr=file, env=env)
    try:
        yield _port(process, log)
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()


def _has_telemetry() -> bool:
    try:
        return find_spec("opentelemetry.exporter.otlp.proto.http") is not None
    except ModuleNotFoundError:
        return False


def _free() -> int:
    """Return a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def _port(process: subprocess.Popen[bytes], log: Path) -> int:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        found = LISTENING.search(log.read_text(errors="replace"))
        if found:
            return int(found[1])
        time.sleep(0.02)
    raise OSError(f"mitmdump did not start: {log.read_text(errors='replace')[-500:]}")


def _ask(port: int, agent: str, path: str, headers: list[tuple[str, str]], body: bytes) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.putrequest("POST", path, skip_host=any(name == "Host" for name, _ in headers))
        given = [("User-Agent", agent), ("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
        for name, value in (*given, *headers):
            connection.putheader(name, value)
        connection.endheaders(body)
        connection.getresponse().read()
    finally:
        connection.close()


def _told(folder: Path, *arguments: str) -> bytes:
    paths = os.pathsep.join(filter(None, (str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", ""))))
    command = [
        sys.executable,
        "-c",
        "from mitmeter.cli import main; main()",
        "--dir",
        str(folder / "meter"),
        *arguments,
    ]
    done = subprocess.run(
        command, env={**os.environ, "PYTHONPATH": paths}, capture_output=True, check=False, timeout=60
    )
    return done.stdout + done.stderr


def _get(port: int, path: str, token: str = "", seconds: float = 10.0) -> bytes:
    """Return what is answered, or of what does not end the beginning."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=seconds)
    told = b""
    try:
        connection.request("GET", path, headers={"Authorization": f"Bearer {token}"})
        response = connection.getresponse()
        while block := response.read1(65536):
            told += block
    except (OSError, http.client.HTTPException):
        pass
    finally:
        connection.close()
    return told


def _asked(folder: Path, page: int, numbers: int) -> Iterator[tuple[str, bytes]]:
    """Yield what a running proxy tells by its page's API and its numbers."""
    token = (folder / "meter" / "token").read_bytes().hex()
    for name in API:
        yield f"api {name}", _get(page, f"/api/{name}", token)
    entries = json.loads(_get(page, "/api/metrics?limit=500", token))
    for entry in entries:
        for view in ("", "?view=full", "?view=frame"):
            yield f"api captures {entry['id']}{view}", _get(page, f"/api/captures/{entry['id']}{view}", token)
    yield "/metrics", _get(numbers, "/metrics")


def _under_way(folder: Path, page: int) -> Iterator[tuple[str, bytes]]:
    """Yield what is told of what is still under way."""
    meter = folder / "meter"
    for path in meter.glob("open/*"):
        yield f"open/{path.name}", path.read_bytes()
    yield "api events", _get(page, "/api/events", (meter / "token").read_bytes().hex(), 0.6)


def _spoken(text: bytes) -> bytes:
    """Return what a stream says, its pieces put together."""
    return b"".join(re.findall(rb'"content": ?"((?:[^"\\]|\\.)*)"', text))


def _traces(folder: Path) -> dict[str, bytes]:
    """Return everything that a run left behind or tells, decoded too."""
    traces = {
        "log": (folder / "log").read_bytes(),
        "ls": _told(folder, "ls"),
        "ls --json": _told(folder, "ls", "--json"),
    }
    for path in sorted((folder / "meter").rglob("*")):
        if path.is_file() and path.name != "secret":
            traces[path.name] = path.read_bytes()
            if path.suffix == ".zst":
                reader = zstandard.ZstdDecompressor().stream_reader(traces[path.name], read_across_frames=True)
                decoded = reader.read()
                traces[f"{path.name}, decoded"] = decoded
                traces[f"{path.name}, pieces joined"] = _spoken(decoded)
    idents = [json.loads(line)["id"] for line in traces["ls --json"].splitlines()]
    for ident in idents[:: max(1, len(idents) // 12)]:
        traces[f"show {ident}"] = _told(folder, "show", str(ident))
        traces[f"show {ident} --json"] = _told(folder, "show", str(ident), "--json")
    return traces


def _signs(plant: Plant) -> set[bytes]:
    """Return what betrays a plant: any run of its secret part, and what base64 has of it."""
    runs = {plant.sign[at : at + RUN].encode() for at in range(len(plant.sign) - RUN + 1)}
    coded = (base64.b64encode(b"\0" * before + plant.sign.encode())[4:-4] for before in range(3))
    return {*runs, *coded, quote(plant.text, safe="").encode()}


def check(script: Path, others: Sequence[Path] = ()) -> Report:
    """Run the check with the addon's script, and `others` beside it; raises OSError where the proxy cannot be run."""
    garden = Garden()
    requests, _Upstream.answers = plan(garden)
    with tempfile.TemporaryDirectory(prefix="mitmeter-selfcheck-") as name:
        folder = Path(name)
        page, numbers = _free(), _free()
        traces: dict[str, bytes] = {}
        with _upstream() as upstream:
            with _proxy(upstream, folder, [script, *others], page, numbers) as port:
                held = threading.Thread(target=_ask, args=(port, HELD, *requests.pop(HELD)))
                for agent, (path, headers, body) in requests.items():
                    _ask(port, agent, path, headers, body)
                held.start()
                time.sleep(LOOK_SECONDS)
                traces |= _under_way(folder, page)
                held.join()
                time.sleep(1)
                traces |= _asked(folder, page, numbers)
            traces |= {f"telemetry {at}": sent for at, sent in enumerate(_Upstream.telemetry)}
        traces |= _traces(folder)
    found = {
        plant.place: [place for place, raw in traces.items() if any(sign in raw for sign in _signs(plant))]
        for plant in garden.plants
    }
    rows = len(traces["ls --json"].splitlines())
    return Report(tuple(garden.plants), {place: where for place, where in found.items() if where}, rows, tuple(traces))


def table(report: Report) -> Iterator[str]:
    """Yield the lines of the report."""
    for plant in report.plants:
        where = report.found.get(plant.place)
        yield f"{plant.place:<36} {'FOUND in ' + ', '.join(where) if where else 'not found'}"
    yield ""
    searched = f"{len(report.looked)} traces of {report.rows} exchanges"
    yield f"{len(report.found)} of {len(report.plants)} planted secrets found in {searched}"
