"""Frames of an event stream whose payloads are pieces of another body, cut anywhere: its messages, not the pieces.

https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_runtime_ResponseStream.html

- The first frame tells: if it is named `PayloadPart`, all of that name are pieces. Every other frame is a message.
- The body that the pieces make is in the framing that its own first bytes show: lines where they show none.
- A message's `end` is that of the frame that completed it.
"""

from collections.abc import Callable, Iterator
from typing import ClassVar, Protocol

from mitmeter.exchange import Message
from mitmeter.mould import Tells
from mitmeter.wire.eventstream import EventStreamDecoder

PART = b"PayloadPart"


class Inside(Protocol):
    """What reads the body that the pieces make."""

    @property
    def anomalies(self) -> list[str]: ...
    def feed(self, data: bytes) -> list[Message]: ...
    def close(self) -> list[Message]: ...


class PartsDecoder:
    """Decodes frames, and what is in them where they are pieces; `inside` makes what reads that. Raises nothing."""

    framing: ClassVar[str] = "eventstream"
    streaming: ClassVar[bool] = True

    def __init__(self, limit: int, inside: Callable[[], Inside]) -> None:
        self._frames = EventStreamDecoder(limit)
        self._make = inside
        self._inside: Inside | None = None
        self._told = False
        self._end = 0

    @property
    def anomalies(self) -> list[str]:
        """Words for what was dropped, of the frames and of what is in them."""
        return self._frames.anomalies + (self._inside.anomalies if self._inside is not None else [])

    def heed(self, tells: Tells) -> None:
        """As frames do; pieces are all read."""
        if self._inside is None:
            self._frames.heed(tells)

    def passed(self) -> Iterator[Message]:
        """As frames do; of pieces, none are passed over."""
        if self._inside is None:
            yield from self._frames.passed()

    def feed(self, data: bytes) -> list[Message]:
        """Takes bytes, returns the messages that they complete."""
        frames = self._frames.feed(data)
        if not self._told and frames:
            self._told = True
            self._inside = self._make() if frames[0].event == PART else None
        return frames if self._inside is None else self._open(self._inside, frames)

    def close(self) -> list[Message]:
        """The end of the body: returns the message that it completes."""
        frames = self._frames.close()
        return frames if self._inside is None else self._at(self._inside.close())

    def _open(self, inside: Inside, frames: list[Message]) -> list[Message]:
        messages: list[Message] = []
        for frame in frames:
            self._end = frame.end
            messages += self._at(inside.feed(frame.data)) if frame.event == PART else [frame]
        return messages

    def _at(self, messages: list[Message]) -> list[Message]:
        return [Message(message.data, message.event, self._end) for message in messages]
