"""A server of somebody else's as a process, ready once entered."""

import http.client
import subprocess
import time
from pathlib import Path
from typing import Self

READY_SECONDS = 30.0
STOP_SECONDS = 10.0


class Daemon:
    """A command that serves on `port`, ready once it answers `path` with 200; raises RuntimeError with its log else."""

    def __init__(self, command: list[str], port: int, path: str, log: Path) -> None:
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self._command, self._path, self._log = command, path, log
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        deadline = time.monotonic() + READY_SECONDS
        while not self._ready():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.__exit__()
                raise RuntimeError(f"{self._command[0]} did not become ready:\n{self._log.read_text(errors='replace')}")
            time.sleep(0.05)
        return self

    def __exit__(self, *_: object) -> None:
        if self._process and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait(STOP_SECONDS)

    def _ready(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=2)
        try:
            connection.request("GET", self._path)
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()
