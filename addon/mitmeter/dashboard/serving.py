"""`mitmeter serve`: the page from a meter_dir alone."""

import asyncio
import logging
import secrets
import signal
from collections.abc import Callable
from pathlib import Path

from mitmeter.dashboard.desk import Desk
from mitmeter.dashboard.server import LOOPBACK, Server, token_of
from mitmeter.fleet.address import Address

log = logging.getLogger("mitmeter")


def serve(place: Path | Address, port: int, host: str, say: Callable[[str], object]) -> None:
    """Serve until the process is told to stop, and say where; raises OSError where the folder or port cannot be had."""
    if isinstance(place, Path) and not place.is_dir():
        raise FileNotFoundError(f"there is no folder {place}: nothing has been metered there yet")
    logging.basicConfig(format="%(message)s")
    asyncio.run(_serve(place, port, host, say))


async def _serve(place: Path | Address, port: int, host: str, say: Callable[[str], object]) -> None:
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    desk = Desk(place, "serve")
    try:
        server = Server(desk, _token(place), port, host)
        say(server.url)
        desk.complete()
        if host not in (LOOPBACK, "localhost", "::1"):
            log.warning("others can reach this: the token opens all captures, and what is sent is not encrypted")
        await stopped.wait()
        server.close()
    finally:
        desk.close()


def _token(place: Path | Address) -> str:
    """The folder's token, or one for this time where it cannot be written to, or there is none."""
    if not isinstance(place, Path):
        return secrets.token_hex(32)
    try:
        return token_of(place)
    except PermissionError:
        return secrets.token_hex(32)
