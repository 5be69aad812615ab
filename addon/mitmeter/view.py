"""The mitmproxy content view of requests and responses: numbers first, then the conversation as people read it.

It runs on the event loop each time someone looks, so its input, its output and the width of its lines are bounded.
A message of a WebSocket is shown by what it says; one that says nothing is left to the view of JSON.
"""

import textwrap
from typing import Any

from mitmproxy import http
from mitmproxy.contentviews import Contentview, Metadata, SyntaxHighlight
from msgspec import to_builtins

from mitmeter import flows, transcript
from mitmeter.conversation import Conversation, Limits, reply_blocks, request_turns
from mitmeter.exchange import Outcome
from mitmeter.recorder import Limits as BodyLimits
from mitmeter.recorder import Recorder
from mitmeter.summary import count, printable
from mitmeter.usage.block import Block, decoded_size, described, sized
from mitmeter.usage.documents import NotADocument, response_decoder
from mitmeter.usage.form import parts
from mitmeter.usage.pieces import generated
from mitmeter.usage.registry import Match
from mitmeter.wire.codings import Codings

NOTES = "mitmeter"
PRIORITY = 5
INDENT = 9
OPENINGS = (b"{", b"[")
TIMES = {"headers": "headers_ms", "first byte": "first_byte_ms", "first token": "first_token_ms", "all": "duration_ms"}
RATES = {"prompt": "prompt_per_second", "generation": "tokens_per_second"}
ASKED = Limits(text=1 << 18, block=1 << 16, turns=200, body=16 << 20)
HEARD = Limits(text=1 << 14, body=1 << 20)
ANSWERED = Limits(text=1 << 18, block=1 << 16, body=4 << 20)

type Message = http.Request | http.Response


class ExchangeView(Contentview):
    """Shows what is said to a model, with what is new set apart, and what it replied, put together."""

    @property
    def name(self) -> str:
        """The view's name in menus."""
        return "LLM"

    @property
    def syntax_highlight(self) -> SyntaxHighlight:
        """No highlighting: it is text."""
        return "none"

    def render_priority(self, data: bytes, metadata: Metadata) -> float:
        """Return a high priority for what a dialect reads, a negative one for all else."""
        if metadata.websocket_message is not None:
            return -1 if _heard(data, metadata) is None else PRIORITY
        found = _read_by(metadata)
        if not data or found is None:
            return -1
        message, reader = found
        if isinstance(message, http.Request):
            readable = data.lstrip()[:1] in OPENINGS and bool(reader.dialect.prompt.places)
            readable = readable or next(parts(data), None) is not None
            return PRIORITY if readable else -1
        return PRIORITY

    def prettify(self, data: bytes, metadata: Metadata) -> str:
        """Return the text to show; raises ValueError where no dialect reads the message, or finds nothing in it."""
        if (heard := _heard(data, metadata)) is not None:
            return heard
        found = _read_by(metadata)
        flow = metadata.flow
        if found is None or not isinstance(flow, http.HTTPFlow):
            raise ValueError("not a message of an LLM API")
        message, reader = found
        row = flow.metadata.get(NOTES)
        known = row if isinstance(row, dict) else None
        if isinstance(message, http.Request):
            return "\n".join(_asked(data, reader, known))
        return "\n".join(_answered(data, flow, reader, known))


def _read_by(metadata: Metadata) -> tuple[Message, Match] | None:
    flow, message = metadata.flow, metadata.http_message
    if not isinstance(flow, http.HTTPFlow) or not isinstance(message, http.Request | http.Response):
        return None
    reader = flows.match(flow)
    return None if reader is None else (message, reader)


def _heard(data: bytes, metadata: Metadata) -> str | None:
    """Return what one message of a WebSocket says, None where it says nothing that people read."""
    message, flow = metadata.websocket_message, metadata.flow
    if message is None or not isinstance(flow, http.HTTPFlow) or len(data) > HEARD.body:
        return None
    reader = flows.match(flow)
    if reader is None:
        return None
    if message.from_client:
        turns, _ = request_turns(reader.dialect, data.replace(b"\n", b" "), HEARD)
        return "\n".join(transcript.asked(Conversation(turns=turns))).strip("\n") or None
    try:
        document = response_decoder(reader.dialect)(data)
    except NotADocument:
        return None
    piece = generated(document, reader.dialect.parts)
    if piece is None:
        return None
    kind, text = piece
    said = described(Block(kind, size=decoded_size(len(text)))) if kind == "media" else text
    name = document.get("type")
    return "\n".join(transcript.wrapped(f"{printable(name)}: {said}" if isinstance(name, str) else said))


