"""The mould of a stream's deltas: what stays the same from one message to the next.

Consecutive messages of a stream are mostly the same bytes around another piece of text, another sequence number,
another count. Two neighbours show which strings and numbers differ; the rest is the mould. A message that fits it has
the same members, with the same values but for those, so in a run of them nothing but the last needs to be read: usage
is a snapshot, and what does not change was read before.

- Only whole values of members may differ: strings, and whole numbers. Strings may not become empty, because whether a
  token was generated hangs on that, and those that say what a message is (`pinned` members) may not differ at all.
- A value that could hide its own end (a quote, an escaped quote) does not fit, and is read the ordinary way.
"""

import re
from collections.abc import Callable

from msgspec import Struct

from mitmeter.exchange import Message

type Fits = Callable[[bytes], bool]

LONGEST = 4096
HOLES = 8
BACKSLASH = 0x5C

_TOKEN = re.compile(rb'("(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*)', re.DOTALL)
_TEXT = rb'"(?!")[^"\\\r\n]*+(?:\\[^"\r\n][^"\\\r\n]*+)*+"'
_NUMBER = rb"\d++"


class Mould(Struct, frozen=True):
    """What a run of messages named `event` has in common: `pattern` is the regular expression of a whole payload."""

    event: bytes
    pattern: bytes
    fits: Fits


def never(payload: bytes) -> bool:
    """Fit nothing."""
    return False


def cast(one: Message, other: Message, pinned: frozenset[bytes]) -> Mould | None:
    """Return the mould of two neighbours, None where they have none in common.

    `pinned` are the names of members, in their quotes, whose strings may not differ.
    """
    if one.event != other.event or len(one.data) > LONGEST or len(other.data) > LONGEST:
        return None
    first, second = _TOKEN.split(one.data), _TOKEN.split(other.data)
    if len(first) != len(second):
        return None
    segments: list[bytes] = [b""]
    holes: list[bytes] = []
    for at, (known, found) in enumerate(zip(first, second, strict=True)):
        if known == found:
            segments[-1] += known
            continue
        hole = _hole(first, second, at, pinned) if at % 2 else None
        if hole is None or len(holes) == HOLES:
            return None
        holes.append(hole)
        segments.append(b"")
    return _mould(one.event, segments, holes) if holes else None


def _hole(first: list[bytes], second: list[bytes], at: int, pinned: frozenset[bytes]) -> bytes | None:
    """Return the pattern of a value that differs, None where it may not."""
    known, found = first[at], second[at]
    if not first[at - 1].rstrip().endswith((b":", b"[", b",")) or first[at + 1].lstrip().startswith(b":"):
        return None
    if known.isdigit() and found.isdigit():
        return _NUMBER
    if len(known) < 3 or len(found) < 3 or known[:1] != b'"' or found[:1] != b'"':
        return None
    named = first[at - 2] if at >= 2 and first[at - 1].strip() == b":" else b""
    return None if named in pinned else _TEXT


def _mould(event: bytes, segments: list[bytes], holes: list[bytes]) -> Mould:
    pattern = re.escape(segments[0])
    for hole, segment in zip(holes, segments[1:], strict=True):
        pattern += hole + re.escape(segment)
    if holes == [_TEXT]:
        return Mould(event, pattern, _one_text(segments[0] + b'"', b'"' + segments[1]))
    matches = re.compile(pattern, re.DOTALL).fullmatch
    return Mould(event, pattern, lambda payload: matches(payload) is not None)


def _one_text(prefix: bytes, suffix: bytes) -> Fits:
    """Return the same for a single string, without a regular expression."""
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
