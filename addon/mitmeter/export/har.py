"""An exchange as an entry of a HAR 1.2 log (http://www.softwareishard.com/blog/har-12-spec/). Pure.

Bodies are decompressed, as HAR wants them. Of cookies nothing is told but what the redacted headers hold. What HAR has
no place for is under `_meter`: the row; what cut an exchange short is `_error`, as Chrome has it.
"""

from typing import Any
from urllib.parse import parse_qsl, urlsplit

from mitmeter.archive.record import Record
from mitmeter.exchange import Capture, Headers, field_values
from mitmeter.export.jsonl import body_text
from mitmeter.store.rows import Row
from mitmeter.store.surface import to_json

HEAD = '{"log":{"version":"1.2","creator":{"name":"mitmeter","version":"%s"},"pages":[],"entries":[\n'
BETWEEN = ",\n"
TAIL = "\n]}}\n"


def entry(row: Row, record: Record) -> dict[str, Any]:
    """Return the entry of an exchange with its capture."""
    plain, capture, timing = to_json(row), record.capture, row.exchange.timing
    taken = timing.duration_ms or 0.0
    waited = min(timing.headers_ms or 0.0, taken)
    return {
        "startedDateTime": plain["started"],
        "time": taken,
        "request": _request(row, capture),
        "response": _response(row, capture),
        "cache": {},
        "timings": {"blocked": -1, "dns": -1, "connect": -1, "send": 0, "wait": waited, "receive": taken - waited},
        "comment": row.exchange.error or "",
        "_meter": plain,
    }


def _request(row: Row, capture: Capture) -> dict[str, Any]:
    query = parse_qsl(urlsplit(capture.url).query, keep_blank_values=True)
    told: dict[str, Any] = {
        "method": capture.method,
        "url": capture.url,
        "httpVersion": capture.http_version,
        "cookies": [],
        "headers": _named(capture.request_headers),
        "queryString": _named(tuple(query)),
        "headersSize": -1,
        "bodySize": row.exchange.sizes.request_bytes,
    }
    text, encoding = body_text(capture.request_body)
    if text is not None:
        kind = ", ".join(field_values(capture.request_headers or (), "content-type"))
        told["postData"] = {"mimeType": kind, "params": [], "text": text}
        if encoding == "base64":
            told["postData"] |= {"encoding": "base64", "comment": "base64"}
    return told


def _response(row: Row, capture: Capture) -> dict[str, Any]:
    text, encoding = body_text(capture.response_body)
    content: dict[str, Any] = {
        "size": row.exchange.sizes.decoded_bytes,
        "mimeType": row.exchange.content_type or "application/octet-stream",
        "compression": row.exchange.sizes.decoded_bytes - row.exchange.sizes.response_bytes,
    }
    if text is not None:
        content["text"] = text
    if encoding == "base64":
        content["encoding"] = "base64"
    return {
        "status": capture.status or 0,
        "statusText": capture.reason or "",
        "httpVersion": capture.http_version,
        "cookies": [],
        "headers": _named(capture.response_headers),
        "content": content,
        "redirectURL": "".join(field_values(capture.response_headers or (), "location")[:1]),
        "headersSize": -1,
        "bodySize": row.exchange.sizes.response_bytes,
        **({} if row.exchange.cut_short is None else {"_error": row.exchange.cut_short}),
    }


def _named(pairs: Headers | None) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in pairs or ()]
