"""A server of our own, on a port of its own."""

import contextlib
import socket
from pathlib import Path

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application

from mitmeter import shelf
from mitmeter.dashboard.app import behind, routes
from mitmeter.dashboard.desk import Desk
from mitmeter.dashboard.doors import Doors, Guarded
from mitmeter.dashboard.page import HOME, Home

LOOPBACK = "127.0.0.1"

_BODY_BYTES = 64 << 10
_HEAD_BYTES = 64 << 10
_IDLE_SECONDS = 120.0


class Server:
    """Serves a desk from `__init__` on; to be used on one event loop, which has to run. Raises OSError."""

    def __init__(self, desk: Desk, token: str, port: int, host: str = LOOPBACK) -> None:
        try:
            sockets = bind_sockets(port, host, family=socket.AF_UNSPEC)
        except OSError as error:
            raise OSError(error.errno, error.strerror, f"{host}:{port}") from error
        self.port: int = sockets[0].getsockname()[1]
        self.doors = Doors(token, host, self.port)
        self._host = f"[{host}]" if ":" in host else host
        app = Application(
            routes(Guarded),
            default_handler_class=behind(Guarded, Home),
            log_function=lambda handler: None,
            doors=self.doors,
            mitmeter=desk,
        )
        self._http = HTTPServer(
            app,
            max_body_size=_BODY_BYTES,
            max_header_size=_HEAD_BYTES,
            idle_connection_timeout=_IDLE_SECONDS,
        )
        self._http.add_sockets(sockets)

    @property
    def url(self) -> str:
        """Where the page is, with the token."""
        return f"http://{self._host}:{self.port}{HOME}?token={self.doors.token}"

    def close(self) -> None:
        """Listen no more, also once the event loop is gone."""
        with contextlib.suppress(RuntimeError):
            self._http.stop()


def token_of(folder: Path) -> str:
    """Return the token of a meter_dir, made at first use in `<folder>/token`, 0600; raises OSError.

    It stays the same, for bookmarks and for what scrapes: whoever can read it can read all that it opens.
    """
    return shelf.kept_secret(folder, "token").hex()
