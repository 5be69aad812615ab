"""The page, its files, and the login."""

from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from mitmeter.dashboard.desk import Desked
from mitmeter.dashboard.doors import Answering

STATIC = Path(__file__).parent / "static"
KINDS = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
}
HOME = "/meter"
SEARCHES = frozenset({"text", "header"})

_LOGIN = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="color-scheme" content="light dark"><title>mitmeter</title></head>
<body>
<h1>mitmeter</h1>
<p>%s</p>
<form method="post" action="%s">%s
<p><label>Token <input type="password" name="token" autocomplete="current-password" autofocus required></label>
<button>Open</button></p>
</form>
</body>
</html>
"""
_AGAIN = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="color-scheme" content="light dark">%s<title>mitmeter</title></head>
<body><a href="%s">Open mitmeter</a></body>
</html>
"""
_REFRESH = '<meta http-equiv="refresh" content="0;url=%s">'


class Page(Answering):
    """`/meter`. With a token in the address it leads to itself without, having kept it as a cookie."""

    logs_in = True

    @property
    def takes_links(self) -> bool:
        """Whether a link of another page leads here: what is sent then holds nothing that was metered."""
        sent = self.request.headers
        is_link = (sent.get("Sec-Fetch-Mode"), sent.get("Sec-Fetch-Dest")) == ("navigate", "document")
        return is_link and self.request.method == "GET"

    def get(self) -> None:
        """Send the page."""
        if self.comes_from_elsewhere or "token" in self.request.query_arguments:
            self.lead_home()
            return
        if self.settings.get("xsrf_cookies"):
            # It is set when it is first looked at.
            assert self.xsrf_token
        send_file(self, "index.html")

    def post(self) -> None:
        """Take the token of the login's form."""
        self.lead_home()

    @property
    def address(self) -> str:
        """What was asked for, without the token: filters, the exchange that is open."""
        asked = parse_qsl(self.request.query, keep_blank_values=True, errors="replace")
        kept = urlencode([(name, value) for name, value in asked if name != "token"])
        return f"{HOME}?{kept}" if kept else HOME

    def lead_home(self) -> None:
        """Lead to the page without a token, as a page of our own: the cookie is not sent where another one leads."""
        if self.comes_from_elsewhere:
            self.lead_again()
        else:
            self.redirect(self.address, status=303)

    def lead_again(self) -> None:
        """Lead there as from our own page; a search waits for a click, so that no other page can time what it finds."""
        there = escape(self.address)
        self.set_status(200)
        by_itself = "" if SEARCHES & self.request.query_arguments.keys() else _REFRESH % there
        self.send((_AGAIN % (by_itself, there)).encode(), KINDS[".html"])

    def auth_fail(self, invalid_password: bool) -> None:
        """Send the login instead of the page."""
        if self.comes_from_elsewhere:
            self.lead_again()
            return
        said = "That token is not the one." if invalid_password else "The token was printed when the server started."
        field = self.xsrf_form_html() if self.settings.get("xsrf_cookies") else ""
        self.set_status(401)
        # With no-referrer a browser says `Origin: null` when it sends a form, which might be anybody's.
        self.set_header("Referrer-Policy", "same-origin")
        self.send((_LOGIN % (said, escape(self.address), field)).encode(), KINDS[".html"])


class File(Answering):
    """`/meter/static/NAME`."""

    def get(self, name: str) -> None:
        """Send it."""
        send_file(self, name)


def send_file(to: Answering, name: str) -> None:
    """Send a file of the page's; what is in no list of them is not there."""
    found = {path.name: path for path in STATIC.glob("*")}.get(name)
    kind = None if found is None else KINDS.get(found.suffix)
    if found is None or kind is None:
        to.refuse(404, "there is no such file")
    else:
        to.send(found.read_bytes(), kind)


class About(Desked):
    """`/api/meter`."""

    def get(self) -> None:
        """Tell where one is."""
        own = {"surface": self.desk.own_surface, "xsrf_cookie": None, "flows": None} if "doors" in self.settings else {}
        self.send_json(self.desk.about | own)


class Home(Answering):
    """`/`, and whatever else is not there."""

    def prepare(self) -> Any:
        """Lead to the page from the root; all else needs the token even to be told that it is not there."""
        if self.request.method == "GET" and urlsplit(self.request.uri or "").path == "/":
            self.redirect(HOME, status=303)
            return None
        super().prepare()
        if not self._finished:
            self.refuse(404, "there is nothing here")
        return None
