"""What the fault suite shares: small disks, broken stages, an upstream that sends what it is given, counters."""

import contextlib
import json
import os
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness import Mitm
from harness.rows import told

THOROUGH = os.environ.get("CI") == "true"


@contextlib.contextmanager
def disk(folder: Path, size: str) -> Iterator[Path]:
    """A tmpfs of its own."""
    folder.mkdir(parents=True)
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], capture_output=True)
    if done.returncode:
        pytest.skip(f"a tmpfs cannot be mounted here ({done.stderr.decode().strip()})")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def remount(folder: Path, how: str) -> None:
    """Makes it `ro` or `rw`."""
    subprocess.run(["mount", "-o", f"remount,{how}", str(folder)], check=True)


def counters(meter_dir: Path) -> dict[str, int]:
    """What `mitmeter stats` says was dropped or failed."""
    found: dict[str, int] = json.loads(told(meter_dir, "stats", "--json"))["counters"]
    return found


def complaints(proxy: Mitm) -> list[str]:
    """What the operator was told, by name; each once."""
    lines = [line.partition("mitmeter: ")[2] for line in proxy.output.splitlines() if "mitmeter: " in line]
    return [line.partition(" ")[0] for line in lines]


def until(true: Callable[[], object], seconds: float = 10.0) -> bool:
    """Waits for something to come true."""
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


@contextlib.contextmanager
def saying(reply: bytes) -> Iterator[str]:
    """An upstream that reads a request's head and some, sends these bytes, and waits for the other side to leave."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    peer, _ = server.accept()
                    threading.Thread(target=answer, args=(peer,), daemon=True).start()

        def answer(peer: socket.socket) -> None:
            with peer, contextlib.suppress(OSError):
                seen = b""
                while b"\r\n\r\n" not in seen:
                    data = peer.recv(1 << 16)
                    if not data:
                        return
                    seen += data
                peer.sendall(reply)
                while peer.recv(1 << 16):
                    pass

        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
