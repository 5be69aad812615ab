"""What makes a stream's message worth decoding once the first token was seen, told by its bytes.

A message tells something if it holds, with a value other than null, a member whose name ends one of the dialect's paths
of usage, timings, finish or error, or of thinking while none was seen. The test on bytes may say yes too often and
never says no too often (a member's name could also be written with `\\u00..` escapes, so those count as yes).
"""

from collections.abc import Iterator
from functools import lru_cache

from mitmeter.mould import Tells
from mitmeter.scan import Scanner, TooMany
from mitmeter.usage.dialect import Dialect, highest
from mitmeter.usage.documents import at_root
from mitmeter.usage.paths import EACH, path

DONE = b"[DONE]"
FAILED = b"error"  # the name of an event that tells of an error, whatever its data look like
MANY = 16
# How a value that is not null begins after its member's name; all of them as literals, which are found fastest.
_BEGINNINGS = tuple(b'"{[tf-0123456789'[at : at + 1] for at in range(16))
_GAPS = (b" ", b"\t", b"\r", b"\n")
_ELSE = (
    b"\\u00",
    DONE,
    b"event: error",
    b"event:error",
    *(b"data:" + space + end for space in (b"", b" ") for end in (b"\r", b"\n")),
)


@lru_cache(maxsize=256)
def telling(dialect: Dialect) -> tuple[bytes, ...]:
    """Return the quoted member names, and the `type`s, that make a message worth decoding."""
    paths = [*dialect.usage, *dialect.finish, *dialect.errors, *(clock.at for clock in dialect.clocks)]
    names = {path(text)[-1] for text in paths if text} | {path(text)[0] for text in at_root(dialect)}
    names |= set(dialect.ends)
    return tuple(b'"%s"' % name.encode() for name in sorted(names))


@lru_cache(maxsize=256)
def thinking(dialect: Dialect) -> tuple[bytes, ...]:
    """Return the quoted member names and `type`s by which a message may hold thinking, and no other piece."""
    parts = [part for part in dialect.parts if part.kind == "thinking"]
    others = {_name(part.at) for part in dialect.parts if part.kind != "thinking"}
    names = {_name(part.at) for part in parts} - others
    names |= {name for part in parts for name in part.types if _name(part.at) in others}
    names |= {part.where[0] for part in parts if part.where}
    return tuple(b'"%s"' % name.encode() for name in sorted(names))


def _name(at: str) -> str:
    return next(step for step in reversed(path(at)) if step != EACH)


@lru_cache(maxsize=256)
def pinned(dialect: Dialect) -> frozenset[bytes]:
    """Return the quoted names of members that say what a message is."""
    paths = [*dialect.finish, *dialect.errors, *dialect.service_tier, dialect.type_at, "type"]
    paths += [part.where[0] for part in dialect.parts if part.where]
    paths += ["index"] if dialect.several else []
    return frozenset(b'"%s"' % path(text)[-1].encode() for text in paths if text)


def tells(payload: bytes, needles: tuple[bytes, ...]) -> bool:
    """Say whether a payload may hold one of the members with a value other than null."""
    if payload.find(b"\\u00") >= 0:
        return True
    for needle in needles:
        at = payload.find(needle)
        while at >= 0:
            rest = at + len(needle)
            if not (payload.startswith(b":null", rest) or payload.startswith(b": null", rest)):
                return True
            at = payload.find(needle, rest)
    return False


@lru_cache(maxsize=512)
def finder(members: frozenset[bytes], values: frozenset[bytes]) -> Tells:
    """Return what finds in many messages at once, framed as they came, where those stand that tell something.

    `members` are quoted names, `values` quoted strings. It gives the offset of a byte of each such message, or None
    where they are so many that each is better looked at. An event without data and one that is `[DONE]` count too.
    """
    scanner = Scanner([*values, *_ELSE, *(one for name in members for one in _told(name))], literal=True)

    def find(block: bytes) -> list[int] | None:
        try:
            return [end - 1 for _, end in scanner.find(block, MANY)]
        except TooMany:
            return None

    return find


def _told(name: bytes) -> Iterator[bytes]:
    """Yield the ways in which a member with a value other than null may go on, white space in odd places included."""
    for space in (b":", b": "):
        yield from (name + space + beginning for beginning in _BEGINNINGS)
    yield from (name + gap for gap in _GAPS)
    yield from (name + b":" + gap for gap in _GAPS[1:])
    yield from (name + b": " + gap for gap in _GAPS)


@lru_cache(maxsize=512)
def teller(dialect: Dialect, thought: bool) -> Tells | None:
    """Return what finds the messages that tell something, thinking among it unless that was seen before.

    None says that messages that tell nothing cannot be passed over unseen.
    """
    if dialect.envelope or dialect.fold is highest:
        return None
    types = [text for part in dialect.parts if part.kind == "thinking" for text in part.types]
    values = frozenset(b'"%s"' % text.encode() for text in (*dialect.ends, *types))
    needles = frozenset((*telling(dialect), *(() if thought else thinking(dialect))))
    return finder(needles - values, needles & values)
