"""One coding of a body, undone piece by piece within bounds; raises on no input.

- A body that does not begin with its coding's magic is not of that coding whatever its header says (servers and
  recorders decode a body and leave the header), so its bytes are handed on as they are. Where there is no magic, a body
  that fails before it has yielded anything counts as mislabeled. So does one that ends before that and is plain text.
- Members and frames follow one another. Anything else after the end is trailing data: flagged and dropped.
- What could be decoded before an error is kept. All three libraries throw away the output of the call that fails, so
  the bytes since the last checkpoint are kept (64 KiB at most) and replayed, the failing piece byte by byte. zlib can
  be copied, so it has a checkpoint anywhere; br and zstd have only their beginning: further in, an error costs what its
  piece, of at most 16 KiB, would have yielded.
"""

from collections.abc import Callable
from enum import Enum, auto

from mitmeter.wire.decompress import CORRUPT, Coding, Decompressor, Sniff

_PIECE = 16 * 1024
_REPLAY_INPUT = 64 * 1024
_REPLAY_OUTPUT = 1024 * 1024


class _State(Enum):
    OPENING = auto()
    DECODING = auto()
    BETWEEN = auto()
    RAW = auto()
    ENDED = auto()


class Undo:
    """Undoes one coding. `flag` is called with an anomaly's word, perhaps repeatedly; nothing is raised."""

    def __init__(self, coding: Coding, flag: Callable[[str], None]) -> None:
        self._coding = coding
        self._flag = flag
        self._state = _State.OPENING
        self._head = b""
        self._total = 0
        self._decompressor: Decompressor | None = None
        self._checkpoint: Decompressor | None = None  # None is the beginning of the stream
        self._replayable = True
        self._since = bytearray()
        self._yielded = 0
        self._since_start = True

    def feed(self, data: bytes, ceiling: int) -> bytes:
        """Encoded bytes in, decoded bytes out; `ceiling` is the output allowed so far, in all, and may only grow."""
        if self._state is _State.RAW:
            return data
        out: list[bytes] = []
        if len(data) <= _PIECE:
            self._feed_piece(data, ceiling, out)
        else:
            # A library copies all that is left after a member: pieces keep many small members from costing its square.
            for at in range(0, len(data), _PIECE):
                self._feed_piece(data[at : at + _PIECE], ceiling, out)
        return out[0] if len(out) == 1 else b"".join(out)

    def close(self) -> bytes:
        """The end of the input: returns bytes held back, if any, and flags what is missing."""
        if self._state is _State.BETWEEN and self._head:
            self._flag("coding_trailing_data")
        elif self._state is _State.OPENING and self._head:
            return self._cut_at_start(self._head)
        elif self._state is _State.DECODING:
            return self._cut_at_start(self._since if self._may_be_mislabeled() else b"")
        return b""

    def _cut_at_start(self, raw: bytes | bytearray) -> bytes:
        if raw and raw.isascii() and raw.decode("ascii").replace("\r", "").replace("\n", "").isprintable():
            self._flag("coding_mislabeled")
            return bytes(raw)
        self._flag("coding_truncated")
        return b""

    def _feed_piece(self, piece: bytes, ceiling: int, out: list[bytes]) -> None:
        while piece and self._state is not _State.ENDED:
            if self._state is _State.DECODING:
                piece = self._decode(piece, ceiling - self._total, out)
            elif self._state is _State.RAW:
                out.append(piece)
                return
            else:
                piece = self._open(piece)

    def _open(self, piece: bytes) -> bytes:
        head = self._head + piece
        first = self._state is _State.OPENING
        start = self._coding.start(head) if first or self._coding.repeats else Sniff.FOREIGN
        if start is Sniff.MORE:
            self._head = head
            return b""
        self._head = b""
        if isinstance(start, Sniff):
            self._flag("coding_mislabeled" if first else "coding_trailing_data")
            self._state = _State.RAW if first else _State.ENDED
            return head
        self._decompressor = self._decompressor.fresh() if self._decompressor else start()
        self._state = _State.DECODING
        self._mark(None, replayable=True)
        return head

    def _mark(self, checkpoint: Decompressor | None, *, replayable: bool) -> None:
        self._checkpoint = checkpoint
        self._replayable = replayable
        self._since.clear()
        self._yielded = 0

    def _decode(self, piece: bytes, room: int, out: list[bytes]) -> bytes:
        decompressor = self._decompressor
        assert decompressor is not None
        try:
            plain = decompressor.process(piece, room)
            finished, rest = decompressor.finished, decompressor.rest
        except CORRUPT as error:
            plain, finished, rest = self._replay(decompressor, piece, room, error, out)
        if len(plain) > room:
            self._flag("coding_bomb")
            self._state = _State.ENDED
            plain = plain[:room]
        if plain:
            out.append(plain)
            self._total += len(plain)
        if self._state is not _State.DECODING:
            return b""
        if finished:
            self._state = _State.BETWEEN
            return rest
        if self._replayable:
            self._keep(decompressor, piece, len(plain))
        return b""

    def _keep(self, decompressor: Decompressor, piece: bytes, yielded: int) -> None:
        self._since += piece
        self._yielded += yielded
        if len(self._since) > _REPLAY_INPUT or self._yielded > _REPLAY_OUTPUT:
            checkpoint = decompressor.fork()
            self._mark(checkpoint, replayable=checkpoint is not None)
            self._since_start = False

    def _may_be_mislabeled(self) -> bool:
        return self._coding.guessed and self._total == 0 and self._since_start

    def _replay(
        self, failed: Decompressor, piece: bytes, room: int, error: Exception, out: list[bytes]
    ) -> tuple[bytes, bool, bytes]:
        if not self._replayable:
            self._fail(error)
            return b"", False, b""
        self._decompressor = twin = self._checkpoint or failed.fresh()
        plain = bytearray(twin.process(bytes(self._since), self._yielded))
        del plain[: self._yielded]
        for at in range(len(piece)):
            try:
                plain += twin.process(piece[at : at + 1], room - len(plain))
            except CORRUPT as exact:
                if not plain and self._may_be_mislabeled():
                    self._flag("coding_mislabeled")
                    self._state = _State.RAW
                    out.append(bytes(self._since) + piece)
                else:
                    self._fail(exact)
                break
            if twin.finished:
                return bytes(plain), True, piece[at + 1 :]
            if len(plain) > room:
                break
        return bytes(plain), False, b""

    def _fail(self, error: Exception) -> None:
        self._state = _State.ENDED
        text = str(error)
        if "data check" in text or "length check" in text or "checksum" in text:
            self._flag("coding_checksum")
        elif "too much memory" in text:
            self._flag("coding_window")
        else:
            self._flag("coding_corrupt")
