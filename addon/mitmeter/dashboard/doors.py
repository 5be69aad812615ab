"""Who may come in: the token, the name under which a browser found us, and which page of a browser asks.

A page of another site, or of another port of this machine, must neither read nor change anything: a cookie is sent to
every port of a host, and a name of an attacker's may lead to a loopback address (DNS rebinding). So it takes the token,
a Host that is an address or a name of this machine, and no sign that another page asks.
"""

import base64
import binascii
import hashlib
import hmac
import ipaddress
import logging
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct
from tornado.web import HTTPError, RequestHandler

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}
READING = frozenset({"GET", "HEAD"})
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
OWN = frozenset({"same-origin", "none"})

log = logging.getLogger("mitmeter")


class Doors(Struct, frozen=True):
    """What a server of our own asks for; `bound` is the address that it listens on."""

    token: str
    bound: str
    port: int

    @property
    def cookie(self) -> str:
        """The name of the cookie: browsers send one to all ports of a host."""
        return f"mitmeter-{self.port}"

    @property
    def pass_value(self) -> str:
        """What the cookie holds: with it the token itself is not known."""
        return hmac.digest(self.token.encode(), self.cookie.encode(), hashlib.sha256).hex()

    def knows_host(self, header: str) -> bool:
        """Say whether a Host header names this machine: rebinding needs a name, so where all addresses are bound any
        address will do.
        """
        try:
            name = urlsplit(f"//{header}").hostname or ""
        except ValueError:
            return False
        if name in LOOPBACK or name == self.bound.lower():
            return True
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return self.bound in ("0.0.0.0", "::", "")  # compared, not bound

    def opens(self, token: str | None) -> bool:
        """Say whether it is the token, in a time that does not tell how much of it is right."""
        return token is not None and hmac.compare_digest(token.encode(), self.token.encode())

    def knows_pass(self, value: str | None) -> bool:
        """Say whether it is what the cookie holds."""
        return value is not None and hmac.compare_digest(value.encode(), self.pass_value.encode())


def tokens(headers: Mapping[str, str]) -> Iterator[str]:
    """Yield what the headers of a request offer as a token."""
    if "X-Api-Key" in headers:
        yield headers["X-Api-Key"].strip()
    scheme, _, given = headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        yield given.strip()
    elif scheme.lower() == "basic":
        try:
            yield base64.b64decode(given.strip(), validate=True).decode().partition(":")[2]
        except (binascii.Error, ValueError):
            return


def is_foreign(headers: Mapping[str, str]) -> bool:
    """Say whether a page of another origin asks; what is no browser sends neither header."""
    if headers.get("Sec-Fetch-Site", "none") not in OWN:
        return True
    origin = headers.get("Origin")
    return origin is not None and urlsplit(origin).netloc.lower() != headers.get("Host", "").lower()


class Answering(RequestHandler):
    """What all answers have in common, whoever serves them. Those that log in take a token as an argument."""

    logs_in = False

    def set_default_headers(self) -> None:
        """Set what keeps a browser from running, sniffing, framing and keeping."""
        super().set_default_headers()
        self.clear_header("Server")
        for name, value in HEADERS.items():
            self.set_header(name, value)

    def prepare(self) -> Any:
        """Refuse what another page asks."""
        if self.comes_from_elsewhere and not self.takes_links:
            raise HTTPError(403, reason="another origin")
        return super().prepare()

    @property
    def comes_from_elsewhere(self) -> bool:
        """Whether a page of another origin asks."""
        return is_foreign(self.request.headers)

    @property
    def takes_links(self) -> bool:
        """Whether a page of another origin may ask all the same."""
        return False

    def compute_etag(self) -> None:
        """Return none: nothing is kept."""

    def send(self, body: bytes, kind: str = "application/json; charset=utf-8") -> None:
        """Answer with a body of a media type."""
        self.set_header("Content-Type", kind)
        self.finish(body)

    def send_json(self, value: Any) -> None:
        """Answer with a small value; a large one is better encoded elsewhere."""
        self.send(msgspec.json.encode(value))

    def refuse(self, status: int, message: str) -> None:
        """Answer with an error in llama-swap's shape."""
        phrase = HTTPStatus(status).phrase.lower().replace(" ", "_")
        kind = "server_error" if status >= 500 else "invalid_request_error"
        error = {"message": message, "type": kind, "param": None, "code": phrase}
        self.set_status(status)
        self.send_json({"src": "mitmeter", "error": error})

    def auth_fail(self, invalid_password: bool) -> None:
        """Answer whoever is not known; the name is mitmweb's, which calls it."""
        self.refuse(401, "that token is not the one" if invalid_password else "a token is needed")

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Answer with what went wrong, in words that nobody sent."""
        error = kwargs.get("exc_info", (None, None, None))[1]
        known = isinstance(error, HTTPError) and error.reason
        self.refuse(status_code, str(known) if known else HTTPStatus(status_code).phrase.lower())

    def log_exception(self, typ: Any, value: Any, tb: Any) -> None:
        """Report a defect of ours without the address that was asked for, which may hold the token."""
        if not isinstance(value, HTTPError):
            log.error("mitmeter: %s", type(self).__name__, exc_info=(typ, value, tb))


class Guarded(Answering):
    """The door of a server of our own. Its settings have `doors`."""

    @property
    def doors(self) -> Doors:
        """What is asked for."""
        doors: Doors = self.settings["doors"]
        return doors

    def prepare(self) -> None:
        """Refuse whoever is not known, or comes under a name that is not ours."""
        super().prepare()
        if not self.doors.knows_host(self.request.headers.get("Host", "")):
            raise HTTPError(403, reason="this is not a name of this machine")
        by_header = any(map(self.doors.opens, tokens(self.request.headers)))
        typed = self.get_argument("token", None) if self.logs_in else self.get_query_argument("token", None)
        by_token = self.doors.opens(typed)
        if not (by_header or by_token or self.doors.knows_pass(self.get_cookie(self.doors.cookie))):
            self.auth_fail(typed is not None)
        elif self.request.method not in READING and not (by_header or self._from_own_page() or self.logs_in):
            raise HTTPError(403, reason="this takes a request of the page's own, or the token in a header")
        elif by_token and self.logs_in:
            self.set_cookie(self.doors.cookie, self.doors.pass_value, httponly=True, samesite="Strict")

    def _from_own_page(self) -> bool:
        headers = self.request.headers
        return "Origin" in headers or headers.get("Sec-Fetch-Site") == "same-origin"
