"""The contact with mitmweb's own application: pinned on the mitmproxy that is installed, and what a change gets."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mitmproxy import options
from mitmproxy.tools.web.app import RequestHandler
from mitmproxy.tools.web.master import WebMaster
from tornado.web import Application

from dashboard.rows import row, written
from mitmeter.dashboard import live
from mitmeter.dashboard.app import ROUTES
from mitmeter.dashboard.desk import SETTING, Desk
from mitmeter.dashboard.mount import Changed, mount


@pytest.fixture
def app() -> Iterator[Application]:
    async def made() -> WebMaster:
        return WebMaster(options.Options(), with_termlog=False)

    master = asyncio.run(made())
    yield master.app
    live.close()


def test_mitmweb_is_as_it_is_known(app: Application) -> None:
    """Where this fails, mitmproxy has changed: see what `mount` relies on."""
    assert isinstance(app, Application)
    assert issubclass(RequestHandler, object)
    assert callable(app.settings["is_valid_password"])
    assert app.settings["xsrf_cookies"] is True
    before = len(app.default_router.rules)
    mount(app, None)
    mount(app, None)
    assert len(app.default_router.rules) == before + 1


def test_the_routes_find_the_desk_of_the_day(app: Application, tmp_path: Path) -> None:
    first = Desk(written(tmp_path / "a", [row()]), "mitmweb")
    mount(app, first)
    assert app.settings[SETTING] is first
    mount(app, None)
    assert app.settings[SETTING] is None
    first.close()


class Other:
    """No application at all."""


def without_login(app: Application) -> Any:
    del app.settings["is_valid_password"]
    return app


def without_xsrf(app: Application) -> Any:
    app.settings["xsrf_cookies"] = False
    return app


CHANGES = {
    "no application": lambda app: Other(),
    "no login": without_login,
    "no XSRF token": without_xsrf,
    "an application of another kind": lambda app: Application(),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_changed_mitmweb_is_told_in_one_line(app: Application, name: str, tmp_path: Path, caplog: Any) -> None:
    changed = CHANGES[name](app)
    with pytest.raises(Changed):
        mount(changed, None)
    live.show(tmp_path, 0, changed, lambda: None)
    (line,) = [record.getMessage() for record in caplog.records if record.name == "mitmeter"]
    assert "set meter_port" in line
    assert SETTING not in getattr(changed, "settings", {})


def test_a_login_that_does_not_guard_what_is_added(app: Application, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("mitmproxy.tools.web.app.AuthRequestHandler.__init_subclass__")
    with pytest.raises(Changed, match="login"):
        mount(app, None)


def test_every_route_has_a_method_that_the_login_guards(app: Application) -> None:
    for _, answering in ROUTES:
        guarded = type(answering.__name__, (answering, RequestHandler), {})
        assert guarded.get is not answering.get
