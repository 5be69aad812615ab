"""The mould of a stream's deltas: what stays the same from one message to the next.

Consecutive messages of a stream are mostly the same bytes around another piece of text, another sequence number,
another count. Two neighbours show which strings and numbers differ; the rest is the mould. A message that fits it has
the same members, with the same values but for those, so in a run of them nothing but the last needs to be read: usage
is a snapshot, and what does not change was read before.

- Only whole values of members may differ: strings, and whole numbers. Strings may not become empty, because whether a
  token was generated hangs on that, and those that say what a message is (`pinned` members) may not differ at all.
- A value that could hide its own end (a quote, an escaped quote) does not fit, and is read the ordinary way.
- A mould is as new as its stream, so none is compiled. The expressions know lengths alone and are kept; what they find
  between the values is then compared with the mould.
"""

import re
from collections.abc import Callable
from functools import lru_cache
from itertools import pairwise

from msgspec import Struct

from mitmeter.exchange import Message

type Fits = Callable[[bytes], bool]
type Run = Callable[[bytes, int, int], int]
type Tells = Callable[[bytes], list[int] | None]

LONGEST = 4096
HOLES = 8
BACKSLASH = 0x5C

_TOKEN = re.compile(rb'("(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*)', re.DOTALL)
_TEXT = rb'"(?!")[^"\\\r\n]*+(?:\\[^"\r\n][^"\\\r\n]*+)*+"'
_NUMBER = rb"\d++"


class Mould(Struct, frozen=True):
    """What messages named `event` have in common: the `segments` of a payload, and what stands in the holes between."""

    event: bytes
    segments: tuple[bytes, ...]
    holes: tuple[bytes, ...]

    def fits(self) -> Fits:
        """Return what says whether a payload fits."""
        if self.holes == (_TEXT,):
            return _one_text(self.segments[0] + b'"', b'"' + self.segments[1])
        segments = self.segments
        matches = _alone(tuple(map(len, segments)), self.holes).fullmatch

        def fits(payload: bytes) -> bool:
            found = matches(payload)
            return found is not None and found.groups() == segments

        return fits

    def run(self, before: bytes, after: bytes) -> Run:
        """Return what finds a run of payloads that fit, each framed by `before` and `after`.

        It takes a block, and from where to where to look in it; it returns where the run ends, -1 where none begins.
        """
        first, *rest = self.segments
        segments = (before + first, *rest[:-1], rest[-1] + after)
        matches = _repeated(tuple(map(len, segments)), self.holes).match
        start = segments[0]

        def run(block: bytes, at: int, end: int) -> int:
            if not block.startswith(start, at):
                return -1
            found = matches(block, at, end)
            return found.end() if found is not None and found.groups() == segments else -1

        return run


@lru_cache(maxsize=256)
def _alone(lengths: tuple[int, ...], holes: tuple[bytes, ...]) -> re.Pattern[bytes]:
    pattern = b"(.{%d})" % lengths[0]
    for hole, length in zip(holes, lengths[1:], strict=True):
        pattern += hole + b"(.{%d})" % length
    return re.compile(pattern, re.DOTALL)


@lru_cache(maxsize=256)
def _repeated(lengths: tuple[int, ...], holes: tuple[bytes, ...]) -> re.Pattern[bytes]:
    again = rb"\1" + b"".join(rb"%s\%d" % (hole, at) for at, hole in enumerate(holes, 2))
    return re.compile(_alone(lengths, holes).pattern + b"(?:" + again + b")*+", re.DOTALL)


def never(payload: bytes) -> bool:
    """Fit nothing."""
    return False


def cast(one: Message, other: Message, pinned: frozenset[bytes]) -> Mould | None:
    """Return the mould of two neighbours, None where they have none in common.

    `pinned` are the names of members, in their quotes, whose values may not differ.
    """
    if one.event != other.event or len(one.data) > LONGEST or len(other.data) > LONGEST:
        return None
    first, second = _TOKEN.split(one.data), _TOKEN.split(other.data)
    if len(first) != len(second):
        return None
    differing = [at for at, (known, found) in enumerate(zip(first, second, strict=True)) if known != found]
    holes = [_hole(first, second, at, pinned) for at in differing[: HOLES + 1]]
    kinds = tuple(filter(None, holes))
    if not holes or len(kinds) != len(differing):
        return None
    ends = [-1, *differing, len(first)]
    segments = (b"".join(first[start + 1 : end]) for start, end in pairwise(ends))
    return Mould(one.event, tuple(segments), kinds)


def _hole(first: list[bytes], second: list[bytes], at: int, pinned: frozenset[bytes]) -> bytes | None:
    """Return the pattern of a value that differs, None where it may not."""
    known, found = first[at], second[at]
    if at % 2 == 0 or not first[at - 1].rstrip().endswith((b":", b"[", b",")) or first[at + 1].lstrip()[:1] == b":":
        return None
    if at >= 2 and first[at - 1].strip() == b":" and first[at - 2] in pinned:
        return None
    if known.isdigit() and found.isdigit():
        return _NUMBER
    if len(known) < 3 or len(found) < 3 or known[:1] != b'"' or found[:1] != b'"':
        return None
    return _TEXT


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
