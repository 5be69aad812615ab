"""A real mitmdump or mitmweb as a process, in reverse mode in front of an upstream unless told otherwise."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, Self

from harness.ports import free_port

ROOT = Path(__file__).resolve().parents[2]
ADDON = ROOT / "addon" / "meter.py"
PROXY = re.compile(r"proxy.* listening at \S*?:(\d+)\.?")
WEB = re.compile(r"Web server listening at (http\S+)")
STARTUP_ERROR = "logged during startup"


class Mitm:
    """Starts on `__enter__` and waits until it listens; `port` is where, `log` what it prints, `meter_dir` its rows.

    `script=None` runs mitmproxy without the addon. `options` are `--set` options, a sequence repeats one.
    """

    def __init__(
        self,
        upstream: str,
        directory: Path,
        *,
        tool: Literal["mitmdump", "mitmweb"] = "mitmdump",
        script: Path | None = ADDON,
        options: Mapping[str, str | Sequence[str]] | None = None,
        arguments: Sequence[str] = (),
        meter_dir: Path | None = None,
        env: Mapping[str, str] | None = None,
        umask: int = -1,
        mode: str | None = None,
    ) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.confdir = directory / "conf"
        self.meter_dir = meter_dir or self.confdir / "meter"
        self.log = directory / f"{tool}.log"
        self.port = 0
        self.url = ""
        given: dict[str, str | Sequence[str]] = {"confdir": str(self.confdir), "listen_host": "127.0.0.1"}
        if tool == "mitmweb":
            given |= {"web_open_browser": "false", "web_port": str(free_port())}
        if script is not None and meter_dir is not None:
            given["meter_dir"] = str(meter_dir)
        given |= options or {}
        self._command = [str(Path(sys.executable).parent / tool), "--mode", mode or f"reverse:{upstream}"]
        self._command += ["--listen-port", "0"]
        for name, value in given.items():
            for one in [value] if isinstance(value, str) else value:
                self._command += ["--set", f"{name}={one}"]
        self._command += ["-s", str(script)] if script is not None else []
        self._command += arguments
        proxied = {"http_proxy", "https_proxy", "all_proxy", "no_proxy"}
        self._env = {name: value for name, value in os.environ.items() if name.lower() not in proxied}
        self._env |= {"PYTHONUNBUFFERED": "1", **(env or {})}
        self._umask = umask
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def output(self) -> str:
        """What it has printed so far."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    def _start(self) -> subprocess.Popen[bytes]:
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self._env,
                umask=self._umask,
            )
        return self.process

    def finish(self, seconds: float = 15.0) -> int:
        """Starts what ends by itself; returns the exit code (-9 if it had to be killed)."""
        try:
            return self._start().wait(seconds)
        except subprocess.TimeoutExpired:
            return self.kill()

    def __enter__(self) -> Self:
        self._start()
        try:
            self._wait(30.0)
        except BaseException:
            self.kill()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _wait(self, seconds: float) -> None:
        """Waits for its own words rather than by connecting: in reverse mode a probe would reach the upstream."""
        assert self.process
        wants_web = "mitmweb" in self._command[0]
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and self.process.poll() is None:
            proxy, web = PROXY.search(self.output), WEB.search(self.output)
            if proxy and (web or not wants_web):
                self.port = int(proxy[1])
                self.url = web[1] if web else ""
                # mitmproxy listens first and only then gives up over an error that was logged while it started.
                time.sleep(0.05)
                if self.process.poll() is None and STARTUP_ERROR not in self.output:
                    return
            time.sleep(0.01)
        raise RuntimeError(f"{self._command[0]} did not start (exit code {self.process.poll()}):\n{self.output}")

    def _end(self, number: signal.Signals, seconds: float) -> int:
        if self.process is None:
            raise RuntimeError("it was never started")
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait(10)

    def stop(self, seconds: float = 15.0) -> int:
        """SIGTERM; returns the exit code (-9 if it had to be killed)."""
        return self._end(signal.SIGTERM, seconds)

    def interrupt(self, seconds: float = 15.0) -> int:
        """SIGINT, as Ctrl-C does."""
        return self._end(signal.SIGINT, seconds)

    def hang_up(self, seconds: float = 15.0) -> int:
        """SIGHUP, as a terminal that closes does."""
        return self._end(signal.SIGHUP, seconds)

    def kill(self) -> int:
        """SIGKILL."""
        return self._end(signal.SIGKILL, 10.0)
