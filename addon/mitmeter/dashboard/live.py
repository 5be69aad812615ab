"""What the addon shows: the page in mitmweb, and on a port of its own. It stays over a hot reload of the script."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct

if TYPE_CHECKING:
    from mitmeter.dashboard.desk import Desk, Exposing
    from mitmeter.dashboard.server import Server

type _Wanted = tuple[Path, int, Any]

log = logging.getLogger("mitmeter")


class _Shown(Struct):
    """What is shown: for which folder, port and application."""

    wanted: _Wanted
    desk: "Desk"
    app: Any
    server: "Server | None"


_shown: list[_Shown] = []


def show(folder: Path, port: int, app: Any, exposition: "Exposing") -> None:
    """Show a meter_dir in mitmweb's application, None where there is none, and on a port, 0 for none.

    `exposition` returns what renders `/metrics`, None while there is none.

    To be called on the event loop. What cannot be had is told in one line, no error: an error would end mitmproxy.
    """
    wanted = (folder, port, app)
    if _shown and _shown[0].wanted == wanted:
        _shown[0].desk.exposition = exposition
        return
    close()
    if app is not None or port:
        # What this takes is not loaded where nobody looks.
        from mitmeter.dashboard.desk import Desk

        cookie = None if app is None else getattr(app, "settings", {}).get("xsrf_cookie_name", "_xsrf")
        desk = Desk(folder, "mitmdump" if app is None else "mitmweb", cookie)
        desk.exposition = exposition
        server = _served(desk, folder, port) if port else None
        _shown.append(_Shown(wanted, desk, app if _mounted(app, desk) else None, server))


def close() -> None:
    """Show nothing any more."""
    while _shown:
        shown = _shown.pop()
        if shown.server is not None:
            shown.server.close()
        _mounted(shown.app, None)
        shown.desk.close()


def _mounted(app: Any, desk: "Desk | None") -> bool:
    from mitmeter.dashboard.mount import Changed, mount

    if app is None:
        return False
    try:
        mount(app, desk)
    except Changed as error:
        log.warning("mitmeter: this mitmweb is not the one known (%s): set meter_port for a page of its own", error)
        return False
    return True


def _served(desk: "Desk", folder: Path, port: int) -> "Server | None":
    from mitmeter.dashboard.server import Server, token_of

    try:
        server = Server(desk, token_of(folder), port)
    except OSError as error:
        log.warning("mitmeter: meter_port %d: %s", port, error.strerror or error)
        return None
    log.info("mitmeter: the page is at %s", server.url)
    return server
