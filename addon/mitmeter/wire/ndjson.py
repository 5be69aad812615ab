"""Newline-delimited JSON (ndjson.org, jsonlines.org; RFC 7464 sequences are read too).

- A line ends with LF; the last one may lack it. White space around a line, a CR before the LF and the record separator
  of RFC 7464 are not part of the value. Blank lines mean nothing. A byte order mark at the very start is skipped.
- What a line holds is not looked at: whether it is JSON is the reader's question.
- A line over the limit is dropped, and reading resumes at the next one.
"""

from typing import ClassVar

from mitmeter.exchange import Message

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

    def feed(self, data: bytes) -> list[Message]:
        """Takes bytes, returns the lines that they complete; `end` is the offset just past a line's LF."""
        cut = data.rfind(b"\n")
        if cut < 0:
            self._hold(data)
            return []
        messages: list[Message] = []
        lines = (bytes(self._tail) + data[:cut]).split(b"\n")
        self._tail.clear()
        for line in lines:
            self._line(line, self._offset + len(line) + 1, messages)
        self._hold(data[cut + 1 :])
        return messages

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
