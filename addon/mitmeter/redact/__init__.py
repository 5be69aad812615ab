"""Capture -> Redacted. Nothing else makes a `Redacted`, and sinks accept nothing else."""

from typing import NewType

from msgspec.structs import replace

from mitmeter.exchange import Capture
from mitmeter.redact.headers import redact_headers, redact_url

Redacted = NewType("Redacted", Capture)


def redact(capture: Capture) -> Redacted:
    """Take the credentials out of a capture: header values, query values, the user part of the URL."""
    return Redacted(
        replace(
            capture,
            url=redact_url(capture.url),
            request_headers=None if capture.request_headers is None else redact_headers(capture.request_headers),
            response_headers=None if capture.response_headers is None else redact_headers(capture.response_headers),
            response_trailers=None if capture.response_trailers is None else redact_headers(capture.response_trailers),
        )
    )


def without_bodies(redacted: Redacted) -> Redacted:
    """Return the capture with its headers only."""
    return Redacted(replace(redacted, request_body=None, response_body=None))
