"""What exporters are told of an exchange beside its row. Pure."""

from typing import Any
from urllib.parse import urlsplit

from mitmeter.exchange import Opening, Trace, field_value
from mitmeter.usage.dialect import Dialect
from mitmeter.usage.settings import settings

PORTS = {"https": 443, "http": 80, "wss": 443, "ws": 80}


def trace(opening: Opening, dialect: Dialect, document: Any, arrivals: tuple[float, ...]) -> Trace:
    """Return it for a request to an API, with what its body says, and when the chunks with generated tokens came."""
    address = urlsplit(opening.url)
    try:
        port = address.port or PORTS.get(address.scheme)
    except ValueError:
        port = None
    parent = field_value(opening.headers, "traceparent")
    asked = settings(document) if isinstance(document, dict) else {}
    return Trace(parent=parent, port=port, consumes=dialect.consumes, asked=asked, arrivals=arrivals)
