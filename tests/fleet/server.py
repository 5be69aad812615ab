"""ClickHouse's HTTP interface over the engine in this process (chDB), on loopback: `server.py FOLDER PORT [PEM]`.

As much of https://clickhouse.com/docs/interfaces/http as clickhouse-connect uses: queries and their parameters,
settings, inserts in Native format, compressed bodies, errors with their codes, Basic authentication. One request at a
time, since the engine's handle takes one. `user` has the password `right`; `reader` may only read, `sender` insert too.
The cluster `c` is this engine alone: what is to be done on every node of it is done here, since the engine has no queue
for that.
"""

import base64
import contextlib
import os
import re
import ssl
import sys
import tempfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import chdb
import zstandard

PASSWORDS = dict.fromkeys(("user", "reader", "sender"), "right")
TRANSPORT = frozenset(
    (
        *("database", "query", "session_id", "query_id", "wait_end_of_query", "client_protocol_version", "role"),
        *("enable_http_compression", "send_progress_in_http_headers", "http_headers_progress_interval_ms"),
        *("http_zlib_compression_level", "buffer_size"),
    )
)
INSERT = re.compile(rb"\s*(INSERT INTO .+?) FORMAT Native\s", re.DOTALL | re.IGNORECASE)
READING = re.compile(r"\s*(SELECT|WITH|SHOW|DESCRIBE|EXPLAIN)\b", re.IGNORECASE)
EVERYWHERE = re.compile(r" ON CLUSTER `c`")
CLUSTER = """
    <clickhouse><tcp_port>9000</tcp_port><remote_servers><c><shard><internal_replication>true</internal_replication>
    <replica><host>localhost</host><port>9000</port></replica></shard></c></remote_servers></clickhouse>
"""
FORMAT = re.compile(r"\sFORMAT\s+(\w+)\s*;?\s*$", re.IGNORECASE)


class Engine:
    """One engine with its folder."""

    def __init__(self, folder: str) -> None:
        settings = Path(f"{folder}.xml")
        settings.parent.mkdir(parents=True, exist_ok=True)
        settings.write_text(CLUSTER)
        # The port makes the one node known for this engine; nothing listens there.
        self._handle = chdb.connect(f"{folder}?config-file={settings}")
        self._lock = Lock()

    def run(self, sql: str, body: bytes, settings: dict[str, str], given: dict[str, str]) -> bytes:
        """Return what a statement answers; raises RuntimeError with the engine's message."""
        clause = ", ".join(f"{name} = '{value}'" for name, value in settings.items())
        with self._lock:
            if body and INSERT.fullmatch(f"{sql} FORMAT Native ".encode()):
                return self._insert(sql, body, clause)
            form = FORMAT.search(sql)
            if READING.match(sql):
                told = sql[: form.start()] if form else sql
                name = form[1] if form else "TabSeparated"
                sql = f"{told} SETTINGS {clause} FORMAT {name}" if clause else f"{told} FORMAT {name}"
            result = self._handle.query(sql, form[1] if form else "TabSeparated", params=given)
            return bytes(result.bytes() or b"")

    def _insert(self, sql: str, body: bytes, clause: str) -> bytes:
        with tempfile.NamedTemporaryFile(suffix=".native") as file:
            file.write(body)
            file.flush()
            settings = f" SETTINGS {clause}" if clause else ""
            self._handle.query(f"{sql} FROM INFILE '{file.name}'{settings} FORMAT Native", "TabSeparated")
        return b""


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    engine: Engine

    def do_GET(self) -> None:
        self._answer(200, b"Ok.\n")

    def do_POST(self) -> None:
        body = (
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if "Content-Length" in self.headers
            else self._chunks()
        )
        if self.headers.get("Content-Encoding") == "zstd":
            body = zstandard.ZstdDecompressor().stream_reader(body, read_across_frames=True).read()
        asked = dict(parse_qsl(urlsplit(self.path).query, keep_blank_values=True))
        user = self._user()
        if user is None:
            self._refuse(516, "AUTHENTICATION_FAILED", "Authentication failed: password is incorrect")
            return
        sql = asked.get("query", "")
        if not sql:
            found = INSERT.match(body)
            sql, body = (found[1].decode(), body[found.end() :]) if found else (body.decode(), b"")
        sql = EVERYWHERE.sub("", sql)
        sql = FORMAT.sub("", sql) if sql.lstrip().upper().startswith("INSERT") and body else sql
        inserts = INSERT.match(f"{sql} FORMAT Native ".encode()) is not None
        if not (user == "user" or READING.match(sql) or (user == "sender" and inserts)):
            self._refuse(497, "ACCESS_DENIED", f"{user}: Not enough privileges")
            return
        given = {name.removeprefix("param_"): value for name, value in asked.items() if name.startswith("param_")}
        settings = {
            name: value for name, value in asked.items() if name not in TRANSPORT and not name.startswith("param_")
        }
        try:
            self._answer(200, self.engine.run(sql, body, settings, given))
        except Exception as error:  # whatever the engine raises is an answer
            told = re.search(r"Code: (\d+).*?\(([A-Z_0-9]+)\)", str(error), re.DOTALL)
            code, name = (int(told[1]), told[2]) if told else (1002, "UNKNOWN_EXCEPTION")
            self._refuse(code, name, str(error)[:2000])

    def _chunks(self) -> bytes:
        parts = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def _user(self) -> str | None:
        scheme, _, told = self.headers.get("Authorization", "").partition(" ")
        user, _, password = base64.b64decode(told or "").decode().partition(":") if scheme == "Basic" else ("", "", "")
        return user if PASSWORDS.get(user) == password else None

    def _refuse(self, code: int, name: str, message: str) -> None:
        body = f"Code: {code}. DB::Exception: {message}. ({name})\n".encode()
        self._answer(403 if code in (516, 497) else 500, body, ("X-ClickHouse-Exception-Code", str(code)))

    def _answer(self, status: int, body: bytes, *headers: tuple[str, str]) -> None:
        self.send_response(status)
        for name, value in (*headers, ("Content-Length", str(len(body))), ("X-ClickHouse-Summary", "{}")):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def handle(self) -> None:
        """Answer; whoever has gone away is no trouble."""
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            super().handle()

    def log_message(self, *args: Any) -> None:
        """Say nothing."""


def main() -> None:
    folder, port = sys.argv[1], int(sys.argv[2])
    Handler.engine = Engine(folder)
    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    if len(sys.argv) > 3:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(sys.argv[3])
        server.socket = context.wrap_socket(server.socket, server_side=True)
    print(f"ready {os.getpid()}", flush=True)  # noqa: T201
    server.serve_forever()


if __name__ == "__main__":
    main()
