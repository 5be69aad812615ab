"""A captured request as a command for a shell, with the key as a variable. Pure."""

import base64
import re
from shlex import quote

from mitmeter.exchange import Capture
from mitmeter.redact.urls import REDACTED

VARIABLE = '"$API_KEY"'
NAMED = frozenset({"authorization", "x-api-key", "api-key", "x-goog-api-key"})

_LEFT_OUT = frozenset(
    (
        *("host", "content-length", "accept-encoding", "connection", "proxy-connection", "keep-alive"),
        *("transfer-encoding", "te", "upgrade", "expect", "cookie", "proxy-authorization"),
    )
)
_PARTS = re.compile(re.escape(REDACTED))


def curl(capture: Capture) -> str:
    """Return the command. What is redacted becomes the variable where a key belongs, else it is left out."""
    lines = [f"curl {_worded(capture.url)}"]
    if capture.method != ("GET" if capture.request_body is None else "POST"):
        lines.append(f"-X {quote(capture.method)}")
    for name, value in capture.request_headers or ():
        lower = name.lower()
        if lower in _LEFT_OUT or name.startswith(":"):
            continue
        if lower == "authorization" and value == REDACTED:
            lines.append(f"-H 'Authorization: Bearer '{VARIABLE}")
        elif REDACTED not in value or lower in NAMED:
            lines.append(f"-H {_worded(f'{name}: {value}')}")
    before, data = _data(capture.request_body)
    return before + " \\\n  ".join(lines + data)


def _worded(text: str) -> str:
    """Quote a text for a shell, with the variable in place of what is redacted."""
    return VARIABLE.join(quote(part) if part else "" for part in _PARTS.split(text))


def _data(body: bytes | None) -> tuple[str, list[str]]:
    """Return what comes before curl, and its options for the body: binary bytes come in a pipe."""
    if not body:
        return "", []
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        return f"printf %s {base64.b64encode(body).decode()} | base64 -d | ", ["--data-binary @-"]
    return "", [f"--data-raw {quote(text)}"]
