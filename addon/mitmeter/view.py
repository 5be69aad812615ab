"""The mitmproxy content view: numbers first, then the reply as people read it.

It runs on the event loop each time someone looks, so its input, its output and the width of its lines are bounded.
"""

import textwrap
from typing import Any

from mitmproxy import http
from mitmproxy.contentviews import Contentview, Metadata, SyntaxHighlight
from msgspec import to_builtins

from mitmeter import flows
from mitmeter.exchange import Outcome
from mitmeter.recorder import Limits, Recorder
from mitmeter.summary import count, printable
from mitmeter.usage.block import ENCODED, Block, described
from mitmeter.usage.registry import Match
from mitmeter.usage.reply import Reply
from mitmeter.wire import MessageDecoder
from mitmeter.wire.codings import Codings

NOTES = "mitmeter"
WIDTH = 110
SHOWN = 1 << 18
PRIORITY = 5
RULE = 60
TIMES = {"headers": "headers_ms", "first byte": "first_byte_ms", "first token": "first_token_ms", "all": "duration_ms"}


class ExchangeView(Contentview):
    """Shows an LLM response: tokens, clock, outcome, and the text, thinking and tool calls put together."""

    @property
    def name(self) -> str:
        """The view's name in menus."""
        return "LLM"

    @property
    def syntax_highlight(self) -> SyntaxHighlight:
        """Highlight the numbers as YAML."""
        return "yaml"

    def render_priority(self, data: bytes, metadata: Metadata) -> float:
        """Return a high priority for responses of metered flows, a negative one for all else."""
        if not data or _reader(metadata) is None:
            return -1
        return PRIORITY

    def prettify(self, data: bytes, metadata: Metadata) -> str:
        """Return the text to show; raises ValueError where no dialect reads the flow."""
        reader = _reader(metadata)
        flow, response = metadata.flow, metadata.http_message
        if reader is None or not isinstance(flow, http.HTTPFlow) or not isinstance(response, http.Response):
            raise ValueError("not a response of an LLM API")
        body = _decoded(response, data)
        row = flow.metadata.get(NOTES)
        shown = numbers(row if isinstance(row, dict) else _row(flow, reader, body))
        return "\n".join([*shown, *conversation(_blocks(reader, response, body))])


def _reader(metadata: Metadata) -> Match | None:
    flow = metadata.flow
    if not isinstance(flow, http.HTTPFlow) or not isinstance(metadata.http_message, http.Response):
        return None
    return flows.match(flow)


def _decoded(response: http.Response, data: bytes) -> bytes:
    """Return the body decompressed as far as it goes, which a cut stream needs."""
    raw = response.raw_content
    if raw is None:
        return data
    codings = Codings(
        response.headers.get_all("content-encoding"), output_limit=Limits().body, ratio_limit=Limits().ratio
    )
    return codings.feed(raw) + codings.close()


def _row(flow: http.HTTPFlow, reader: Match, body: bytes) -> dict[str, Any]:
    """Read a flow that was not metered live, without a clock."""
    recorder = Recorder(flows.opening(flow, 0.0), reader)
    head = flows.answer(flow)
    if head is not None:
        plain = tuple(field for field in head.headers if field[0].lower() != "content-encoding")
        recorder.answer(type(head)(status=head.status, reason=head.reason, headers=plain), 0.0)
        recorder.whole(body, 0.0)
    exchange, _ = recorder.close(Outcome.COMPLETE if flow.error is None else flows.cut_by(flow), 0.0)
    row: dict[str, Any] = to_builtins(exchange)
    return {**row, "timing": {}}


def _blocks(reader: Match, response: http.Response, body: bytes) -> list[Block]:
    messages = MessageDecoder(
        response.headers.get("content-type", ""), limit=Limits().body, stream=reader.dialect.streams
    )
    found = messages.feed(body) + messages.close()
    reply = Reply(reader.dialect, streaming=messages.streaming, limit=SHOWN)
    reply.feed(found)
    return reply.blocks()


def numbers(row: dict[str, Any]) -> list[str]:
    """Return the head of the view as `name: value` lines, without what is not known."""
    usage, timing = row["usage"], row["timing"]
    outcome = " · ".join(filter(None, (row["outcome"], row["finish"])))
    lines = [
        ("model", printable(row["model"])),
        ("api", " ".join(filter(None, (row["provider"], row["api"], row["service_tier"])))),
        ("outcome", printable(outcome)),
        ("error", printable(row["error"], 1000)),
        ("tokens", _tokens(usage)),
        ("time", _times(timing)),
        ("rate", _rates(timing)),
        ("odd", ", ".join(row["anomalies"])),
    ]
    return [f"{name + ':':9}{value}" for name, value in lines if value]


def _tokens(usage: dict[str, Any]) -> str:
    if usage["input_tokens"] is None and usage["output_tokens"] is None:
        return "the server sent no usage"
    parts = {"cached": usage["cache_read_tokens"], "written to cache": usage["cache_write_tokens"]}
    inside = ", ".join(f"{number} {name}" for name, number in parts.items() if number is not None)
    thought = usage["reasoning_tokens"]
    given = f"{count(usage['input_tokens'])} in" + (f" ({inside})" if inside else "")
    return f"{given} → {count(usage['output_tokens'])} out" + ("" if thought is None else f" ({thought} reasoning)")


def _times(timing: dict[str, Any]) -> str:
    named = {
        "headers": "headers_ms",
        "first byte": "first_byte_ms",
        "first token": "first_token_ms",
        "all": "duration_ms",
    }
    return " · ".join(f"{name} {timing[key]:.0f} ms" for name, key in named.items() if timing.get(key) is not None)


def _rates(timing: dict[str, Any]) -> str:
    named = {"prompt": "prompt_per_second", "generation": "tokens_per_second"}
    told = [f"{name} {timing[key]:.1f} t/s" for name, key in named.items() if timing.get(key) is not None]
    return " · ".join(told) + (" (measured on the wire)" if told and timing.get("rate_source") == "wire" else "")


def conversation(blocks: list[Block]) -> list[str]:
    """Return the blocks of a reply as wrapped lines, each under its kind."""
    lines: list[str] = []
    for block in blocks:
        lines += ["", f"── {block.kind} " + "─" * (RULE - len(block.kind))]
        shown = described(block) if block.kind in ENCODED else block.text
        for paragraph in (f"{block.name}({shown})" if block.name else shown).splitlines() or [""]:
            lines += textwrap.wrap(paragraph, WIDTH, replace_whitespace=False, drop_whitespace=False) or [""]
    return lines
