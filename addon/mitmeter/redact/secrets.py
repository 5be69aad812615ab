"""Who spent it: a keyed hash of the credential, so that usage per key works and no part of a key is stored."""

import base64
import binascii
import hashlib
import hmac
from urllib.parse import parse_qsl

from mitmeter.exchange import Headers
from mitmeter.redact.headers import is_sensitive

_FIRST = ("authorization", "x-api-key", "api-key", "x-goog-api-key")
_NOT_A_KEY = frozenset(
    ("cookie", "cookie2", "proxy-authorization", "sec-websocket-protocol", "x-csrf-token", "x-xsrf-token")
)
_SCHEMES = frozenset(("bearer", "basic", "token", "apikey", "key"))
_QUERY = ("key", "api_key", "api-key", "access_token")


def _bare(value: str) -> str:
    """Strip the scheme; of a Basic credential keep the password, of a signed request the access key's id."""
    scheme, _, rest = value.strip().partition(" ")
    rest = rest.strip()
    if scheme.lower() == "basic" and rest:
        try:
            user, _, password = base64.b64decode(rest, validate=True).decode("utf-8", "replace").partition(":")
        except (binascii.Error, ValueError):
            return rest
        return password or user
    if scheme.upper().startswith("AWS4-"):
        return rest.partition("Credential=")[2].partition("/")[0] or rest
    return rest if scheme.lower() in _SCHEMES and rest else value.strip()


def find_key(headers: Headers, query: str) -> str | None:
    """Return the credential that a request was made with, None where it has none."""
    fields = {name.lower(): value for name, value in reversed(headers) if value.strip()}
    for name in _FIRST:
        if name in fields:
            return _bare(fields[name])
    for name, value in headers:
        if value.strip() and is_sensitive(name) and name.lower() not in _NOT_A_KEY:
            return _bare(value)
    return next((value for name, value in parse_qsl(query) if name.lower() in _QUERY), None)


def credential(headers: Headers, query: str, secret: bytes) -> str | None:
    """Return `k_` and 8 hex digits of HMAC-SHA-256 over the request's credential, None where it has none."""
    key = find_key(headers, query)
    if not key:
        return None
    return "k_" + hmac.new(secret, key.encode("utf-8", "replace"), hashlib.sha256).hexdigest()[:8]
