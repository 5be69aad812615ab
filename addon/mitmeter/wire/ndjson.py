"""Newline-delimited JSON (ndjson.org, jsonlines.org; RFC 7464 sequences are read too).

- A line ends with LF; the last one may lack it. White space around a line, a CR before the LF and the record separator
  of RFC 7464 are not part of the value. Blank lines mean nothing. A byte order mark at the very start is skipped.
- What a line holds is not looked at: whether it is JSON is the reader's question.
- A line over the limit is dropped, and reading resumes at the next one.
"""

from collections.abc import Iterator
from typing import ClassVar

from mitmeter.exchange import Message
from mitmeter.mould import Tells
from mitmeter.wire.sparse import Sparse

_BOM = b"\xef\xbb\xbf"
_AROUND = b" \t\r\n\x1e"


class NDJSONDecoder:
    """Decodes lines. One of more than `limit` bytes is dropped as `line_too_long`. Raises nothing."""

    framing: ClassVar[str] = "ndjson"
    streaming: ClassVar[bool] = True

    def __init__(self, limit: int) -> None:
        self.anomalies: list[str] = []
        self._limit = limit
        self._tail = bytearray()  # the unfinished line; empty while skipping one
        self._offset = 0  # of the tail in the body
        self._skipping = False
        self._sparse = Sparse()

    def heed(self, tells: Tells) -> None:
        """From now on, only the lines in which `tells` finds something and the last of a block need to be told."""
        self._sparse.tells = tells

    def passed(self) -> Iterator[Message]:
        """The newest lines of those that may not have been told, the last one first."""
        for line, end in self._sparse.passed():
            if value := line.strip(_AROUND):
                yield Message(value, b"", end)

    def feed(self, data: bytes) -> list[Message]:
        """Takes bytes, returns the lines that they complete; `end` is the offset just past a line's LF."""
        cut = data.rfind(b"\n")
        if cut < 0:
            self._hold(data)
            return []
        messages: list[Message] = []
        block = bytes(self._tail) + data[: cut + 1]
        self._tail.clear()
        spans = self._spans(block)
        if spans is None:
            for line in block[:-1].split(b"\n"):
                self._line(line, self._offset + len(line) + 1, messages)
        else:
            for start, end in spans:
                if value := block[start:end].strip(_AROUND):
                    messages.append(Message(value, b"", self._offset + end))
            self._offset += len(block)
        self._hold(data[cut + 1 :])
        return messages

    def _spans(self, block: bytes) -> list[tuple[int, int]] | None:
        """Where the lines to tell stand in a block of whole lines; None where all are to be looked at."""
        if self._skipping or not self._offset or len(block) > self._limit:
            return None
        return self._sparse.spans(block, len(block), b"\n", self._offset)

    def close(self) -> list[Message]:
        """The end of the body: returns the last line if it lacks its LF."""
        messages: list[Message] = []
        self._line(bytes(self._tail), self._offset + len(self._tail), messages)
        return messages

    def _line(self, line: bytes, end: int, messages: list[Message]) -> None:
        if not self._offset:
            line = line.removeprefix(_BOM)
        self._offset = end
        if self._skipping:
            self._skipping = False
        elif len(line) > self._limit:
            self._flag_too_long()
        elif value := line.strip(_AROUND):
            messages.append(Message(value, b"", end))

    def _hold(self, data: bytes) -> None:
        if not self._skipping:
            if len(self._tail) + len(data) <= self._limit + len(_BOM):
                self._tail += data
                return
            self._skipping = True
            self._flag_too_long()
        self._offset += len(self._tail) + len(data)
        self._tail.clear()

    def _flag_too_long(self) -> None:
        if "line_too_long" not in self.anomalies:
            self.anomalies.append("line_too_long")
