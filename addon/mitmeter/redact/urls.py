"""URLs: the place stays, `user:password@`, the fragment and the values of a query do not, but for known harmless ones.

What is known of a value says what it may look like: where a second separator stands in it, it holds more than its name
says. A segment of the path goes where it looks like nothing but a key.
"""

import re
from functools import lru_cache
from urllib.parse import unquote, unquote_plus

from mitmeter.redact.harmless import QUERY

REDACTED = "[REDACTED]"

_PLAIN = re.compile(r"[\w.:,/@+*$\[\]% -]{0,256}")
_FLAG = re.compile(r"[a-z][a-z_-]{0,15}", re.IGNORECASE)
_OPAQUE = re.compile(r"(?=[^a-z]*+[a-z])(?=[^A-Z]*+[A-Z])(?=\D*+\d)[A-Za-z0-9]{32,}")
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,20}://[^\s<>\"']++")
_USER = re.compile(r"^[^/?#]*@")
_WHOLE = frozenset(("location", "content-location", "referer", "http-referer", "origin"))
_HOSTS = frozenset(("host", "x-forwarded-host"))


def _redact_pair(pair: str) -> str:
    name, equals, value = pair.partition("=")
    if not equals:
        return pair if not pair or _FLAG.fullmatch(pair) else REDACTED
    if unquote_plus(name).lower() in QUERY and _PLAIN.fullmatch(unquote(value)):
        return pair
    return f"{name}={REDACTED}"


def _redact_path(path: str) -> str:
    return "/".join(REDACTED if _OPAQUE.fullmatch(segment) else segment for segment in path.split("/"))


@lru_cache(maxsize=256)
def redact_path(path: str) -> str:
    """Return a path without segments that look like nothing but a key, and without what may follow it."""
    return _redact_path(re.split("[?#]", path, maxsplit=1)[0])


@lru_cache(maxsize=256)
def redact_url(url: str) -> str:
    """Return the URL without `user:password@` and fragment, its query values replaced but for harmless ones."""
    bare = url.partition("#")[0]
    place, question, query = bare.partition("?")
    scheme, separator, rest = place.partition("://")
    if separator:
        authority, slash, path = rest.partition("/")
        place = f"{scheme}://{authority.rpartition('@')[2]}{slash}{_redact_path(path)}"
    elif place.startswith("/"):
        place = _redact_path(place)
    return f"{place}?{'&'.join(map(_redact_pair, query.split('&')))}" if question else place


def holds_place(name: str) -> bool:
    """Say whether the value of a header of this lower-case name is an address, or a part of one."""
    return name in _WHOLE or name in _HOSTS


def redact_urls(name: str, value: str) -> str:
    """Return the value of a header without the credentials of the addresses in it; `name` is in lower case."""
    if name in _WHOLE:
        return redact_url(value)
    if "://" in value:
        value = _URL.sub(lambda found: redact_url(found[0]), value)
    return _USER.sub("", value) if name in _HOSTS else value
