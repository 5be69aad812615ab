"""Headers and URLs: credentials keep their name and lose their value.

A name is sensitive when it is listed, or when one of its words says so: `x-portal-api-key`, `x-auth-token`,
`cf-access-client-secret`. Counters such as `x-ratelimit-remaining-tokens` or `…-token-count` are not.
"""

import re
from urllib.parse import unquote_plus

from mitmeter.exchange import Headers

REDACTED = "[REDACTED]"

SENSITIVE = frozenset(
    (
        "authorization",
        "proxy-authorization",
        "authentication-info",
        "proxy-authentication-info",
        "cookie",
        "cookie2",
        "set-cookie",
        "set-cookie2",
        "x-api-key",
        "api-key",
        "apikey",
        "x-goog-api-key",
        "x-goog-iam-authorization-token",
        "x-amz-security-token",
        "x-amz-credential",
        "x-amz-signature",
        "x-auth",
        "x-csrf-token",
        "x-xsrf-token",
        "x-forwarded-client-cert",
        "x-goog-authenticated-user-jwt",
        "ms-authorization-auxiliary",
        "dpop",
        "signature",
        "sec-websocket-protocol",
    )
)

_WORDS = re.compile(
    r"(^|[-_])(auth|authorization[0-9]*|token|jwt|bearer|secret|secrets|password|passwd|passphrase|pwd"
    r"|credential|credentials|apikey|accesskey|signature|assertion|cookie)($|[-_])"
    r"|(^|[-_])(api|access|secret|private|subscription|auth|license|master|admin|virtual|service|account|functions)"
    r"[-_]?key($|[-_])"
)
_COUNTS = re.compile(r"[-_]token[-_]?(count|usage|limit|remaining|reset|budget|len)|ratelimit|rate-limit|token-time")

QUERY = frozenset(("key", "sig", "code", "auth", "access_token", "id_token", "refresh_token", "client_secret", "state"))
_QUERY_WORDS = re.compile(r"^x-(amz|goog)-(credential|signature|security-token)$")


def is_sensitive(name: str) -> bool:
    """Say whether a header of this name may hold a credential."""
    lower = name.lower()
    return lower in SENSITIVE or (_WORDS.search(lower) is not None and _COUNTS.search(lower) is None)


def redact_headers(headers: Headers) -> Headers:
    """Return the headers in their order, every value of a sensitive name replaced, an empty one too."""
    return tuple((name, REDACTED if is_sensitive(name) else value) for name, value in headers)


def _is_sensitive_query(name: str) -> bool:
    lower = unquote_plus(name).lower()
    return lower in QUERY or _QUERY_WORDS.search(lower) is not None or is_sensitive(lower)


def _redact_query(query: str) -> str:
    pairs = []
    for pair in query.split("&"):
        name, equals, _ = pair.partition("=")
        pairs.append(f"{name}={REDACTED}" if equals and _is_sensitive_query(name) else pair)
    return "&".join(pairs)


def redact_url(url: str) -> str:
    """Return the URL without `user:password@`, its sensitive query values replaced, its fragment gone."""
    bare = url.partition("#")[0]
    place, question, query = bare.partition("?")
    scheme, separator, rest = place.partition("://")
    if separator:
        authority, slash, path = rest.partition("/")
        place = f"{scheme}://{authority.rpartition('@')[2]}{slash}{path}"
    return f"{place}?{_redact_query(query)}" if question else place
