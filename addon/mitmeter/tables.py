"""What the command line prints for people, as rich renderables."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Literal

from rich import box
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

from mitmeter.archive.record import Record
from mitmeter.exchange import Exchange, Headers, Outcome, Usage
from mitmeter.inflight import InFlight
from mitmeter.recovery import Verdict
from mitmeter.store.rows import Row, Stat
from mitmeter.summary import line, printable
from mitmeter.usage.form import outline

SHOWN = 20_000
LEAST = {"outcome": 12}
LEAST_OF_OTHERS = 8
SPARE = ("reasoning", "written", "cut", "p95 ms", "p95 first", "t/s", "failed", "cached", "first ms")
SPARE_OF_ROWS = ("t/s", "cached", "first ms", "api", "time", "in", "ms", "out")
SPARE_OF_OPEN = ("kB", "client", "api", "in", "state", "out")
STYLES = {
    Outcome.COMPLETE: "green",
    Outcome.CLIENT_ABORTED: "yellow",
    Outcome.UPSTREAM_ABORTED: "yellow",
    Outcome.ERROR: "red",
    Outcome.UNREACHABLE: "red",
}
SHRINKING = ("model", "api", "outcome")
DOING = {"waiting": "dim", "thinking": "magenta", "generating": "cyan"}


def _count(number: int | None) -> str:
    return "" if number is None else f"{number:,}"


def _rounded(number: float | None, digits: int = 0) -> str:
    return "" if number is None else f"{number:,.{digits}f}"


def _dollars(cost: float | None) -> str:
    if cost is None:
        return ""
    return f"{cost:.2f}" if cost >= 10 else "<0.0001" if 0 < cost < 0.0001 else f"{cost:.4f}"


def _when(started: float) -> str:
    try:
        when = datetime.fromtimestamp(started)
    except (ValueError, OverflowError, OSError):
        return "?"
    return when.fromtimestamp(started).astimezone().strftime("%m-%d %H:%M:%S")


class _Rows:
    """A table whose columns keep their width, but those named to shrink; a column's name ends in `>` for numbers.

    Where there is no room even so, those that are `spare` go, in that order.
    """

    def __init__(self, *columns: str, shrinking: tuple[str, ...], spare: tuple[str, ...] = ()) -> None:
        self.columns, self.shrinking, self.spare = columns, shrinking, spare
        self.cells = list[tuple[str | Text, ...]]()

    def add_row(self, *cells: str | Text) -> None:
        # Texts, since rich takes what is in brackets for a style of its own; and rows may come from another's archive.
        self.cells.append(tuple(cell if isinstance(cell, Text) else Text(printable(cell)) for cell in cells))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
        widths = self._widths(options.max_width)
        # rich would take from every column alike.
        for at, width in widths.items():
            name = self._name(at)
            side: Literal["left", "right"] = "left" if name == self.columns[at] else "right"
            table.add_column(name, justify=side, no_wrap=True, overflow="ellipsis", width=width)
        for cells in self.cells:
            table.add_row(*(cells[at] for at in widths))
        yield table

    def _name(self, at: int) -> str:
        return self.columns[at].removesuffix(">")

    def _widths(self, room: int) -> dict[int, int]:
        """Return the width of each column that is shown."""
        widths = {
            at: max([cell_len(self._name(at)), *(cell_len(str(cells[at])) for cells in self.cells)])
            for at in range(len(self.columns))
        }
        shrinking = [at for at in widths if self._name(at) in self.shrinking]
        spare = sorted((at for at in widths if self._name(at) in self.spare), key=lambda at: self._place(at))

        def excess() -> int:
            return sum(widths.values()) + 2 * len(widths) + 1 - room

        while spare and excess() > sum(max(0, widths[at] - self._least(at)) for at in shrinking if at in widths):
            del widths[spare.pop(0)]
        giving = [at for at in shrinking if at in widths]
        while excess() > 0 and (able := [at for at in giving if widths[at] > self._least(at)]):
            widths[max(able, key=lambda at: widths[at])] -= 1
        return widths

    def _least(self, at: int) -> int:
        return LEAST.get(self._name(at), LEAST_OF_OTHERS)

    def _place(self, at: int) -> int:
        return self.spare.index(self._name(at))


def _outcome(exchange: Exchange) -> Text:
    status = "" if exchange.status is None else f"{exchange.status} "
    error = printable(exchange.error, 60)
    named = exchange.outcome.value.replace("_", " ")
    return Text(f"{status}{named}{': ' if error else ''}{error}", STYLES[exchange.outcome])


def exchanges(rows: Iterable[Row], nothing: str = "") -> RenderableType:
    """Return the table of `ls`, oldest first, or what there is to say of no rows."""
    rows = list(rows)
    priced = ("$>",) if any(row.exchange.cost_usd is not None for row in rows) else ()
    counted = ("in>", "cached>", "out>", *priced, "first ms>", "ms>", "t/s>")
    table = _Rows("id>", "time", "model", "api", *counted, "outcome", shrinking=SHRINKING, spare=SPARE_OF_ROWS)
    for row in rows:
        exchange, usage, timing = row.exchange, row.exchange.usage, row.exchange.timing
        table.add_row(
            str(row.id),
            _when(exchange.started),
            printable(exchange.model, 36),
            " ".join(filter(None, (exchange.provider, exchange.api))),
            _count(usage.input_tokens),
            _count(usage.cache_read_tokens),
            _count(usage.output_tokens),
            *((_dollars(exchange.cost_usd),) if priced else ()),
            _rounded(timing.first_token_ms),
            _rounded(timing.duration_ms),
            _rounded(timing.tokens_per_second, 1),
            _outcome(exchange),
        )
    return table if table.cells else Text(nothing, "dim")


def sums(stats: Iterable[Stat], group: str, nothing: str = "") -> RenderableType:
    """Return the table of `stats`, or what there is to say of no rows."""
    stats = list(stats)
    priced = any(stat.cost_usd is not None for stat in stats)
    columns = ("requests>", "failed>", "cut>", "in>", "cached>", "written>", "out>", "reasoning>")
    columns += ("first ms>", "p95 first>", "ms>", "p95 ms>", "t/s>", *(("$>",) if priced else ()))
    table = _Rows(group, *columns, shrinking=(group,), spare=SPARE)
    for stat in stats:
        table.add_row(
            printable(stat.name) or "?",
            *(_count(number) for number in (stat.requests, stat.errors, stat.aborted, stat.input_tokens)),
            *(_count(number) for number in (stat.cache_read_tokens, stat.cache_write_tokens)),
            *(_count(number) for number in (stat.output_tokens, stat.reasoning_tokens)),
            *(_rounded(value) for value in (stat.first_token_ms, stat.first_token_ms_p95)),
            *(_rounded(value) for value in (stat.duration_ms, stat.duration_ms_p95)),
            _rounded(stat.tokens_per_second, 1),
            *((_dollars(stat.cost_usd),) if priced else ()),
        )
    return table if table.cells else Text(nothing, "dim")


def totals(stats: Iterable[Stat], counters: Mapping[str, int], group: str, nothing: str = "") -> RenderableType:
    """Return what `stats` prints: the table, what has no price, and what was dropped."""
    found = list(stats)
    unpriced = sum(stat.unpriced for stat in found) if any(stat.cost_usd is not None for stat in found) else 0
    told = {"without a price": unpriced} if unpriced else {}
    return Group(
        sums(found, group, nothing), *(Text(f"{name}: {n}", "yellow") for name, n in (told | dict(counters)).items())
    )


def tail_line(row: Row) -> str:
    """Return one line of `tail`."""
    return f"{_when(row.exchange.started)} {line(row.exchange, row.id).removeprefix('meter ')}"


def under_way(open_now: Iterable[InFlight]) -> RenderableType:
    """Return the table of exchanges that are not at their end; nothing where there are none."""
    columns = ("model", "api", "state", "s>", "in>", "out>", "kB>", "client")
    table = _Rows(*columns, shrinking=("model", "client"), spare=SPARE_OF_OPEN)
    for one in open_now:
        usage = one.usage or Usage()
        table.add_row(
            printable(one.model or one.request_model or one.path, 36),
            " ".join(filter(None, (one.provider, one.api))),
            Text(one.state, DOING[one.state]),
            f"{one.elapsed_ms / 1000:.1f}",
            _count(usage.input_tokens),
            _count(usage.output_tokens),
            f"{one.response_bytes / 1000:,.1f}",
            printable(one.client.agent or one.client.address, 24),
        )
    return table if table.cells else Text("")


def exchange(row: Row, record: Record | None) -> Iterator[RenderableType]:
    """Yield what `show` prints: the numbers, then the capture."""
    facts = Table(box=None, show_header=False, pad_edge=False)
    for name, value in _facts(row):
        if value:
            facts.add_row(Text(name, "dim"), value if isinstance(value, Text) else Text(printable(value)))
    yield facts
    if record is None:
        yield Text("\nno capture is kept", "dim")
        return
    capture = record.capture
    yield from _message("request", f"{capture.method} {capture.url}", capture.request_headers, capture.request_body)
    head = f"{capture.status} {capture.reason or ''}"
    yield from _message("response", head, capture.response_headers, capture.response_body)


def _facts(row: Row) -> Iterator[tuple[str, str | Text]]:
    exchange, usage, timing = row.exchange, row.exchange.usage, row.exchange.timing
    yield "id", f"{row.id}  {_when(exchange.started)}  flow {exchange.flow_id}"
    yield "request", f"{exchange.method} {exchange.host}{exchange.path}"
    yield "api", " ".join(filter(None, (exchange.provider, exchange.api, exchange.service_tier)))
    asked = f" (asked for {exchange.request_model})" if exchange.request_model not in (None, exchange.model) else ""
    yield "model", f"{exchange.model or ''}{asked}"
    yield "outcome", _outcome(exchange)
    yield "finish", exchange.finish or ""
    named = {
        "input": usage.input_tokens,
        "cached": usage.cache_read_tokens,
        "written to cache": usage.cache_write_tokens,
        "output": usage.output_tokens,
        "reasoning": usage.reasoning_tokens,
        "drafted": usage.draft_tokens,
        "accepted": usage.draft_accepted_tokens,
    }
    yield "tokens", ", ".join(f"{number:,} {name}" for name, number in named.items() if number is not None)
    times = {
        "headers": timing.headers_ms,
        "first byte": timing.first_byte_ms,
        "first token": timing.first_token_ms,
        "all": timing.duration_ms,
    }
    yield "ms", ", ".join(f"{_rounded(at, 1)} {name}" for name, at in times.items() if at is not None)
    rates = {"prompt": timing.prompt_per_second, "generation": timing.tokens_per_second}
    told = ", ".join(f"{_rounded(rate, 1)} {name}" for name, rate in rates.items() if rate is not None)
    yield "tokens/s", f"{told} (measured on the wire)" if told and timing.rate_source == "wire" else told
    sizes = exchange.sizes
    yield "bytes", f"{sizes.request_bytes:,} sent, {sizes.response_bytes:,} received, {sizes.decoded_bytes:,} decoded"
    said = " (as the provider says)" if exchange.cost_source == "provider" else ""
    yield "cost", "" if exchange.cost_usd is None else f"${exchange.cost_usd:.6f}{said}"
    yield "odd", Text(printable(", ".join(exchange.anomalies)), "yellow")


def _message(name: str, head: str, headers: Headers | None, body: bytes | None) -> Iterator[RenderableType]:
    lines = [Text(f"\n{name}  {printable(head, 2000)}", "bold")]
    lines += [Text.assemble((f"{printable(field)}: ", "dim"), printable(value, 2000)) for field, value in headers or ()]
    yield Group(*lines)
    if body is not None:
        yield Text("\n" + _body(outline(body) or body))


def _body(body: bytes) -> str:
    text = body[:SHOWN].decode("utf-8", "replace").replace("\r\n", "\n")
    shown = "".join(sign if sign.isprintable() or sign in "\n\t" else "\N{REPLACEMENT CHARACTER}" for sign in text)
    return shown + (f"\n… {len(body) - SHOWN:,} more bytes; use --json for all of them" if len(body) > SHOWN else "")


def verdict(found: Verdict, dry: bool) -> Iterator[Text]:
    """Yield what `verify` prints."""
    made = f"; {found.indexed} that were not indexed {'would be' if dry else 'are now'}" if found.indexed else ""
    rows = f", with {found.rows_made} rows made again" if found.rows_made else ""
    yield Text(f"{found.segments} segments, {found.captures} captures read{made}{rows}")
    for finding in found.findings:
        lost = f": exchanges {', '.join(map(str, finding.idents[:20]))}" if finding.idents else ""
        more = " …" if len(finding.idents) > 20 else ""
        place = f"{finding.segment}: " if finding.segment else ""
        yield Text(f"{finding.kind}  {place}{printable(finding.what, 300)}{lost}{more}", "red")
    yield Text("sound", "green") if found.sound else Text("damaged: what is not named here is whole", "red")
