"""Bytes to messages: undoes codings and framings. Knows no provider, file or host, and raises on no input.

`codings` undoes compression (`undo` one coding of it, through the libraries in `decompress`); `sse`, `ndjson`,
`array`, `eventstream` and `document` read one framing each, `parts` a body that comes in the pieces of another. Which
framing a body has is told by its media type and its first bytes, because the type alone is not reliable: servers send
event streams as JSON or without a type, and JSON errors as event streams. `MessageDecoder` is the way in.

The rules of the choice:

- The media type is matched without its parameters, in any case.
- White space and a byte order mark at the start do not tell anything. Where 64 bytes have not told, the type decides.
- In answer to a request for a stream, a body that begins with `[` is an array sent by the element and one that begins
  with a zero byte is frames. In other answers an array is a document.
- A new framing is a decoder with the interface of `Framing` and a line in the table: by type, by opening bytes or both.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple, Protocol

from mitmeter.exchange import Message
from mitmeter.mould import Mould, Tells
from mitmeter.wire.array import ArrayDecoder
from mitmeter.wire.document import DocumentDecoder
from mitmeter.wire.ndjson import NDJSONDecoder
from mitmeter.wire.parts import PartsDecoder
from mitmeter.wire.sse import SSEDecoder

_HEAD = 64
_BLANK = b" \t\r\n"
_BOM = b"\xef\xbb\xbf"


class Framing(Protocol):
    """What reads messages out of a decoded body, a piece at a time.

    `framing` is its name, `streaming` whether messages come before the body's end. `anomalies` collects words for what
    was dropped, each once. `feed` returns the messages that the bytes complete, `close` those that the end completes.
    """

    @property
    def anomalies(self) -> list[str]: ...
    @property
    def framing(self) -> str: ...
    @property
    def streaming(self) -> bool: ...
    def feed(self, data: bytes) -> list[Message]: ...
    def close(self) -> list[Message]: ...


class _Choice(NamedTuple):
    """The framing of a media type, and the openings of a body that tell otherwise. The argument is the limit."""

    usual: Callable[[int], Framing]
    openings: tuple[tuple[bytes, Callable[[int], Framing]], ...] = ()


_FIELDS = tuple((field, SSEDecoder) for field in (b"data:", b"event:", b"id:", b"retry:", b":"))
_OTHER = _Choice(DocumentDecoder, _FIELDS)
_SSE = _Choice(SSEDecoder, ((b"{", DocumentDecoder), (b"[", DocumentDecoder)))
_NDJSON = _Choice(NDJSONDecoder, _FIELDS)


def _frames(limit: int) -> Framing:
    # Without the openings of what is asked for as a stream: frames within frames would go as deep as somebody likes.
    return PartsDecoder(limit, lambda: MessageDecoder("application/x-ndjson", limit=limit))


# A frame that began with a brace would be of 2 GB.
_EVENTSTREAM = _Choice(_frames, ((b"{", DocumentDecoder),))
_ASKED = ((b"[", ArrayDecoder), (b"\0", _frames))

_TYPES = {
    "text/event-stream": _SSE,
    "application/x-ndjson": _NDJSON,
    "application/ndjson": _NDJSON,
    "application/stream+json": _NDJSON,
    "application/x-json-stream": _NDJSON,
    "application/jsonl": _NDJSON,
    "application/x-jsonl": _NDJSON,
    "application/jsonlines": _NDJSON,
    "application/x-jsonlines": _NDJSON,
    "application/json-lines": _NDJSON,
    "application/json-seq": _NDJSON,
    "application/vnd.amazon.eventstream": _EVENTSTREAM,
}


def is_stream(content_type: str) -> bool:
    """Whether a Content-Type names a framing whose messages come one by one."""
    return _media_type(content_type) in _TYPES


def decoder(content_type: str, head: bytes, *, limit: int, stream: bool = False) -> Framing:
    """The decoder for a body of this Content-Type that begins with `head`, all of it or at least 64 bytes.

    `head` is not consumed. `limit` is in bytes: of an event, a line or a document. `stream` says that the request asked
    for a stream.
    """
    choice = _choice(content_type, stream)
    return (_decide(choice, head[:_HEAD]) or choice.usual)(limit)


class MessageDecoder:
    """Decodes a body of this Content-Type (empty if there is none) in the framing that its first bytes show.

    The interface is that of `Framing`. At most 64 bytes are held until they tell; until then `framing` and `streaming`
    are what the media type alone says. `limit` is in bytes: of an event, a line or a document. `stream` says that the
    request asked for a stream.
    """

    def __init__(self, content_type: str, *, limit: int, stream: bool = False) -> None:
        self._choice = _choice(content_type, stream)
        self._limit = limit
        self._inner = self._choice.usual(limit)
        self._head = b""
        self._decided = not self._choice.openings

    @property
    def framing(self) -> str:
        return self._inner.framing

    @property
    def streaming(self) -> bool:
        return self._inner.streaming

    @property
    def anomalies(self) -> list[str]:
        return self._inner.anomalies

    def hush(self, mould: Mould) -> None:
        """Says that of a run of messages that fit a mould only the last is needed; all may be told all the same."""
        if isinstance(self._inner, SSEDecoder | ArrayDecoder):
            self._inner.hush(mould)

    def heed(self, tells: Tells) -> None:
        """Says that of what comes together only messages in which `tells` finds something, and the last, are needed."""
        if isinstance(self._inner, SSEDecoder | NDJSONDecoder | PartsDecoder):
            self._inner.heed(tells)

    def passed(self) -> Iterator[Message]:
        """The newest messages of those that may not have been told, the last one first."""
        if isinstance(self._inner, SSEDecoder | NDJSONDecoder | PartsDecoder):
            yield from self._inner.passed()

    def feed(self, data: bytes) -> list[Message]:
        """Takes bytes of the decoded body, returns the messages that they complete."""
        if self._decided:
            return self._inner.feed(data)
        data = self._head + data
        make = _decide(self._choice, data[:_HEAD])
        if make is None and len(data) < _HEAD:
            self._head = data
            return []
        return self._settle(make, data)

    def close(self) -> list[Message]:
        """The end of the body: returns the messages that it completes."""
        early = [] if self._decided else self._settle(None, self._head)
        return early + self._inner.close()

    def _settle(self, make: Callable[[int], Framing] | None, data: bytes) -> list[Message]:
        self._decided = True
        self._head = b""
        if make is not None:
            self._inner = make(self._limit)
        return self._inner.feed(data)


def _media_type(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


def _choice(content_type: str, stream: bool) -> _Choice:
    choice = _TYPES.get(_media_type(content_type), _OTHER)
    return choice._replace(openings=_ASKED + choice.openings) if stream else choice


def _decide(choice: _Choice, head: bytes) -> Callable[[int], Framing] | None:
    """The framing that a body's first bytes show, or None if they do not tell yet."""
    start = head.removeprefix(_BOM).lstrip(_BLANK)
    if not start or _BOM.startswith(head):
        return None
    for opening, make in choice.openings:
        if start.startswith(opening):
            return make
    if any(opening.startswith(start) for opening, _ in choice.openings):
        return None
    return choice.usual
