"""`mitmeter serve`: the page from a meter_dir alone."""

import asyncio
import logging
import secrets
import signal
from collections.abc import Callable
from pathlib import Path

from mitmeter.dashboard.desk import Desk
from mitmeter.dashboard.server import LOOPBACK, Server, token_of

log = logging.getLogger("mitmeter")


def serve(folder: Path, port: int, host: str, say: Callable[[str], object]) -> None:
    """Serve until the process is told to stop, and say where; raises OSError where the folder or port cannot be had."""
    if not folder.is_dir():
        raise FileNotFoundError(f"there is no folder {folder}: nothing has been metered there yet")
    logging.basicConfig(format="%(message)s")
    asyncio.run(_serve(folder, port, host, say))


async def _serve(folder: Path, port: int, host: str, say: Callable[[str], object]) -> None:
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    desk = Desk(folder, "serve")
    try:
        server = Server(desk, _token(folder), port, host)
        say(server.url)
        if host not in (LOOPBACK, "localhost", "::1"):
            log.warning("others can reach this: the token opens all captures, and what is sent is not encrypted")
        await stopped.wait()
        server.close()
    finally:
        desk.close()


def _token(folder: Path) -> str:
    """The folder's token, or one for this time where it cannot be written to."""
    try:
        return token_of(folder)
    except PermissionError:
        return secrets.token_hex(32)
