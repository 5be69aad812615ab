"""An exchange in a few words: for the comment column, the marker, the log and tables. Pure."""

import unicodedata
from collections.abc import Iterable

from mitmeter.budget import OVER_COST, OVER_TOKENS
from mitmeter.exchange import Exchange, Outcome
from mitmeter.store.rows import Stat

MARKERS = {
    Outcome.COMPLETE: "",
    Outcome.CLIENT_ABORTED: ":scissors:",
    Outcome.UPSTREAM_ABORTED: ":electric_plug:",
    Outcome.ERROR: ":x:",
    Outcome.UNREACHABLE: ":no_entry:",
}
OVER = {OVER_COST: "over the day's cost", OVER_TOKENS: "over the day's tokens"}
UNKNOWN = "?"


def printable(text: str | None, limit: int = 200) -> str:
    """Return the text on one line without control characters, so that it can forge neither log lines nor escapes."""
    kept = "".join(" " if unicodedata.category(sign).startswith(("C", "Z")) else sign for sign in (text or "")[:limit])
    return " ".join(kept.split())


def count(number: int | None) -> str:
    """Return a count, `?` where nobody said."""
    return UNKNOWN if number is None else str(number)


def tokens(exchange: Exchange) -> str:
    """Return `4321→29 tok`, empty where no count is known."""
    usage = exchange.usage
    if usage.input_tokens is None and usage.output_tokens is None:
        return ""
    return f"{count(usage.input_tokens)}→{count(usage.output_tokens)} tok"


def remark(exchange: Exchange) -> str:
    """Return the tokens first, then what went wrong, then the times: `4321→29 tok · 153 ms · 26 t/s`."""
    timing = exchange.timing
    waited = timing.first_token_ms if timing.first_token_ms is not None else timing.duration_ms
    wrong = exchange.outcome is not Outcome.COMPLETE
    words = [
        tokens(exchange),
        *((exchange.outcome.value.replace("_", " "), printable(exchange.error)) if wrong else ()),
        *(said for anomaly, said in OVER.items() if anomaly in exchange.anomalies),
        "" if waited is None else f"{waited:.0f} ms",
        "" if timing.tokens_per_second is None else f"{timing.tokens_per_second:.0f} t/s",
        f"{exchange.usage.cache_read_tokens} cached" if exchange.usage.cache_read_tokens else "",
    ]
    return " · ".join(filter(None, words))


def marker(exchange: Exchange) -> str:
    """Return the marker of an exchange that was cut, failed or crossed a day's budget, else nothing."""
    over = any(anomaly in OVER for anomaly in exchange.anomalies)
    return MARKERS[exchange.outcome] or (":moneybag:" if over else "")


def line(exchange: Exchange, ident: int) -> str:
    """Return one log line."""
    model = printable(exchange.model or exchange.request_model) or UNKNOWN
    status = "-" if exchange.status is None else str(exchange.status)
    place = f"{printable(exchange.provider) or UNKNOWN} {model} {printable(exchange.path)}"
    return f"meter #{ident} {place} {status} {remark(exchange)}"


def totals(stats: Iterable[Stat]) -> str:
    """Return a plain table of sums by group."""
    rows: list[tuple[str, ...]] = [("", "requests", "failed", "cut", "input", "cached", "output", "reasoning")]
    for stat in stats:
        sums = (stat.input_tokens, stat.cache_read_tokens, stat.output_tokens, stat.reasoning_tokens)
        name = printable(stat.name) or UNKNOWN
        rows.append((name, str(stat.requests), str(stat.errors), str(stat.aborted), *(count(total) for total in sums)))
    return columns(rows)


def columns(rows: list[tuple[str, ...]]) -> str:
    """Return rows of cells as lines, the first column flush left, the others flush right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        )
        for row in rows
    )
