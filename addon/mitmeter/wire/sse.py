"""Server-sent events (WHATWG HTML, 9.2.5 Parsing and 9.2.6 Interpreting an event stream), over bytes.

The rules, and where a meter reads more than a browser would dispatch:

- A line ends with LF, CR LF or CR, mixed at will. A CR at the end of what has arrived may be half of a CR LF: it is not
  looked at until the next byte or the end.
- A blank line ends an event. An event without a data field is no message; one with an empty data field is.
- A byte order mark at the very start is skipped. Lines that start with a colon are comments. One space after the colon
  of a field is not part of its value. Several data fields are joined by LF; the last event field names the event;
  other fields mean nothing here.
- An event that the body's end cuts off before its blank line is yielded: many servers end that way, and usage comes
  last. A browser would drop it.
- `data: [DONE]` is a message like any other.
- An event over the limit is dropped, and reading resumes at the next one.

Nearly every stream is made of `data: ...` and of `event: ...` with `data: ...`, and has one kind of line end. One
regular expression reads a whole block of those at C speed. It skips what it does not match, so its result counts only
if the lengths of what it found add up to the block; otherwise the block is read again, event by event, by the exact
rules. A blank line in front of an event counts as part of it and is ignored, so it does not matter which two of three
line ends in a row were taken for the end of the event before.
"""

import re
from collections.abc import Iterator
from typing import ClassVar, NamedTuple

from mitmeter.exchange import Message
from mitmeter.mould import Mould, Run, Tells
from mitmeter.wire.sparse import Sparse

_BOM = b"\xef\xbb\xbf"
# Possessive: CR LF is one line end, never a CR and then a LF. All blank lines in a row at once: there may be millions.
_END = re.compile(rb"((?:\r\n?+|\n)(?:\r\n?+|\n))(?:\r\n?+|\n)*+")
_END_LF = re.compile(rb"(\n\n)\n*+")
# An end is four bytes at most, so three of what went before complete any that begins there.
_OVERLAP = 3
# What may be held besides an event's content: a byte order mark, a blank line before it, three bytes of its end.
_SLACK = 8


class _Plain(NamedTuple):
    """Events of one or two lines in one style: how to find them, and their bytes besides value and name."""

    pattern: re.Pattern[bytes]
    value_extra: int
    name_extra: int


def _plain(line_end: bytes, space: bytes) -> _Plain:
    # Without the space in the style, a value that has one is not plain.
    guard = b"" if space else b"(?! )"
    text = b"(" + guard + b"[^" + line_end[:1] + b"]*+)" + line_end
    pattern = re.compile(b"(?:event:" + space + text + b")?+data:" + space + text + line_end)
    return _Plain(pattern, len(b"data:" + space + line_end * 2), len(b"event:" + space + line_end))


_PLAIN = {(line_end, space): _plain(line_end, space) for line_end in (b"\n", b"\r\n") for space in (b" ", b"")}


