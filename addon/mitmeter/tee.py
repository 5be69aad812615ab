"""What stands between the upstream's bytes and the client's: a stream callable that only notes."""

import time
from collections.abc import Callable, Iterable

from mitmeter.exchange import Exchange
from mitmeter.live import Live
from mitmeter.usage.asked import Asked
from mitmeter.usage.registry import Match

type Chunks = bytes | Iterable[bytes]
type Tee = Callable[[bytes], Chunks]


class Kept:
    """The bytes of a stream as received, to show on its flow at the end; let go of when they exceed the limit."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.size = 0
        self.ended = False
        self.chunks: list[bytes] = []

    def append(self, chunk: bytes) -> None:
        """Take a chunk."""
        self.size += len(chunk)
        if self.size <= self.limit:
            self.chunks.append(chunk)
        elif self.chunks:
            self.chunks.clear()

    def content(self) -> bytes | None:
        """Return the body, None where it was too long to keep."""
        return b"".join(self.chunks) if self.size <= self.limit else None


class Watched:
    """What the addon knows of a flow that is metered, from `requestheaders` to its end.

    `asked` and `described` are the worker's, for who looks at what is under way.
    """

    def __init__(self, match: Match | None, zero: float) -> None:
        self.match = match
        self.zero = zero
        self.accepted: tuple[bytes, ...] | None = None
        self.upload: Kept | None = None
        self.live: Live | None = None
        self.kept: Kept | None = None
        self.asked: Asked | None = None
        self.described: Exchange | None = None


def tee(live: Live, kept: Kept, before: Tee | None) -> Tee:
    """Return a stream callable that notes each chunk with its time and passes on what it was given.

    A callable that raises drops the chunk from the client's stream, so nothing of ours may: a failure is counted on the
    exchange and the bytes go on. An earlier callable of another addon is still called, and what it does is its own.
    """
    clock = time.perf_counter

    def pass_on(chunk: bytes) -> Chunks:
        try:
            if chunk:
                live.append(chunk, clock())
                kept.append(chunk)
            else:
                kept.ended = True
        except Exception:
            live.lost += 1
        return chunk if before is None else before(chunk)

    return pass_on


def noting(kept: Kept, before: Tee | None) -> Tee:
    """Return a stream callable for a request that another addon streams: it keeps the bytes for the capture."""

    def pass_on(chunk: bytes) -> Chunks:
        kept.append(chunk)
        return chunk if before is None else before(chunk)

    return pass_on
