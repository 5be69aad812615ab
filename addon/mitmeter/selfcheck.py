"""Plants secrets in real traffic through a real proxy, and looks for them in everything that the meter leaves behind.

All of it stays on the loopback interface and in a temporary folder: a `mitmdump` of this environment with the addon, an
upstream that answers, echoes and refuses, and requests that carry a fresh secret in each place where one may stand.
"""

import base64
import gzip
import http.client
import json
import os
import re
import secrets
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar
from urllib.parse import quote

import zstandard
from msgspec import Struct

HEADERS = (
    *("Authorization", "Proxy-Authorization", "X-Api-Key", "api-key", "x-goog-api-key", "x-amz-security-token"),
    *("X-Auth-Token", "x-litellm-api-key", "cf-access-client-secret", "ocp-apim-subscription-key", "Helicone-Auth"),
    *("X-Access-Token", "X-Forwarded-Authorization", "X-Vault-Token", "private-token", "x-portkey-api-key", "dpop"),
    *("X-Csrf-Token", "X-Some-Custom-Thing", "OpenAI-Organization", "x-functions-key", "Sec-WebSocket-Protocol"),
)
QUERIES = (
    "key",
    "api_key",
    "api-key",
    "access_token",
    "sig",
    "code",
    "token",
    "X-Amz-Signature",
    "password",
    "whatever",
)
SHAPES = {
    "openai": "sk-proj-{word}", "anthropic": "sk-ant-api03-{word}", "openrouter": "sk-or-v1-{hex}{hex}",
    "deepseek": "sk-{hex}", "google": "AIzaSy{alnum33}", "aws": "AKIA{upper16}", "github": "ghp_{alnum36}",
    "github-fine": "github_pat_{word}", "gitlab": "glpat-{word}", "slack": "xoxb-{hex}", "stripe": "sk_live_{hex}",
    "sendgrid": "SG.{alnum22}.{alnum33}{alnum10}", "huggingface": "hf_{alnum34}", "groq": "gsk_{alnum36}{alnum16}",
    "xai": "xai-{hex}{hex}", "perplexity": "pplx-{hex}{hex}", "npm": "npm_{alnum36}",
    "pypi": "pypi-AgEIcHlwaS{word}{hex}", "jwt": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ4{hex}.{hex}",
    "shopify": "shpat_{hex}",
    "private-key": "-----BEGIN PRIVATE KEY-----\nMIIE{hex}{hex}\n{hex}\n-----END PRIVATE KEY-----",
}  # fmt: skip
ECHOES = ("plain", "url-escaped", "base64", "json-escaped", "in an error", "in an event", "across events", "compressed")
LISTENING = re.compile(r"listening at \S*?:(\d+)")
RUN = 12


class Plant(Struct, frozen=True):
    """A secret, where it was put, and the text that would betray it."""

    place: str
    text: str
    sign: str


class Report(Struct, frozen=True):
    """What was planted, and where each that was found was found."""

    plants: tuple[Plant, ...]
    found: dict[str, list[str]]
    rows: int


def _random(kind: str) -> str:
    size = int(re.sub(r"\D", "", kind) or 32)
    if kind == "hex":
        return secrets.token_hex(16)
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567" + ("" if kind.startswith("upper") else "abcdefghijklmnopqrstuvwxyz01")
    return "".join(secrets.choice(letters) for _ in range(size))


class Garden:
    """Makes plants and remembers them."""

    def __init__(self) -> None:
        self.plants: list[Plant] = []

    def put(self, place: str, shape: str = "{alnum24}") -> str:
        """Return a new secret for a place."""
        parts: list[str] = []

        def fill(found: re.Match[str]) -> str:
            parts.append(_random(found[1]))
            return parts[-1]

        text = re.sub(r"\{(\w+)\}", fill, shape)
        self.plants.append(Plant(place, text, max(parts, key=len)))
        return text


class _Upstream(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    answers: ClassVar[dict[str, tuple[int, list[tuple[str, str]], list[bytes]]]] = {}

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("content-length") or 0))
        status, headers, chunks = self.answers[self.headers.get("user-agent", "")]
        self.send_response(status)
        for name, value in (*headers, ("Transfer-Encoding", "chunked")):
            self.send_header(name, value)
        self.end_headers()
        for chunk in chunks:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
            self.wfile.flush()
            time.sleep(0.002)
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
def _proxy(upstream: int, folder: Path, scripts: Sequence[Path]) -> Iterator[int]:
    log = folder / "log"
    command = [str(Path(sys.executable).parent / "mitmdump"), "--mode", f"reverse:http://127.0.0.1:{upstream}"]
    command += ["--listen-host", "127.0.0.1", "--listen-port", "0", "--set", f"confdir={folder / 'conf'}"]
    command += ["--set", f"meter_dir={folder / 'meter'}", "--set", "keep_host_header=true", "--set", "flow_detail=0"]
    for script in scripts:
        command += ["-s", str(script)]
    with log.open("wb") as file:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=file, stderr=file, env={**os.environ, "PYTHONUNBUFFERED": "1"}
        )
    try:
        yield _port(process, log)
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()


def _port(process: subprocess.Popen[bytes], log: Path) -> int:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        found = LISTENING.search(log.read_text(errors="replace"))
        if found:
            return int(found[1])
        time.sleep(0.02)
    raise OSError(f"mitmdump did not start: {log.read_text(errors='replace')[-500:]}")


