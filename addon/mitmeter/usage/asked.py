"""What a request asked for: the model, and whether it wants a stream, out of a JSON or form body."""

from typing import Any
from urllib.parse import parse_qs

from msgspec import Struct

from mitmeter.usage.dialect import Dialect
from mitmeter.usage.documents import NotADocument, request_decoder
from mitmeter.usage.reading import first_text

FIELD = b'name="model"'
LONGEST = 512


class Asked(Struct, frozen=True):
    """`document` holds the members of a JSON body that its dialect names."""

    model: str | None = None
    stream: bool = False
    document: dict[str, Any] | None = None


def read_request(dialect: Dialect, content_type: str, body: bytes) -> Asked:
    """Return what a request asked for, as far as the body says."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        return Asked(_multipart(body))
    if kind == "application/x-www-form-urlencoded" and not body.lstrip().startswith(b"{"):
        return Asked(_urlencoded(body))
    return _document(dialect, body)


def _document(dialect: Dialect, body: bytes) -> Asked:
    try:
        document = request_decoder(dialect)(body)
    except NotADocument:
        return Asked()
    if not isinstance(document, dict):
        return Asked()
    return Asked(first_text(document, dialect.request_model), document.get("stream") is True, document)


def _urlencoded(body: bytes) -> str | None:
    try:
        fields = parse_qs(body[: 1 << 16].decode("utf-8", "replace"), max_num_fields=100)
    except ValueError:
        return None
    return next(iter(fields.get("model", ())), None)


def _multipart(body: bytes) -> str | None:
    """Find the form field `model` (RFC 7578): a header line, an empty line, the value, a boundary."""
    at = body.find(FIELD)
    if at < 0:
        return None
    start = body.find(b"\r\n\r\n", at, at + LONGEST)
    if start < 0:
        return None
    end = body.find(b"\r\n", start + 4, start + 4 + LONGEST)
    return body[start + 4 : end].decode("utf-8", "replace").strip() or None if end >= 0 else None