class SSEDecoder:
    """Decodes an event stream. An event of more than `limit` bytes is dropped as `event_too_long`. Raises nothing."""

    framing: ClassVar[str] = "sse"
    streaming: ClassVar[bool] = True

    def __init__(self, limit: int) -> None:
        self.anomalies: list[str] = []
        self._limit = limit
        self._tail = bytearray()  # the unfinished event, or the last bytes of the one being skipped
        self._offset = 0  # of the tail in the body
        self._skipping = False
        self._mould: Mould | None = None
        self._runs: dict[tuple[bytes, bytes], Run] = {}
        self._sparse = Sparse()

    def heed(self, tells: Tells) -> None:
        """From now on, only the events in which `tells` finds something and the last of a block need to be told."""
        self._sparse.tells = tells

    def passed(self) -> Iterator[Message]:
        """The newest events of those that may not have been told, the last one first."""
        for piece, end in self._sparse.passed():
            messages: list[Message] = []
            self._event(piece, end, messages)
            yield from messages

    def hush(self, mould: Mould) -> None:
        """From now on, of a run of events that fit this mould only the last needs to be told."""
        self._mould = mould
        self._runs.clear()

    def feed(self, data: bytes) -> list[Message]:
        """Takes bytes, returns the events that they complete; `end` is the offset just past an event's blank line."""
        tail = self._tail
        if not _has_end(tail[-_OVERLAP:] + data if tail else data):
            self._hold(data)
            return []
        if tail:
            data = bytes(tail) + data
            tail.clear()
        return self._read(data)

    def close(self) -> list[Message]:
        """The end of the body: returns the last event if it lacks its blank line."""
        if self._skipping:
            return []
        block = bytes(self._tail)
        messages: list[Message] = []
        self._event(block if self._offset else block.removeprefix(_BOM), self._offset + len(block), messages)
        return messages

    def _read(self, block: bytes) -> list[Message]:
        """Reads a block that holds the end of an event."""
        if not self._offset and block.startswith(_BOM):
            block = block[len(_BOM) :]
            self._offset = len(_BOM)
        messages: list[Message] = []
        cut = self._read_plainly(block, messages) if len(block) <= self._limit and not self._skipping else 0
        cut = cut or self._read_exactly(block, messages)
        self._offset += cut
        if cut < len(block):
            self._hold(block[cut:])
        return messages

    def _read_plainly(self, block: bytes, messages: list[Message]) -> int:
        """Adds the events of a block with one kind of line end, returns where the last ended; 0 if it is not plain."""
        line_end = b"\n" if block.find(b"\r") < 0 else b"\r\n"
        cut = block.rfind(line_end + line_end) + 2 * len(line_end)
        # A CRLF value may hold a LF as far as the pattern is concerned, and other ends may follow the last CRLF one.
        if line_end == b"\r\n" and (block.count(b"\n", 0, cut) != block.count(b"\r", 0, cut) or _has_end(block[cut:])):
            return 0
        spans = self._sparse.spans(block, cut, line_end * 2, self._offset)
        if spans is None:
            if self._mould is not None:
                self._sparse.tells = None
            messages += self._read_plain(block, cut, line_end)
            return cut if messages else 0
        for start, end in spans:
            self._event(block[start:end], self._offset + end, messages)
        return cut

    def _read_plain(self, block: bytes, cut: int, line_end: bytes) -> list[Message]:
        """The events of a block that is plain up to its last end; none if it is not."""
        value_at = block.find(b"data:") + 5
        space = b" " if block.startswith(b" ", value_at) else b""
        plain = _PLAIN[line_end, space]
        if self._mould is not None:
            return self._read_runs(block, cut, plain, self._run(self._mould, line_end, space), line_end)
        end = self._offset
        messages: list[Message] = []
        add = messages.append
        for name, value in plain.pattern.findall(block, 0, cut):
            end += len(value) + plain.value_extra
            if name:
                end += len(name) + plain.name_extra
            add(Message(value, name, end))
        return messages if end == self._offset + cut else []

    def _run(self, mould: Mould, line_end: bytes, space: bytes) -> Run:
        run = self._runs.get((line_end, space))
        if run is None:
            name = b"event:" + space + mould.event + line_end if mould.event else b""
            run = self._runs[line_end, space] = mould.run(name + b"data:" + space, line_end * 2)
        return run

    def _read_runs(self, block: bytes, cut: int, plain: _Plain, run: Run, line_end: bytes) -> list[Message]:
        """The same, but of a run of hushed events only the last; none where an event is not plain."""
        messages: list[Message] = []
        ends, at = line_end * 2, 0
        while at < cut:
            hushed = run(block, at, cut)
            if hushed > 0:
                last = block.rfind(ends, at, hushed - len(ends))
                at = at if last < 0 else last + len(ends)
            found = plain.pattern.match(block, at, cut)
            if found is None:
                return []
            at = found.end()
            messages.append(Message(found[2], found[1] or b"", self._offset + at))
        return messages

    def _read_exactly(self, block: bytes, messages: list[Message]) -> int:
        """Adds the events of any block, returns where the last one ended in it."""
        cut = 0
        for end in (_END if b"\r" in block else _END_LF).finditer(block, 0, _settled(block)):
            if self._skipping:
                self._skipping = False
            else:
                self._event(block[cut : end.start()], self._offset + end.end(1), messages)
            cut = end.end()
        return cut

    def _event(self, piece: bytes, end: int, messages: list[Message]) -> None:
        """Adds the event that any piece without an end in it makes, if it makes one."""
        if len(piece.strip(b"\r\n")) > self._limit:
            self._flag_too_long()
            return
        value = piece[6:].rstrip(b"\r\n")
        if piece.startswith(b"data: ") and value.find(b"\n") < 0 and value.find(b"\r") < 0:
            messages.append(Message(value, b"", end))
            return
        name = b""
        values: list[bytes] = []
        for line in piece.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n"):
            field, _, value = line.partition(b":")
            if field == b"data":
                values.append(value.removeprefix(b" "))
            elif field == b"event":
                name = value.removeprefix(b" ")
        if values:
            messages.append(Message(b"\n".join(values), name, end))

    def _hold(self, data: bytes) -> None:
        """Keeps bytes that hold no end, or only the last of them if their event is too long."""
        tail = self._tail
        if not self._skipping:
            if len(tail) + len(data) <= self._limit + _SLACK:
                tail += data
                return
            self._skipping = True
            self._flag_too_long()
        kept = (bytes(tail[-_OVERLAP:]) + data[-_OVERLAP:])[-_OVERLAP:]
        self._offset += len(tail) + len(data) - len(kept)
        tail[:] = kept

    def _flag_too_long(self) -> None:
        if "event_too_long" not in self.anomalies:
            self.anomalies.append("event_too_long")


def _settled(data: bytes | bytearray) -> int:
    """How many of the bytes mean the same whatever comes next: a CR at their end may be half of a CR LF."""
    return len(data) - data.endswith(b"\r")


def _has_end(data: bytes | bytearray) -> bool:
    # Not `in`: on bytes it first tries its operand as a number, and the exception costs more than the search.
    first = data.find(b"\r")
    if data.find(b"\n\n", 0, first if first >= 0 else len(data)) >= 0:
        return True
    return first >= 0 and _END.search(data, max(0, first - 1), _settled(data)) is not None
