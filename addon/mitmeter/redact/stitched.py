"""Secrets that a stream spells out over several events: found in the text put together, gone from each piece of it.

The pieces are the strings of the members that carry generated text, one after the other. Where a stream interleaves
several choices, blocks or tool calls, each one's pieces are put together as well.

A stream writes its members in one way, with white space after the colon or without, and shows at its start which of
them it has. What it has is cut out of it between the bytes that begin and end a value; one pass makes sure that it has
no others, and none that are written in another way: those are left to a regular expression.
"""

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable
from functools import lru_cache
from itertools import accumulate, pairwise

from mitmeter.redact.shapes import Span
from mitmeter.scan import Scanner

# Chat and completions, Messages, Responses, generateContent, Converse, native chats, realtime and speech.
NAMES = (
    *(
        "content",
        "text",
        "delta",
        "partial_json",
        "thinking",
        "reasoning_content",
        "reasoning",
        "arguments",
        "response",
    ),
    *(
        "generation",
        "completion",
        "output_text",
        "input",
        "refusal",
        "transcript",
        "outputText",
        "summary",
        "generated_text",
    ),
)
STREAMS = (b"data:", b"event:", b"id:", b":", b"retry:", b"{", b"[", b"\n", b"\r", b"\xef\xbb\xbf")

_COUNTED = ("index", "output_index", "content_index", "contentBlockIndex")
_INDEX = rb'"(?:index|output_index|content_index|contentBlockIndex|item_id)"\s*:\s*("[^"]{0,64}"|[0-9]{1,6})'
_INDEXES = re.compile(_INDEX)
_NUMBERED = re.compile(rb'"(index|output_index|content_index|contentBlockIndex)"\s*:\s*([0-9]{1,6})')
_VALUE = re.compile(rb'[^"\\]*+(?:\\.[^"\\]*+)*+', re.DOTALL)
_SPACES = (b"", b" ")
_ODD = "odd"
_LONGEST_EVENT = 2048
_START = 4096
_PROBES = 4
MOST_PIECES = 20_000

_AGAIN = b"logprob"
_TOKENS = re.compile(
    rb'"(?:token"\s{0,8}+:\s{0,8}+"(%(value)s)"|text"\s{0,8}+:\s{0,8}+"(%(value)s)"(?=\s{0,8},\s{0,8}"logprob")'
    rb'|tokens"\s{0,8}+:\s{0,8}+\[((?:\s{0,8}+"%(value)s"\s{0,8}+,?)++)|bytes"\s{0,8}+:\s{0,8}+\[([0-9,\s]++))'
    % {b"value": _VALUE.pattern},
    re.DOTALL,
)

type Find = Callable[[bytes], list[Span]]


@lru_cache(maxsize=1)
def _openings() -> tuple[list[tuple[str, bytes]], Scanner]:
    """Return the usual ways in which a value begins, with the member's name, and what finds them."""
    openings = [(name, b'"%s":%s"' % (name.encode(), space)) for space in _SPACES for name in NAMES]
    return openings, Scanner([opening for _, opening in openings], literal=True, once=True)


@lru_cache(maxsize=64)
def _others(known: frozenset[tuple[str, bytes]]) -> tuple[list[str], Scanner]:
    """Return what may begin the value of another member, with its name, and what finds it.

    Beside names there are the openings of indexes other than 0, and `_ODD`, white space where hardly anybody puts any.
    """
    openings = [(name, _unlike(opening)) for name, opening in _openings()[0] if (name, opening) not in known]
    counted = [b'"%s":' % name.encode() for name in _COUNTED]
    indexes = [b"%s%s%d" % (name, space, one) for name in counted for space in _SPACES for one in range(1, 10)]
    openings += [(index.decode(), index) for index in indexes]
    openings += [(_ODD, odd) for odd in (b'" :', b'"\t', b'"\r', b'"\n', b'":\t', b'":\r', b'":\n', b'":  ')]
    return [name for name, _ in openings], Scanner([opening for _, opening in openings], literal=True, once=True)


def _unlike(opening: bytes) -> bytes:
    """Return what finds an opening as fast in a stream that is full of others with the same last eight bytes."""
    return opening.partition(b"_content")[0] + b"_con" if b"_content" in opening else opening


@lru_cache(maxsize=len(NAMES))
def _exactly(name: str) -> Scanner:
    return Scanner([opening for other, opening in _openings()[0] if other == name], literal=True, once=True)


@lru_cache(maxsize=len(NAMES))
def _values(name: str) -> re.Pattern[bytes]:
    return re.compile(rb'"%s"\s{0,8}+:\s{0,8}+"(%s)' % (name.encode(), _VALUE.pattern), re.DOTALL)


def find_stitched(data: bytes, find: Find) -> list[Span]:
    """Return the spans, within `data`, of what `find` finds in its pieces put together but not within one of them."""
    openings, scanner = _openings()
    known = frozenset(openings[number] for number, _ in scanner.find(data[:_START]))
    names, scanner = _others(known)
    others = {names[number] for number, _ in scanner.find(data)}
    unclear = NAMES if _ODD in others else [name for name in NAMES if name in others and _exactly(name).find(data)]
    unclear = [*unclear, *(name for name, number in Counter(name for name, _ in known).items() if number > 1)]
    usual = {name: opening for name, opening in known if name not in unclear}
    several = _interleaved(data, [other.encode() for other in others if other[-1].isdigit()], _ODD in others)
    spans: list[Span] = []
    for name in dict.fromkeys((*usual, *unclear)):
        pieces = _pieces(name, data, usual.get(name))
        if len(pieces) < 2:
            continue
        if find(b"".join(pieces)):
            spans += _spread([found.span(1) for found in _values(name).finditer(data)], data, find)
        if several and len(pieces) <= MOST_PIECES:
            for group in _groups(data, _values(name)):
                spans += _spread(group, data, find)
    return spans


