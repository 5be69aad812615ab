"""What exporters are told of an exchange beside its row. Pure."""

from urllib.parse import urlsplit

from mitmeter.exchange import Opening, Trace, field_value
from mitmeter.usage.dialect import Dialect

PORTS = {"https": 443, "http": 80, "wss": 443, "ws": 80}


def trace(opening: Opening, dialect: Dialect, arrivals: tuple[float, ...]) -> Trace:
    """Return it for a request to an API, and when the chunks with generated tokens of its response had arrived."""
    address = urlsplit(opening.url)
    try:
        port = address.port or PORTS.get(address.scheme)
    except ValueError:
        port = None
    parent = field_value(opening.headers, "traceparent")
    return Trace(parent=parent, port=port, consumes=dialect.consumes, arrivals=arrivals)
