"""Who spent it, and in which conversation: keyed hashes, so that both can be added up by and neither is stored.

An id that a client sends for its conversation is hashed too: it may be a person's name, or open what was said.
"""

import base64
import binascii
import hmac
import re
from collections.abc import Iterable
from functools import lru_cache
from itertools import chain
from urllib.parse import parse_qsl

from mitmeter.exchange import Headers
from mitmeter.redact.headers import is_sensitive
from mitmeter.redact.values import of_protocols

_FIRST = ("authorization", "x-api-key", "api-key", "x-goog-api-key")
_OFFERED = "sec-websocket-protocol"
_NOT_A_KEY = frozenset(("cookie", "cookie2", "proxy-authorization", _OFFERED, "x-csrf-token", "x-xsrf-token"))
_NEVER = 100
_SCHEMES = frozenset(("bearer", "basic", "token", "apikey", "key"))
# Who signed a request; the signature is another one each time. The first form is that of clouds which sign as S3 does,
# the second that of draft-cavage-http-signatures.
_SIGNED = re.compile(r'\bCredential=([^/,\s]+)|\bkeyId="([^"]+)"')
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
    signed = _SIGNED.search(rest) if scheme.lower() not in _SCHEMES else None
    if signed:
        return str(signed[1] or signed[2])
    return rest if scheme.lower() in _SCHEMES and rest else value.strip()


@lru_cache(maxsize=1024)
def _rank(name: str) -> int:
    """Say how soon to look into a header of this name for a credential."""
    lower = name.lower()
    if lower in _FIRST:
        return _FIRST.index(lower)
    return len(_FIRST) if is_sensitive(name) and lower not in _NOT_A_KEY else _NEVER


def find_key(headers: Headers, query: str) -> str | None:
    """Return the credential that a request was made with, None where it has none."""
    best, key = _NEVER, ""
    for name, value in headers:
        rank = _rank(name)
        if rank < best and value.strip():
            best, key = rank, value
    if key:
        return _bare(key)
    asked = (value for name, value in parse_qsl(query) if name.lower() in _QUERY)
    offered = (key for name, value in headers if name.lower() == _OFFERED for key in of_protocols(value))
    return next(chain(asked, offered), None)


def credential(headers: Headers, query: str, secret: bytes) -> str | None:
    """Return `k_` and 8 hex digits of HMAC-SHA-256 over the request's credential, None where it has none."""
    key = find_key(headers, query)
    return _hashed(key, secret) if key else None


@lru_cache(maxsize=64)
def _hashed(key: str, secret: bytes) -> str:
    """Return a credential's name; the last few are remembered, since they come again."""
    return "k_" + hmac.digest(secret, key.encode("utf-8", "replace"), "sha256").hex()[:8]


def session(ident: str | None, beginning: Iterable[str], spent_by: str | None, secret: bytes) -> str | None:
    """Return `s_` and 16 hex digits that are the same for every turn of a conversation, None where nothing tells.

    HMAC-SHA-256 over the client's own id of it, else over whose it is (a `credential`) and the texts that it begins
    with. Proxies that share a secret find the same.
    """
    said = [text.encode("utf-8", "surrogatepass") for text in beginning]
    if ident is not None:
        parts = [b"named", ident.encode("utf-8", "surrogatepass")]
    elif said:
        parts = [b"begun", (spent_by or "").encode(), *said]
    else:
        return None
    keyed = _keyed(secret).copy()
    keyed.update(b"".join([len(part).to_bytes(8) + part for part in parts]))
    return "s_" + keyed.hexdigest()[:16]


@lru_cache(maxsize=4)
def _keyed(secret: bytes) -> hmac.HMAC:
    """Return what hashes under a key, to be copied: beginning costs more than a short text."""
    return hmac.new(secret, digestmod="sha256")