def _event(text: str) -> bytes:
    return b"data: %s\n\n" % json.dumps({"choices": [{"index": 0, "delta": {"content": text}}]}).encode()


def _said(text: str) -> bytes:
    return json.dumps({"model": "m", "choices": [{"message": {"role": "assistant", "content": text}}]}).encode()


def _echoed(how: str, key: str) -> tuple[int, list[tuple[str, str]], list[bytes]]:
    """Return the answer of an upstream that repeats a key."""
    kind = [("Content-Type", "application/json")]
    if how == "in an error":
        return (
            401,
            kind,
            [json.dumps({"error": {"message": f"Incorrect API key provided: {key}", "type": key}}).encode()],
        )
    if how == "in an event":
        return 200, [("Content-Type", "text/event-stream")], [_event(f"your key is {key}"), b"data: [DONE]\n\n"]
    if how == "across events":
        pieces = [key[at : at + 5] for at in range(0, len(key), 5)]
        return 200, [("Content-Type", "text/event-stream")], [*map(_event, ["it is ", *pieces]), b"data: [DONE]\n\n"]
    if how == "compressed":
        return 200, [*kind, ("Content-Encoding", "gzip")], [gzip.compress(_said(key))]
    coded = {
        "url-escaped": quote(key, safe="").replace("-", "%2D"),
        "base64": base64.b64encode(b"user:" + key.encode()).decode(),
    }.get(how, key)
    return 200, kind, [_said(coded)]


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


type Request = tuple[str, list[tuple[str, str]], bytes]


def _plan(garden: Garden) -> dict[str, Request]:
    """Return the requests by name, and tell the upstream how to answer each."""
    put, path, answers = garden.put, "/v1/chat/completions", _Upstream.answers
    plain = json.dumps({"model": "m", "messages": [{"role": "user", "content": "hi"}]}).encode()
    fine = (200, [("Content-Type", "application/json")], [_said("hello")])
    requests: dict[str, Request] = {}
    named = [(name, f"Bearer {put(f'header {name}')}" if "Auth" in name else put(f"header {name}")) for name in HEADERS]
    named.append(("Cookie", f"a=1; session={put('cookie')}"))
    basic = base64.b64encode(f"{put('user of basic auth')}:{put('password of basic auth')}".encode()).decode()
    host = [("Host", f"{put('user in Host')}:{put('password in Host')}@127.0.0.1")]
    host.append(("Referer", f"http://u:{put('password in Referer')}@h/?api_key={put('query in Referer')}"))
    query = "&".join(f"{name}={put(f'query {name}')}" for name in QUERIES)
    requests |= {"headers": (path, named, plain), "basic": (path, [("Authorization", f"Basic {basic}")], plain)}
    requests |= {"query": (f"{path}?{query}", [], plain), "host": (path, host, plain)}
    cookies = [("Set-Cookie", f"s={put(f'set-cookie {at}')}; Path=/; HttpOnly") for at in (1, 2)]
    answers |= dict.fromkeys(("basic", "query", "host"), fine)
    answers["headers"] = (200, [*fine[1], *cookies, ("X-Unknown", put("unknown response header"))], fine[2])
    for name, shape in SHAPES.items():
        told = f"my key:\n{put(f'request body {name}', shape)} ok"
        asked = json.dumps({"model": "m", "messages": [{"role": "user", "content": told}]}).encode()
        chunked = [_said(put(f"response body {name}", shape))]
        requests[f"shape {name}"] = (path, [], asked)
        answers[f"shape {name}"] = (200, fine[1], [part for one in chunked for part in (one[:70], one[70:])])
    zipped = gzip.compress(json.dumps({"model": "m", "prompt": put("compressed request", SHAPES["openai"])}).encode())
    requests["zipped"], answers["zipped"] = (path, [("Content-Encoding", "gzip")], zipped), fine
    spelled = put("spelled out over events", SHAPES["anthropic"])
    requests["events"] = (path, [], plain)
    answers["events"] = (
        200,
        [("Content-Type", "text/event-stream")],
        [_event(spelled[at : at + 3]) for at in range(0, 99, 3)],
    )
    for how in ECHOES:
        key = put(f"key echoed {how}")
        requests[f"echo {how}"] = (path, [("Authorization", f"Bearer {key}")], plain)
        answers[f"echo {how}"] = _echoed(how, key)
    return requests


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
                traces[f"{path.name}, pieces put together"] = _spoken(decoded)
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
    requests = _plan(garden)
    with tempfile.TemporaryDirectory(prefix="mitmeter-selfcheck-") as name:
        folder = Path(name)
        with _upstream() as upstream, _proxy(upstream, folder, [script, *others]) as port:
            for agent, (path, headers, body) in requests.items():
                _ask(port, agent, path, headers, body)
        traces = _traces(folder)
    found = {
        plant.place: [place for place, raw in traces.items() if any(sign in raw for sign in _signs(plant))]
        for plant in garden.plants
    }
    rows = len(traces["ls --json"].splitlines())
    return Report(tuple(garden.plants), {place: where for place, where in found.items() if where}, rows)


def table(report: Report) -> Iterator[str]:
    """Yield the lines of the report."""
    for plant in report.plants:
        where = report.found.get(plant.place)
        yield f"{plant.place:<36} {'FOUND in ' + ', '.join(where) if where else 'not found'}"
    yield ""
    yield f"{len(report.found)} of {len(report.plants)} planted secrets found in what {report.rows} exchanges left"
