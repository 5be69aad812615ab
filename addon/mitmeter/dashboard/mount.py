"""The contact with mitmweb's own Tornado application, which is no public interface of mitmproxy's.

Routes are added to it once, and find the desk in its settings: they stay when an addon goes.
"""

from typing import Any

from tornado.web import Application, RequestHandler

from mitmeter.dashboard.app import ROUTES, Route, routes
from mitmeter.dashboard.desk import SETTING, Desk

_MOUNTED = "mitmeter_mounted"


class Changed(Exception):
    """mitmweb is not as it is known; the message says how."""


def mount(app: Any, desk: Desk | None) -> None:
    """Have mitmweb serve a desk, or none, behind its login; raises Changed where that cannot be had."""
    if not isinstance(app, Application):
        raise Changed("it has no Tornado application")
    if _MOUNTED not in app.settings:
        app.add_handlers(r".*", _behind_login(app))
        app.settings[_MOUNTED] = True
    app.settings[SETTING] = desk


def _behind_login(app: Application) -> list[Route]:
    try:
        from mitmproxy.tools.web.app import RequestHandler as Door
    except ImportError as error:
        raise Changed(str(error)) from error
    if not (isinstance(Door, type) and issubclass(Door, RequestHandler)):
        raise Changed("its requests are not answered as they were")
    if not (callable(app.settings.get("is_valid_password")) and app.settings.get("xsrf_cookies")):
        raise Changed("its login is another one")
    found = routes(Door)
    # Its door puts a check of the login around each method of a class that derives from it.
    for (_, plain), (_, guarded) in zip(ROUTES, found, strict=True):
        for method in ("get", "post", "delete"):
            own = getattr(plain, method)
            if own is not getattr(RequestHandler, method) and getattr(guarded, method) is own:
                raise Changed("its login does not guard what is added")
    return found
