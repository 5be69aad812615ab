"""A real llama-server with a tiny random model, where `scripts/engine` has built one."""

import json
import subprocess
from pathlib import Path

from harness.daemon import Daemon
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


class Engine(Daemon):
    """The server on a free port."""

    def __init__(self, server: str, model: str, log: Path) -> None:
        port = free_port()
        command = [server, "-m", model, "--alias", MODEL, "--host", "127.0.0.1", "--port", str(port)]
        command += ["-c", "16384", "-np", "4", "--jinja", "--no-webui", "-t", "2"]
        super().__init__(command, port, "/health", log)
