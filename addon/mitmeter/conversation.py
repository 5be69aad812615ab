"""What was asked and answered, as people read it: bodies -> the turns of a conversation and the reply. Pure.

A request resends all that was said before; what is new is what follows the model's last turn in it. Everything is
bounded, and what is left out is said in `left_out`; first what is new is kept, then what was said last.
"""

import json
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any

from msgspec import Struct

from mitmeter.exchange import Capture, Exchange, Message
from mitmeter.usage.block import ENCODED, Block, decoded_size, described, whole
from mitmeter.usage.dialect import Dialect
from mitmeter.usage.documents import NotADocument, decoder, members
from mitmeter.usage.form import said as spoken
from mitmeter.usage.paths import dig, path
from mitmeter.usage.prompt import Prompt
from mitmeter.usage.registry import find
from mitmeter.usage.reply import Reply
from mitmeter.usage.turns import PARTS, Piece, Said, pieces, turns
from mitmeter.wire import MessageDecoder

LINES = "application/x-ndjson"
SWITCHED = 101
HEAD = 64
LONGEST_PLACE = 300
SUMMED = 3
CONTINUED = "what was said before, kept by the server ({})"


class Limits(Struct, frozen=True, kw_only=True):
    """Characters kept of all turns, of the reply and of one block; turns; bytes read of each body."""

    text: int = 1 << 20
    block: int = 1 << 18
    turns: int = 1000
    body: int = 16 << 20


class Turn(Struct, frozen=True):
    """What one role said: `system`, `user`, `assistant`, `tool`, or another as it was sent."""

    role: str
    blocks: tuple[Block, ...]
    new: bool = True


type Asked = tuple[tuple[Turn, ...], tuple[str, ...]]
type Answered = tuple[tuple[Block, ...], tuple[str, ...]]


class Conversation(Struct, frozen=True, kw_only=True):
    """The turns of a request, the blocks of its reply, and in words what is not in them."""

    turns: tuple[Turn, ...] = ()
    reply: tuple[Block, ...] = ()
    left_out: tuple[str, ...] = ()


DEFAULT = Limits()
WHOLE = Limits(text=1 << 26, block=1 << 26, turns=1 << 26, body=1 << 26)


def conversation(
    dialect: Dialect,
    asked: bytes | None,
    answered: bytes | None = None,
    content_type: str = "",
    limits: Limits = DEFAULT,
) -> Conversation:
    """Return what a request's and a response's body hold, as sent but decompressed; nothing raises.

    `content_type` is the response's; on a WebSocket both are JSON lines.
    """
    said, missing = request_turns(dialect, asked or b"", limits)
    reply, lost = reply_blocks(dialect, answered or b"", content_type, limits)
    return Conversation(turns=said, reply=reply, left_out=(*missing, *lost))


def of_capture(exchange: Exchange, capture: Capture, limits: Limits = DEFAULT) -> Conversation:
    """Return what was asked and answered in a captured exchange; empty where no dialect reads it."""
    dialect = reader(exchange, capture)
    if dialect is None:
        return Conversation(left_out=("everything: no dialect reads this",))
    said, missing = request_turns(dialect, capture.request_body or b"", limits)
    reply, lost = reply_of(exchange, capture, limits)
    cut = [(capture.request_cut, "request"), (capture.response_cut, "response")]
    never = [f"{size:,} bytes of the {side}, which the capture does not hold" for size, side in cut if size]
    return Conversation(turns=said, reply=reply, left_out=(*missing, *lost, *never))


def reader(exchange: Exchange, capture: Capture) -> Dialect | None:
    """Return the dialect that reads a captured exchange, None where none does."""
    upgraded = capture.status == SWITCHED
    match = find(capture.method, exchange.host, capture.path.partition("?")[0], upgraded)
    return None if match is None else match.dialect