def _asked(data: bytes, reader: Match, row: dict[str, Any] | None) -> list[str]:
    turns, missing = request_turns(reader.dialect, data, ASKED)
    if not turns and not missing:
        raise ValueError("nothing that a model reads")
    resent = sum(not turn.new for turn in turns)
    many = f"{len(turns)} turn{'' if len(turns) == 1 else 's'}"
    told = f"{many}, {len(turns) - resent} new" if resent else f"{many}, all new"
    model = None if row is None else row["request_model"] or row["model"]
    words = (printable(model), f"{reader.provider} {reader.dialect.api}", told, sized(len(data)))
    head = [("tokens", _tokens(row["usage"]) if row else ""), ("asked", " · ".join(filter(None, words)))]
    return [*_named(head), *transcript.asked(Conversation(turns=turns, left_out=missing))]


def _answered(data: bytes, flow: http.HTTPFlow, reader: Match, row: dict[str, Any] | None) -> list[str]:
    response = flow.response
    assert response is not None
    body = _decoded(response, data)
    kind = response.headers.get("content-type", "")
    blocks, missing = reply_blocks(reader.dialect, body, kind, ANSWERED)
    if row is None and len(body) <= ANSWERED.body:
        row = row_of(flow, reader, body)
    shown = [] if row is None else numbers(row)
    return [*shown, *transcript.answered(Conversation(reply=blocks, left_out=missing))]


def _decoded(response: http.Response, data: bytes) -> bytes:
    """Return the body decompressed as far as it goes, which a cut stream needs."""
    raw, named = response.raw_content, response.headers.get_all("content-encoding")
    if raw is None or not named:
        return data
    codings = Codings(named, output_limit=ANSWERED.body, ratio_limit=BodyLimits().ratio)
    return codings.feed(raw) + codings.close()


def row_of(flow: http.HTTPFlow, reader: Match, body: bytes) -> dict[str, Any]:
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


def numbers(row: dict[str, Any]) -> list[str]:
    """Return the head of the view as `name: value` lines, without what is not known."""
    api = " ".join(filter(None, (row["provider"], row["api"], row["service_tier"])))
    lines = [
        ("tokens", _tokens(row["usage"])),
        ("cost", _cost(row)),
        ("time", _times(row["timing"])),
        ("rate", _rates(row["timing"])),
        ("reply", printable(" · ".join(filter(None, (row["model"], api, row["outcome"], row["finish"]))))),
        ("error", printable(row["error"], 1000)),
        ("odd", ", ".join(row["anomalies"])),
    ]
    return _named(lines)


def _named(lines: list[tuple[str, str]]) -> list[str]:
    found: list[str] = []
    for name, value in lines:
        for number, line in enumerate(textwrap.wrap(value, transcript.WIDTH - INDENT)):
            found.append((f"{name}:" if number == 0 else "").ljust(INDENT) + line)
    return found


def _tokens(usage: dict[str, Any]) -> str:
    if usage["input_tokens"] is None and usage["output_tokens"] is None:
        return "the server sent no usage"
    parts = {"cached": usage["cache_read_tokens"], "written to cache": usage["cache_write_tokens"]}
    inside = ", ".join(f"{number} {name}" for name, number in parts.items() if number is not None)
    thought = usage["reasoning_tokens"]
    given = f"{count(usage['input_tokens'])} in" + (f" ({inside})" if inside else "")
    return f"{given} → {count(usage['output_tokens'])} out" + ("" if thought is None else f" ({thought} reasoning)")


def _cost(row: dict[str, Any]) -> str:
    cost, said_by = row.get("cost_usd"), row.get("cost_source")
    return "" if cost is None else f"${cost:.6f}" + (f" ({said_by})" if said_by else "")


def _times(timing: dict[str, Any]) -> str:
    return " · ".join(f"{name} {timing[key]:.0f} ms" for name, key in TIMES.items() if timing.get(key) is not None)


def _rates(timing: dict[str, Any]) -> str:
    told = [f"{name} {timing[key]:.1f} t/s" for name, key in RATES.items() if timing.get(key) is not None]
    return " · ".join(told) + (" (measured on the wire)" if told and timing.get("rate_source") == "wire" else "")
