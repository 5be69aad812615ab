"""Capture -> Redacted. Nothing else makes a `Redacted`, and sinks accept nothing else."""

from typing import Any

from msgspec.structs import asdict, replace

from mitmeter.exchange import Capture, Headers
from mitmeter.redact.headers import redact_headers, redact_url


class Redacted(Capture, frozen=True, kw_only=True):
    """A capture that may be stored."""


def redact(capture: Capture) -> Redacted:
    """Take the credentials out of a capture: header values, query values, the user part of the URL."""
    fields: dict[str, Any] = asdict(capture)
    for name in ("request_headers", "response_headers", "response_trailers"):
        headers: Headers | None = fields[name]
        fields[name] = None if headers is None else redact_headers(headers)
    return Redacted(**{**fields, "url": redact_url(capture.url)})


def without_bodies(redacted: Redacted) -> Redacted:
    """Return the capture with its headers only."""
    return replace(redacted, request_body=None, response_body=None)