def reply_of(exchange: Exchange, capture: Capture, limits: Limits = DEFAULT) -> Answered:
    """Return the blocks of a captured reply, and what was left out."""
    dialect = reader(exchange, capture)
    if dialect is None or capture.response_body is None or capture.coding is not None:
        return (), ()
    kind = LINES if dialect.socket is not None else exchange.content_type or ""
    return reply_blocks(dialect, capture.response_body, kind, limits)


def to_json(told: Conversation) -> dict[str, Any]:
    """Return a conversation in plain values; of a block only what is known."""
    return {
        "turns": [{"role": turn.role, "new": turn.new, "blocks": _plain(turn.blocks)} for turn in told.turns],
        "reply": {"role": "assistant", "new": True, "blocks": _plain(told.reply)},
        "left_out": list(told.left_out),
    }


def _plain(blocks: Iterable[Block]) -> list[dict[str, Any]]:
    optional = ("name", "call", "media", "size")
    return [
        {"kind": block.kind, "text": block.text}
        | {name: value for name in optional if (value := getattr(block, name)) is not None}
        | ({"cut": block.cut} if block.cut else {})
        for block in blocks
    ]


def request_turns(dialect: Dialect, body: bytes, limits: Limits = DEFAULT) -> Asked:
    """Return the turns of a request's body, and what was left out."""
    form = spoken(dialect.prompt, body)
    if not body or not (form or dialect.prompt.places):
        return (), ()
    if len(body) > limits.body and not form:
        return (), (f"the request, whose {len(body):,} bytes are more than are read for this",)
    said, unread = ([form], []) if form else read_turns(dialect, body)
    first = new_from(said)
    kept = said[max(0, min(first, len(said) - limits.turns)) :]
    skipped = len(said) - len(kept)
    first -= skipped
    room = _Room(limits)
    fresh = [Turn(one.role, room.blocks(dialect.prompt, one)) for one in kept[first:]]
    before = [Turn(one.role, room.blocks(dialect.prompt, one), new=False) for one in reversed(kept[:first])]
    missing = [f"{skipped:,} earlier turns"] if skipped else []
    missing += [f"{room.cut:,} characters of what was asked"] if room.cut else []
    return (*reversed(before), *fresh), (*unread, *missing)


def read_turns(dialect: Dialect, body: bytes) -> tuple[list[Said], list[str]]:
    """Return all turns of a request's body with the values as they were sent, and what could not be read."""
    prompt = dialect.prompt
    decode = decoder(members([*(place.at for place in prompt.places), *prompt.within, *prompt.continues]))
    found: list[Said] = []
    notes: dict[str, None] = {}
    try:
        for line in body.splitlines() if dialect.socket is not None else (body,):
            document = decode(line)
            if not isinstance(document, dict):
                continue
            notes |= {CONTINUED.format(at): None for at in prompt.continues if dig(document, path(at))}
            for said in turns(prompt, document):
                if said.bare and found and found[-1].role == said.role:
                    found[-1].pieces += said.pieces
                else:
                    found.append(said)
    except NotADocument:
        notes["what is no JSON in the request"] = None
    if sum(len(said.pieces) for said in found) >= PARTS:
        notes[f"parts beyond the first {PARTS:,}"] = None
    return found, [*notes]


def new_from(said: list[Said]) -> int:
    """Return the index of the first turn after the model's last; what the model is to go on from is new as well."""
    last = len(said)
    while last and said[last - 1].role == "assistant":
        last -= 1
    return next((at for at in range(last, 0, -1) if said[at - 1].role == "assistant"), 0)


def reply_blocks(dialect: Dialect, body: bytes, content_type: str, limits: Limits = DEFAULT) -> Answered:
    """Return the blocks of a response's body, a stream's put together, and what was left out."""
    if not body:
        return (), ()
    messages = MessageDecoder(content_type, limit=limits.body, stream=dialect.streams)
    found: list[Message] = messages.feed(body[: limits.body])
    if len(body) <= limits.body:
        found += messages.close()
    streams = messages.streaming and bool(dialect.parts)
    blocks, cut = _spelled_out(dialect.prompt, found, streams, limits)
    if not blocks:
        reply = Reply(dialect, streaming=streams, limit=limits.text)
        reply.feed(found)
        blocks, cut = tuple(reply.blocks()), reply.cut
    lost = [f"{len(body) - limits.body:,} bytes of the response"] if len(body) > limits.body else []
    lost += [f"{cut:,} characters of the reply"] if cut else []
    return blocks, tuple(lost)


