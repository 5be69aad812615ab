"""ClickHouse's engine in a process of its own, over HTTP."""

import subprocess
import sys
from pathlib import Path
from typing import Self

from harness.ports import free_port


class Server:
    """ClickHouse's HTTP interface on loopback; may be stopped and started again with what it holds."""

    def __init__(self, folder: Path, certificate: Path | None = None) -> None:
        self.folder, self.port, self.certificate = folder, free_port(), certificate
        self.process: subprocess.Popen[str] | None = None

    def start(self) -> Self:
        command = [sys.executable, str(Path(__file__).with_name("server.py")), str(self.folder), str(self.port)]
        command += [] if self.certificate is None else [str(self.certificate)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, encoding="utf-8")
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line.startswith("ready"), "the engine did not start"
        return self

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait(20)
            self.process = None

    def url(self, user: str = "user", database: str = "mitmeter") -> str:
        return f"clickhouse://{user}@127.0.0.1:{self.port}/{database}"
