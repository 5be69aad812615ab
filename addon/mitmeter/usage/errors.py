"""What a body says went wrong: (type, message), in the shapes that providers use.

`{"error": {"type", "code", "message"}}`, `{"error": {"Code", "Message"}}`, `{"error": "…"}`, `{"message"}`,
`{"Message"}`, `{"detail": "…"}`, `{"detail": [{"msg"}]}`, `{"errors": [{"code", "message"}]}`,
`{"error": "…", "error_type"}`, `{"message", "error_code"}`, `[{"error": {…}}]`.
"""

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from mitmeter.usage.paths import dig, path

LIMIT = 500

type Error = tuple[str | None, str | None]


def _text(value: Any) -> str | None:
    return value.strip() or None if isinstance(value, str) else None


def _first(told: dict[str, Any], *names: str) -> str | None:
    return next((text for name in names if (text := _text(told.get(name)))), None)


def _of_object(error: dict[str, Any]) -> Error:
    return _first(error, "type", "code", "status", "Code"), _first(error, "message", "Message", "Msg")


def _listed(items: Any, name: str) -> str | None:
    if not isinstance(items, list):
        return None
    return next((text for item in items if isinstance(item, dict) and (text := _text(item.get(name)))), None)


def read_error(document: Any) -> Error:
    """Return the error's type and message out of a decoded error body; None where it does not say."""
    if isinstance(document, list):
        return next((found for item in document[:8] if any(found := read_error(item))), (None, None))
    if not isinstance(document, dict):
        return None, None
    error = document.get("error")
    kind, message = _of_object(error) if isinstance(error, dict) else (None, _text(error))
    if message is None:
        message = _first(document, "message", "detail", "Message")
    if message is None and (message := _listed(document.get("detail"), "msg")) is None:
        message = _listed(document.get("errors"), "message")
        kind = kind or _listed(document.get("errors"), "code")
    if kind is None and message is not None and not isinstance(error, dict):
        kind = _text(document.get("type")) if document.get("object") == "error" else None
        kind = kind or _first(document, "error_type", "error_code", "code")
    return shorten(kind), shorten(message)


def error_at(document: dict[str, Any], places: Iterable[str]) -> Error:
    """Return the same out of a message that tells of an error: one that stands at these places, else the message."""
    for at in places:
        error = dig(document, path(at))
        if isinstance(error, dict | str) and error:
            kind, message = read_error({"error": error})
            kind = kind or (read_error(document)[0] if isinstance(error, str) else None)
            return kind, message or kind
    kind, message = read_error(document)
    return kind, message or kind


def shorten(message: str | None) -> str | None:
    """Cut a message to 500 bytes of UTF-8 at a character's edge and mark the cut with `...`."""
    if message is None or len(message.encode("utf-8", "replace")) <= LIMIT:
        return message
    return message.encode("utf-8", "replace")[:LIMIT].decode("utf-8", "ignore") + "..."


def status_text(status: int) -> str:
    """Return `502 Bad Gateway`, or `HTTP 520` for a status without a registered phrase."""
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return f"HTTP {status}"
