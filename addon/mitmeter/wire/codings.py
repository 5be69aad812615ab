"""Content codings: which to let a client ask for, how to undo what a server applied (RFC 9110, 8.4 and 12.5.3).

- Repeated header lines are one list, joined in order. Names are case-insensitive; empty elements mean nothing.
- Codings are listed in the order they were applied, so they are undone from the right.
- A coding that is not known cannot be undone, nor can those beneath it: the bytes are handed on as they are at that
  point, and `Codings.undecoded` names what is still in force. So it is for more than five codings.
- Output is bounded in all and, past its first MiB, in proportion to the input; each coding of a stack on its own.
  Crossing a bound ends the decoding. The proportion is looked at with each `feed`, over all that came so far.
- A body without a coding is not bounded here: it is no larger than it came.
"""

from collections.abc import Iterator, Sequence

from mitmeter.wire.decompress import CODINGS
from mitmeter.wire.undo import Undo

_ACCEPTED = frozenset((*CODINGS, "identity"))
_STACK_LIMIT = 5
_RATIO_FREE = 1024 * 1024
_STEP = 16 * 1024
_LARGE = 4 * 1024 * 1024


def filter_accept_encoding(lines: Sequence[str]) -> str | None:
    """The value to send upstream in place of these Accept-Encoding lines, or None to leave them as they are.

    Elements that cannot be decoded here are taken out; those that stay keep their text, weights and order. Where none
    stays the answer is `identity`, because an absent header would mean that anything goes. Absent and empty headers
    are left alone.
    """
    value = ",".join(lines)
    if not value.strip(", \t"):
        return None if "," not in "".join(lines) else "identity"
    elements = (element.strip() for element in value.split(","))
    kept = [element for element in elements if element.partition(";")[0].rstrip().lower() in _ACCEPTED]
    return ", ".join(kept) or "identity"


class Codings:
    """Undoes a Content-Encoding incrementally. Raises on no input.

    `content_encoding` is the header's value or its lines. `output_limit` is in bytes; `ratio_limit` is the output
    allowed per byte of input once the output is past 1 MiB.

    `anomalies` collects, each once:
    `coding_truncated` (the input ended early), `coding_corrupt` and `coding_checksum` (all that came before is kept),
    `coding_trailing_data` (bytes after the end, dropped), `coding_bomb` (a limit was crossed; nothing follows),
    `coding_window` (zstd that needs over 8 MiB; nothing follows), `coding_mislabeled` (the body was not of that coding
    and is handed on as it is), `coding_unsupported` (see `undecoded`).

    `received` is how many bytes came. `undecoded` names the codings still in force on the output, as the header lists
    them, or is None.
    """

    def __init__(self, content_encoding: Sequence[str] | str, *, output_limit: int, ratio_limit: int) -> None:
        self.anomalies: list[str] = []
        self.undecoded: str | None = None
        self._output_limit = output_limit
        self._ratio_limit = ratio_limit
        self.received = 0
        self._stages: list[Undo] = []
        value = content_encoding if isinstance(content_encoding, str) else ",".join(content_encoding)
        names = [name for name in (part.strip().lower() for part in value.split(",")) if name not in ("", "identity")]
        while names and names[-1] in CODINGS and len(self._stages) < _STACK_LIMIT:
            self._stages.append(Undo(CODINGS[names.pop()], self._flag))
        if names:
            self.undecoded = ", ".join(names)
            self._flag("coding_unsupported")

    def feed(self, data: bytes) -> bytes:
        """Takes bytes as they came, returns what became decodable (the same object where there is no coding)."""
        self.received += len(data)
        if not self._stages:
            return data
        ceiling = self._ceiling()
        for stage in self._stages:
            data = stage.feed(data, ceiling)
        return data

    def undo(self, chunks: Sequence[tuple[bytes, float]]) -> Iterator[tuple[bytes, Sequence[int], Sequence[float]]]:
        """Takes chunks with their times, yields what they became: bytes, how many of them came when, and when.

        In steps, since a few bytes may become a thousand times as many.
        """
        if not self._stages:
            raw = [chunk for chunk, _ in chunks]
            data = b"".join(raw)
            self.received += len(data)
            yield data, [*map(len, raw)], [time for _, time in chunks]
            return
        held: list[bytes] = []
        sizes: list[int] = []
        at: list[float] = []
        for chunk, time in chunks:
            sizes.append(0)
            at.append(time)
            for start in range(0, len(chunk), _STEP):
                held.append(self.feed(chunk[start : start + _STEP]))
                sizes[-1] += len(held[-1])
                if sizes[-1] > _LARGE:
                    yield b"".join(held), sizes, at
                    held, sizes, at = [], [0], [time]
        yield b"".join(held), sizes, at

    def close(self) -> bytes:
        """Ends the body and returns what was held back. Call once, after the last `feed`."""
        ceiling = self._ceiling()
        tail = b""
        for stage in self._stages:
            tail = stage.feed(tail, ceiling) + stage.close()
        return tail

    def _ceiling(self) -> int:
        return min(self._output_limit, max(_RATIO_FREE, self._ratio_limit * self.received))

    def _flag(self, anomaly: str) -> None:
        if anomaly not in self.anomalies:
            self.anomalies.append(anomaly)
