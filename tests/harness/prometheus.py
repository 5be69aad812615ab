"""A real Prometheus that scrapes a port, where `scripts/prometheus` has found or installed one."""

import json
import subprocess
import time
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any, Self

from harness.mitm import ROOT
from harness.ports import free_port

CONFIG = """
global:
  scrape_interval: 1s
scrape_configs:
  - job_name: mitmeter
    static_configs:
      - targets: ["127.0.0.1:{port}"]
"""


def where() -> tuple[str, str] | None:
    """The paths of the server and of promtool, or None if they are not there."""
    found = subprocess.run([str(ROOT / "scripts" / "prometheus"), "--where"], capture_output=True, check=False)
    if found.returncode:
        return None
    paths = json.loads(found.stdout)
    return paths["server"], paths["tool"]


class Prometheus:
    """The server as a process on a free port, ready once entered."""

    def __init__(self, server: str, port: int, folder: Path) -> None:
        self.port = free_port()
        self._log = folder / "prometheus.log"
        config = folder / "prometheus.yml"
        config.write_text(CONFIG.format(port=port))
        self._command = [server, f"--config.file={config}", f"--storage.tsdb.path={folder / 'tsdb'}"]
        self._command += [f"--web.listen-address=127.0.0.1:{self.port}", "--log.level=warn"]
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        deadline = time.monotonic() + 30
        while not self._ready():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.__exit__()
                raise RuntimeError(f"Prometheus did not become ready:\n{self._log.read_text()}")
            time.sleep(0.1)
        return self

    def __exit__(self, *_: object) -> None:
        if self._process and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait(10)

    def _ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/-/ready", timeout=2) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def query(self, expression: str) -> list[tuple[dict[str, str], float]]:
        """The labels and the value of each series that an expression comes to now."""
        asked = urllib.parse.urlencode({"query": expression})
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/api/v1/query?{asked}", timeout=10) as answer:
            found: list[dict[str, Any]] = json.load(answer)["data"]["result"]
        return [(one["metric"], float(one["value"][1])) for one in found]

    def number(self, expression: str) -> float | None:
        """The one value of an expression."""
        found = self.query(expression)
        return found[0][1] if found else None
