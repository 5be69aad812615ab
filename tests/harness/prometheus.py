"""A real Prometheus that scrapes a port, where `scripts/prometheus` has found or installed one."""

import json
import subprocess
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

from harness.daemon import Daemon
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


class Prometheus(Daemon):
    """The server on a free port, scraping another."""

    def __init__(self, server: str, port: int, folder: Path) -> None:
        own = free_port()
        config = folder / "prometheus.yml"
        config.write_text(CONFIG.format(port=port))
        command = [server, f"--config.file={config}", f"--storage.tsdb.path={folder / 'tsdb'}"]
        command += [f"--web.listen-address=127.0.0.1:{own}", "--log.level=warn"]
        super().__init__(command, own, "/-/ready", folder / "prometheus.log")

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