def _spelled_out(
    prompt: Prompt, messages: list[Message], streams: bool, limits: Limits
) -> tuple[tuple[Block, ...], int]:
    """Return the blocks of replies that were sent as a whole, and how many characters were left out.

    That is what is no stream, or one whose last messages hold all that it came to.
    """
    if not prompt.answer or (streams and not prompt.summary):
        return (), 0
    roots = members([*(place.at for place in prompt.answer), *prompt.within])
    decode = decoder(members([prompt.summary]) if streams else roots)
    room, blocks = _Room(limits), list[Block]()
    for message in reversed(messages[-SUMMED:]) if streams else messages:
        with suppress(NotADocument):
            document = decode(message.data)
            held = dig(document, path(prompt.summary)) if streams else document
            for said in turns(prompt, held, prompt.answer) if isinstance(held, dict) else ():
                blocks += room.blocks(prompt, said)
        if streams and blocks:
            break
    return tuple(blocks), room.cut


class _Room:
    """Makes blocks of pieces as long as there is room for their text."""

    def __init__(self, limits: Limits) -> None:
        self._left = limits.text
        self._longest = limits.block
        self.cut = 0

    def blocks(self, prompt: Prompt, said: Said) -> tuple[Block, ...]:
        """Return the blocks of one turn; sound that was sent in many pieces is one."""
        made: list[Block] = []
        for one in said.pieces:
            block = self._block(prompt, one)
            last = made[-1] if made else None
            if last is not None and last.kind == block.kind == "audio" and said.bare and last.size and block.size:
                made[-1] = Block("audio", media=last.media, size=last.size + block.size)
            else:
                made.append(block)
        return tuple(made)

    def _block(self, prompt: Prompt, one: Piece) -> Block:
        if one.kind in ENCODED and one.encoded:
            return encoded(one)
        text = one.content if isinstance(one.content, str) else "".join(_flat(prompt, one))
        kept = text[: min(self._longest, self._left)]
        cut = len(text) - len(kept)
        self._left -= len(kept)
        self.cut += cut
        return Block(one.kind, whole(kept), name=one.name, call=one.call, media=one.media, cut=cut)


def encoded(one: Piece) -> Block:
    """Return what is encoded by its type and size, or by where it lies. A data URL names its type (RFC 2397)."""
    content, media, place = one.content, one.media, ""
    size = content if isinstance(content, int) else None
    if isinstance(content, str):
        head, comma, _ = content[:LONGEST_PLACE].partition(",")
        if head.startswith("data:") and comma:
            media = media or head[5:].partition(";")[0] or None
            size = decoded_size(len(content) - len(head) - 1 - content.endswith("=") - content.endswith("=="))
        elif "://" in content[:HEAD] or content.startswith("file"):
            place = content[:LONGEST_PLACE]
        else:
            size = decoded_size(len(content) - content.endswith("=") - content.endswith("=="))
    return Block(one.kind, whole(place), name=one.name, call=one.call, media=media, size=size)


def _flat(prompt: Prompt, one: Piece) -> Iterator[str]:
    """Yield a content as text: its parts' texts, what is encoded in a word, and what is neither as JSON."""
    content = one.content
    if content is None:
        return
    if one.kind == "tool" or not isinstance(content, list):
        yield json.dumps(content, ensure_ascii=False)
        return
    for number, part in enumerate(pieces(prompt, content)):
        if number:
            yield "\n"
        if part.kind in ENCODED and part.encoded:
            yield described(encoded(part))
        else:
            yield part.content if isinstance(part.content, str) else json.dumps(part.content, ensure_ascii=False)
