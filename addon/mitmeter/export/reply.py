"""The reply of a captured exchange, put together. Pure."""

from mitmeter.exchange import Capture, Exchange
from mitmeter.usage.registry import find
from mitmeter.usage.reply import Block, Reply
from mitmeter.wire import MessageDecoder

LIMIT = 1 << 26

_SWITCHED = 101
_LINES = "application/x-ndjson"


def blocks(exchange: Exchange, capture: Capture, limit: int = LIMIT) -> list[Block]:
    """Return the blocks of the reply, none where the response has no body or no dialect reads it."""
    upgraded = capture.status == _SWITCHED
    match = find(capture.method, exchange.host, capture.path.partition("?")[0], upgraded)
    if match is None or capture.response_body is None or capture.coding is not None:
        return []
    messages = MessageDecoder(_LINES if upgraded else exchange.content_type or "", limit=limit)
    found = messages.feed(capture.response_body) + messages.close()
    reply = Reply(match.dialect, streaming=messages.streaming, limit=limit)
    reply.feed(found)
    return reply.blocks()


def reply_text(exchange: Exchange, capture: Capture) -> str:
    """Return the reply as text, a block after the other."""
    return "\n".join(block.text for block in blocks(exchange, capture))
