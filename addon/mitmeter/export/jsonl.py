"""One JSON object an exchange, as `show --json` prints it. Pure."""

import base64
from collections.abc import Iterable
from typing import Any

from mitmeter.archive.record import Record
from mitmeter.store.rows import Row, Stat
from mitmeter.store.surface import to_json

_PLAIN = ("method", "url", "http_version", "status", "reason", "request_headers", "response_headers")


def exchange(row: Row, record: Record | None) -> dict[str, Any]:
    """Return the row with its capture."""
    return {**to_json(row), "capture": None if record is None else capture_json(record)}


def sums(group: str, stats: Iterable[Stat], counters: dict[str, int]) -> dict[str, Any]:
    """Return what `stats --json` prints."""
    groups = [{field: getattr(stat, field) for field in stat.__struct_fields__} for stat in stats]
    return {"by": group, "groups": groups, "counters": counters}


def capture_json(record: Record) -> dict[str, Any]:
    """Return a capture in plain values: headers as lists of pairs, bodies as text, or base64 where they are none."""
    capture = record.capture
    plain: dict[str, Any] = {name: getattr(capture, name) for name in _PLAIN}
    plain["response_trailers"] = capture.response_trailers
    for side in ("request", "response"):
        body, encoding = body_text(getattr(capture, f"{side}_body"))
        plain[f"{side}_body"], plain[f"{side}_body_encoding"] = body, encoding
        plain[f"{side}_cut"] = getattr(capture, f"{side}_cut")
    plain["coding"] = capture.coding
    plain["timeline"] = capture.timeline
    return plain


def body_text(body: bytes | None) -> tuple[str | None, str | None]:
    """Return a body and how it is written: `text`, or `base64` where it is not UTF-8."""
    if body is None:
        return None, None
    try:
        return body.decode("utf-8"), "text"
    except UnicodeDecodeError:
        return base64.b64encode(body).decode("ascii"), "base64"
