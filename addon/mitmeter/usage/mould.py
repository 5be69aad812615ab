"""The mould of a stream's deltas: what stands before and after the generated text.

Consecutive deltas of a stream are mostly the same bytes around another piece of text. Where a message starts and ends
like one that was read, and what is between holds neither a quote nor a closing backslash, it is that message with
another string in the same place, so nothing in it needs to be read again.
"""

from collections.abc import Callable

from msgspec import Struct

type Fits = Callable[[bytes], bool]
type Find = Callable[[bytes], tuple[str, str] | None]

LONGEST = 4096
BACKSLASH = 0x5C
PROBE = "a piece that no model writes"


def never(payload: bytes) -> bool:
    """Fit nothing."""
    return False


class Mould(Struct, frozen=True):
    """`prefix` ends with the string's opening quote, `suffix` begins with its closing one."""

    kind: str
    prefix: bytes
    suffix: bytes

    def fits(self) -> Fits:
        """Return a function that says whether a payload is this message with another, non-empty string."""
        prefix, suffix = self.prefix, self.suffix
        start, end = len(prefix), -len(suffix)
        shortest = start - end

        def fits(payload: bytes) -> bool:
            return (
                payload.startswith(prefix)
                and payload.endswith(suffix)
                and len(payload) > shortest
                and payload.find(b'"', start, end) < 0
                and payload[end - 1] != BACKSLASH
            )

        return fits


def cast(payload: bytes, find: Find) -> Mould | None:
    """Return the mould of a message, None where its text cannot be told apart from the rest.

    `find` returns the (kind, text) of the first generated piece of a payload. The mould is tried with a text of its
    own, so that it is known to hold the piece and not a look-alike.
    """
    found = find(payload)
    if found is None or len(payload) > LONGEST:
        return None
    kind, text = found
    literal = f'"{text}"'.encode("utf-8", "replace")
    at = payload.find(literal)
    if at < 0 or payload.find(literal, at + 1) >= 0:
        return None
    mould = Mould(kind, payload[: at + 1], payload[at + len(literal) - 1 :])
    return mould if find(mould.prefix + PROBE.encode() + mould.suffix) == (kind, PROBE) else None
