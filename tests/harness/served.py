"""The page's server in this process, on a thread with an event loop of its own."""

import asyncio
import threading
from pathlib import Path
from typing import Any, Self

from harness.client import Headers, Reply, fetch
from mitmeter.dashboard.desk import Desk
from mitmeter.dashboard.server import Server
from mitmeter.fleet.address import Address

TOKEN = "0123456789abcdef" * 4


class Served:
    """Serves a meter_dir or fleet from `__enter__` on; `get` and `ask` come with the token unless headers are given."""

    def __init__(self, folder: Path | Address, host: str = "127.0.0.1") -> None:
        self.folder = folder
        self.port = 0
        self.url = ""
        self._host = host
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._open: tuple[Desk, Server] | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        self._open = asyncio.run_coroutine_threadsafe(self._begin(), self._loop).result(10)
        self.port, self.url = self._open[1].port, self._open[1].url
        return self

    async def _begin(self) -> tuple[Desk, Server]:
        desk = Desk(self.folder, "serve")
        return desk, Server(desk, TOKEN, 0, self._host)

    async def _end(self, desk: Desk, server: Server) -> None:
        server.close()
        desk.close()
        await asyncio.sleep(0.05)

    def __exit__(self, *_: object) -> None:
        assert self._open is not None
        asyncio.run_coroutine_threadsafe(self._end(*self._open), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def ask(self, method: str, path: str, headers: Headers | None = None, **more: Any) -> Reply:
        """One request."""
        given = {"Authorization": f"Bearer {TOKEN}"} if headers is None else headers
        return fetch(self.port, path, more.pop("body", None), given, method=method, **more)

    def get(self, path: str, status: int = 200) -> Any:
        """The JSON of an answer that has this status."""
        reply = self.ask("GET", path)
        assert reply.status == status, (reply.status, reply.body)
        return reply.json()
