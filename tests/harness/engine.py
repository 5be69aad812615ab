"""A real llama-server with a tiny random model, where `scripts/engine` has built one."""

import http.client
import json
import subprocess
import time
from pathlib import Path
from typing import Self

from harness.mitm import ROOT
from harness.ports import free_port

MODEL = "tiny-random"


def where() -> tuple[str, str] | None:
    """The paths of the server and the model, or None if `scripts/engine` has not built them."""
    found = subprocess.run([str(ROOT / "scripts" / "engine"), "--where"], capture_output=True, check=False)
    if found.returncode:
        return None
    paths = json.loads(found.stdout)
    return paths["server"], paths["model"]


class Engine:
    """The server as a process on a free port, healthy once entered."""

    def __init__(self, server: str, model: str, log: Path) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._command = [server, "-m", model, "--alias", MODEL, "--host", "127.0.0.1", "--port", str(self.port)]
        self._command += ["-c", "16384", "-np", "4", "--jinja", "--no-webui", "-t", "2"]
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        deadline = time.monotonic() + 30
        while not self._healthy():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.__exit__()
                raise RuntimeError(f"llama-server did not become healthy, see {self._log}")
            time.sleep(0.05)
        return self

    def __exit__(self, *_: object) -> None:
        if self._process and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait(10)

    def _healthy(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=2)
        try:
            connection.request("GET", "/health")
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()