def find_spelled(data: bytes) -> list[Span]:
    """Return the tokens, and their bytes, of log probabilities, which spell out once more what a reply says.

    Alternatives stand between them, so that a secret is in no text put together: where there is one, all of them go.
    """
    if _AGAIN not in data:
        return []
    return [(*found.span(found.lastindex or 0), b"") for found in _TOKENS.finditer(data)]


def _pieces(name: str, data: bytes, opening: bytes | None) -> list[bytes]:
    """Return a member's values, which all begin with `opening` if that is given."""
    escaped = data.find(b"\\") >= 0
    pieces = _alike(data, opening, escaped) if opening is not None else None
    if pieces is not None:
        return pieces
    if opening is None or escaped:
        return _values(name).findall(data)
    return [rest.partition(b'"')[0] for rest in data.split(opening)[1:]]


@lru_cache(maxsize=256)
def _apart(step: int, escaped: bool) -> re.Pattern[bytes]:
    """Return what finds values between which so many bytes stand, those with which they end included."""
    return re.compile(rb'(%s)".{%d}' % (_VALUE.pattern if escaped else rb'[^"]*+', step - 1), re.DOTALL)


def _alike(data: bytes, opening: bytes, escaped: bool) -> list[bytes] | None:
    """Return the values if the same stands between any two of them but the first; None if it does not, or they are few.

    What is the same need not be looked through.
    """
    first = data.find(opening) + len(opening)
    second, last = data.find(opening, first) + len(opening), data.rfind(opening) + len(opening)
    end, third = _end(data, second), data.find(opening, second) + len(opening)
    between = data[end:third]
    if not second <= end < third < last or not _recurs(data, between, opening):
        return None
    pieces = _apart(len(between), escaped).findall(data, second, last)
    told = between.join((*pieces, b""))
    if len(told) != last - second or not data.startswith(told, second):
        return None
    return [data[first : _end(data, first)], *pieces, data[last : _end(data, last)]]


def _recurs(data: bytes, between: bytes, opening: bytes) -> bool:
    """Say whether these bytes end with the opening at some places further on, too."""
    for at in range(1, _PROBES):
        end = data.find(opening, at * len(data) // _PROBES) + len(opening)
        if end < len(opening) or not data.endswith(between, 0, end):
            return False
    return True


def _end(data: bytes, start: int) -> int:
    """Return where the value that begins here ends."""
    found = _VALUE.match(data, start)
    return found.end() if found is not None else start


@lru_cache(maxsize=1)
def _large() -> Scanner:
    """Return what finds indexes of more than one digit."""
    return Scanner([rb'"%s": ?[0-9]{2}' % name.encode() for name in _COUNTED], once=True)


def _interleaved(data: bytes, indexes: list[bytes], odd: bool) -> bool:
    """Say whether an index comes back after another one of its name; `indexes` are those other than 0."""
    if odd or (indexes and _large().find(data)):
        runs: dict[bytes, list[bytes]] = {}
        for name, index in _NUMBERED.findall(data):
            run = runs.setdefault(name, [])
            if not run or run[-1] != index:
                run.append(index)
        return any(len(run) > len(set(run)) for run in runs.values())
    for name in {index[:-1].strip() for index in indexes}:
        found = [index for index in indexes if index.startswith(name)]
        found += [name + space + b"0" for space in _SPACES]
        places = sorted((data.find(index), data.rfind(index)) for index in found)
        if any(first >= 0 and first < last for (_, last), (first, _) in pairwise(places)):
            return True
    return False


def _groups(data: bytes, values: re.Pattern[bytes]) -> list[list[tuple[int, int]]]:
    """Return the pieces by the indexes that stand in the same event."""
    groups: dict[tuple[bytes, ...], list[tuple[int, int]]] = {}
    for found in values.finditer(data):
        start, end = found.span(1)
        low = data.rfind(b"\n", max(0, start - _LONGEST_EVENT), start) + 1
        high = data.find(b"\n", end, end + _LONGEST_EVENT)
        indexes = _INDEXES.findall(data, max(low, start - _LONGEST_EVENT), high if high >= 0 else end + 256)
        groups.setdefault(tuple(indexes), []).append((start, end))
    return [group for group in groups.values() if len(group) > 1] if len(groups) > 1 else []


def _spread(pieces: list[tuple[int, int]], data: bytes, find: Find) -> list[Span]:
    """Return what `find` finds in the pieces put together, as spans of each: the marker goes to the first of them."""
    starts = [0, *accumulate(end - start for start, end in pieces)]
    spans: list[Span] = []
    for start, end, mark in find(b"".join(data[one:other] for one, other in pieces)):
        at = bisect_right(starts, start) - 1
        while at < len(pieces) and starts[at] < end:
            shift = pieces[at][0] - starts[at]
            first, last = max(start, starts[at]) + shift, min(end, starts[at + 1]) + shift
            if last > first:
                spans.append((first, last, mark))
                mark = b""
            at += 1
    return spans
