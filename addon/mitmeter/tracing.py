"""What exporters are told of an exchange beside its row. Pure."""

from urllib.parse import urlsplit

from mitmeter.exchange import Opening, Trace, field_value

PORTS = {"https": 443, "http": 80, "wss": 443, "ws": 80}


def trace(opening: Opening, arrivals: tuple[float, ...]) -> Trace:
    """Return it for a request, and when the chunks with generated tokens of its response had arrived."""
    address = urlsplit(opening.url)
    try:
        port = address.port or PORTS.get(address.scheme)
    except ValueError:
        port = None
    return Trace(parent=field_value(opening.headers, "traceparent"), port=port, arrivals=arrivals)
