"""Headers: what is known to be harmless keeps its value, everything else its name.

A name is sensitive, so that its value is looked for everywhere else too, when it is listed or when one of its words
says so: `x-portal-api-key`, `x-auth-token`, `cf-access-client-secret`. Counters such as
`x-ratelimit-remaining-tokens` or `…-token-count` are not.
"""

import re
from functools import lru_cache

from mitmeter.exchange import Headers
from mitmeter.redact.harmless import is_harmless
from mitmeter.redact.policy import DEFAULT, Policy
from mitmeter.redact.urls import REDACTED, holds_place, redact_urls

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

# Longer values hardly come again.
LONGEST = 256

_WORDS = re.compile(
    r"(^|[-_])(auth|authorization[0-9]*|token|jwt|bearer|secret|secrets|password|passwd|passphrase|pwd"
    r"|credential|credentials|apikey|accesskey|signature|assertion|cookie)($|[-_])"
    r"|(^|[-_])(api|access|secret|private|subscription|auth|license|master|admin|virtual|service|account|functions)"
    r"[-_]?key($|[-_])"
)
_COUNTS = re.compile(r"[-_]token[-_]?(count|usage|limit|remaining|reset|budget|len)|ratelimit|rate-limit|token-time")


@lru_cache(maxsize=1024)
def is_sensitive(name: str) -> bool:
    """Say whether a header of this name may hold a credential."""
    lower = name.lower()
    return lower in SENSITIVE or (_WORDS.search(lower) is not None and _COUNTS.search(lower) is None)


@lru_cache(maxsize=1024)
def is_kept(name: str, policy: Policy = DEFAULT) -> bool:
    """Say whether a header's value stays: the user's own lists come first, of which `redact` has the last word."""
    lower = name.lower()
    if lower in policy.redact:
        return False
    return lower in policy.keep or (is_harmless(lower) and not is_sensitive(lower))


@lru_cache(maxsize=1024)
def _is_plain(name: str, policy: Policy) -> bool | None:
    """Say whether a header's value stays as it is unless an address stands in it; None where it goes."""
    return not holds_place(name.lower()) if is_kept(name, policy) else None


def redact_headers(headers: Headers, policy: Policy = DEFAULT) -> Headers:
    """Return the headers in their order, every value of a name that is not kept replaced, an empty one too."""
    return tuple(
        [
            _again(name, value, policy) if len(value) <= LONGEST else _field(name, value, policy)
            for name, value in headers
        ]
    )


def _field(name: str, value: str, policy: Policy) -> tuple[str, str]:
    plain = _is_plain(name, policy)
    if plain and "://" not in value:
        return name, value
    return name, REDACTED if plain is None else redact_urls(name.lower(), value)


_again = lru_cache(maxsize=2048)(_field)
