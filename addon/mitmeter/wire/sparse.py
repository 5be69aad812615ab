"""Blocks of whole messages of which few are worth telling: those in which something is found, and the last one.

What stands between them is not even split. The newest blocks are kept, so that the messages in them that were passed
over can still be had, the last first.
"""

from collections import deque
from collections.abc import Iterator

from mitmeter.mould import Tells

KEPT = 4


class Sparse:
    """Finds the messages to tell in blocks whose messages all end with the same bytes."""

    def __init__(self) -> None:
        self.tells: Tells | None = None
        self._blocks: deque[tuple[bytes, int, bytes, int]] = deque(maxlen=KEPT)

    def spans(self, block: bytes, cut: int, end: bytes, offset: int) -> list[tuple[int, int]] | None:
        """Where in a block the messages to tell begin and end, in order; None where each is better looked at.

        The block holds messages up to `cut`, each ends with `end`, and the block begins at `offset` in the body.
        """
        places = self.tells(block) if self.tells is not None else None
        if places is None:
            return None
        spans: list[tuple[int, int]] = []
        size, at = len(end), 0
        for place in (*places, cut - size - 1):
            if at <= place < cut:
                start = block.rfind(end, at, place)
                start, at = at if start < 0 else start + size, block.find(end, place) + size
                spans.append((start, at))
        self._blocks.append((block, cut, end, offset))
        return spans

    def passed(self) -> Iterator[tuple[bytes, int]]:
        """The messages of the newest blocks with the offset of their end in the body, the last one first."""
        for block, cut, end, offset in reversed(self._blocks):
            while cut > 0:
                start = block.rfind(end, 0, cut - len(end))
                start = start + len(end) if start >= 0 else 0
                yield block[start:cut], offset + cut
                cut = start
