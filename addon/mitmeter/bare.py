"""The row of an exchange that could not be read: its head, its outcome, and that metering failed. Pure."""

from urllib.parse import urlsplit

from mitmeter.exchange import Answer, Exchange, Opening, Outcome, Timing
from mitmeter.recorder import UNKNOWN
from mitmeter.redact import Redactor
from mitmeter.usage.registry import Match


def bare(opening: Opening, answer: Answer | None, match: Match | None, outcome: Outcome, at: float) -> Exchange:
    """Return it for an exchange that ended at `at`, by the same clock as `Opening.zero`."""
    address = urlsplit(opening.url)
    reader = match or UNKNOWN
    exchange = Exchange(
        flow_id=opening.flow_id,
        started=opening.started,
        method=opening.method,
        host=address.hostname or "",
        path=address.path,
        provider=reader.provider or None,
        api=reader.dialect.api or None,
        operation=reader.dialect.operation or None,
        status=answer.status if answer else None,
        outcome=Outcome.ERROR if answer is not None and answer.status >= 400 else outcome,
        timing=Timing(duration_ms=round(max(0.0, at - opening.zero) * 1000, 3)),
        client=opening.client,
        anomalies=("metering_failed",),
    )
    answered = [answer.headers] if answer else []
    return Redactor(opening.headers, opening.url, answered).exchange(exchange)
