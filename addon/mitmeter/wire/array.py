"""A JSON array that is sent element by element, as `[{…}\\n,\\r\\n{…}\\n]`.

- An element is what stands between the brackets and commas of the outermost array, without white space around it. An
  object or array is yielded at its closing bracket, anything else at the comma or bracket that follows.
- Only brackets, strings and commas are looked at. Whether an element is JSON is the reader's question; that its
  brackets match each other is not checked, only that as many close as open.
- A byte order mark and white space may come first. What follows the array, and a body that does not begin with one,
  is not read.
- An element over the limit is dropped, and reading resumes at the next one. An array that the body's end cuts off
  yields the elements that were complete.

Regular expressions run over what needs no decision, which is nearly all of an element that came whole. Where it came in
pieces, or is nested deeper, they stop at the brackets. What must be remembered between two pieces is the depth and
whether it is inside a string. No byte is looked at more than a few times, whatever the body and its pieces are.
"""

import re
from typing import ClassVar

from mitmeter.exchange import Message
from mitmeter.mould import Mould, Run

_BOM = b"\xef\xbb\xbf"
_BLANK = b" \t\r\n"
_NESTED = 5
_GAP = 32
_QUOTE, _COMMA, _ARRAY, _OBJECT = b'",[{'
_QUOTED = rb'[^"\\]*+(?:\\.[^"\\]*+)*+'
# To the end of a string that has begun: its quote, a backslash that waits for its other half, or the end of data.
_REST = re.compile(_QUOTED, re.DOTALL)


def _run(plain: bytes, depth: int) -> bytes:
    """What needs no decision: plain bytes, strings, and objects and arrays nested up to this depth."""
    nested = rb"|[{\[]" + _run(rb'[^"{}\[\]]*+', depth - 1) + rb"[}\]]" if depth else b""
    return plain + b'(?:(?:"' + _QUOTED + b'"' + nested + b")" + plain + b")*+"


# Inside an element up to a bracket or an unfinished string; between elements up to a comma as well.
_INSIDE = re.compile(_run(rb'[^"{}\[\]]*+', _NESTED), re.DOTALL)
_BETWEEN = re.compile(_run(rb'[^"{}\[\],]*+', 0), re.DOTALL)


class ArrayDecoder:
    """Decodes an array's elements. One of more than `limit` bytes is dropped as `element_too_long`. Raises nothing.

    `not_an_array` says that the body began otherwise, `array_truncated` that it ended inside the array.
    """

    framing: ClassVar[str] = "array"
    streaming: ClassVar[bool] = True

    def __init__(self, limit: int) -> None:
        self.anomalies: list[str] = []
        self._limit = limit
        self._offset = 0  # of the next byte in the body
        self._depth = 0  # 1 between the elements
        self._began = False
        self._ended = False
        self._in_string = False
        self._escaped = False
        self._skipping = False
        self._held = bytearray()  # the unfinished element, or the mark that may begin the body
        self._mould: Mould | None = None
        self._between = b""  # what stood between two elements, for which `run` is made
        self._run: Run | None = None

    def hush(self, mould: Mould) -> None:
        """From now on, of a run of elements that fit this mould only the last needs to be told."""
        self._mould, self._run = mould, None

    def feed(self, data: bytes) -> list[Message]:
        """Takes bytes, returns the elements that they complete; `end` is the offset past the byte that did."""
        messages: list[Message] = []
        at = 0
        if not self._began:
            data, at = self._begin(data)
        if self._began and not self._ended:
            self._read(data, at, messages)
        self._offset += len(data)
        return messages

    def close(self) -> list[Message]:
        """The end of the body: nothing more comes of an unfinished element."""
        if self._began and not self._ended:
            self._flag("array_truncated")
        elif self._held:
            self._flag("not_an_array")
        return []

    def _begin(self, data: bytes) -> tuple[bytes, int]:
        """Looks for the opening bracket; returns what is to be read, and from where."""
        if self._held:
            data = bytes(self._held) + data
            self._held.clear()
            self._offset = 0
        if not self._offset and len(data) < len(_BOM) and _BOM.startswith(data):
            self._held += data
            return data, 0
        text = (data if self._offset else data.removeprefix(_BOM)).lstrip(_BLANK)
        if text:
            self._began = True
            if text[0] == _ARRAY:
                self._depth = 1
            else:
                self._ended = True
                self._flag("not_an_array")
        return data, len(data) - len(text) + 1

    def _read(self, data: bytes, at: int, messages: list[Message]) -> None:
        start = at  # of what is not yet held
        size = len(data)
        while at < size and not self._ended:
            if self._in_string:
                at = self._string(data, at)
                continue
            if self._mould is not None and start == at and self._depth == 1 and not self._held and not self._skipping:
                start = at = self._hushed(self._mould, data, at, messages)
            found = (_INSIDE if self._depth > 1 else _BETWEEN).match(data, at)
            at = (found.end() if found else at) + 1
            if at <= size and (taken := self._mark(data[at - 1])) is not None:
                self._element(data[start : at - 1 + taken], self._offset + at, messages)
                start = at
        if not self._ended:
            self._hold(data[start:])

    def _hushed(self, mould: Mould, data: bytes, at: int, messages: list[Message]) -> int:
        """Passes over a run of whole elements, each with what stands before it, and adds the last; returns its end."""
        opening = mould.segments[0]
        if self._run is None or not data.startswith(self._between + opening, at):
            between = data[at : max(at, data.find(b"{", at, at + _GAP))]
            if between.strip(_BLANK) != b"," or not data.startswith(opening, at + len(between)):
                return at
            self._between, self._run = between, mould.run(between, b"")
        end = self._run(data, at, len(data))
        if end < 0 or end - at > self._limit:
            return at
        last = data.rfind(self._between + opening, at, end) + len(self._between)
        messages.append(Message(data[last:end], b"", self._offset + end))
        return end

    def _string(self, data: bytes, at: int) -> int:
        """Reads on in a string, returns where it stopped."""
        found = _REST.match(data, at + self._escaped)
        at = found.end() if found else len(data)
        self._escaped = False
        if at < len(data):
            self._escaped = data[at] != _QUOTE
            self._in_string = self._escaped
        return at + 1

    def _mark(self, mark: int) -> int | None:
        """Takes a bracket, comma or quote; returns how many of its bytes belong to the element that it completes."""
        if mark == _QUOTE:
            self._in_string = True
        elif mark in (_ARRAY, _OBJECT):
            self._depth += 1
        elif mark == _COMMA:
            return 0
        else:
            self._depth -= 1
            self._ended = self._depth == 0
            return self._depth if self._depth < 2 else None
        return None

    def _element(self, piece: bytes, end: int, messages: list[Message]) -> None:
        """Adds the element that ends with this piece, if there is one."""
        if self._skipping:
            self._skipping = False
            return
        if self._held:
            piece = bytes(self._held) + piece
            self._held.clear()
        piece = piece.lstrip(_BLANK)
        if len(piece) > self._limit:
            self._flag("element_too_long")
        elif piece := piece.rstrip(_BLANK):
            messages.append(Message(piece, b"", end))

    def _hold(self, piece: bytes) -> None:
        """Keeps the beginning of an element, or only that it is too long."""
        if self._skipping:
            return
        if not self._held:
            piece = piece.lstrip(_BLANK)
        self._held += piece
        if len(self._held) > self._limit:
            self._held.clear()
            self._skipping = True
            self._flag("element_too_long")

    def _flag(self, anomaly: str) -> None:
        if anomaly not in self.anomalies:
            self.anomalies.append(anomaly)
