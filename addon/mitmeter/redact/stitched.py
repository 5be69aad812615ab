"""Secrets that a stream spells out over several events: found in the text put together, gone from each piece of it.

The pieces are the strings of the members that carry generated text, one after the other. Where a stream interleaves
several choices, blocks or tool calls, each one's pieces are put together as well.
"""

import re
from bisect import bisect_right
from collections.abc import Callable
from functools import lru_cache
from itertools import accumulate

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

_INDEX = rb'"(?:index|output_index|content_index|contentBlockIndex|item_id)"\s*:\s*("[^"]{0,64}"|[0-9]{1,6})'
_INDEXES = re.compile(_INDEX)
_SEVERAL = rb'"(?:index|output_index|content_index|contentBlockIndex)"\s*:\s*[1-9]'
_LONGEST_EVENT = 2048
MOST_PIECES = 20_000

type Find = Callable[[bytes], list[Span]]


@lru_cache(maxsize=1)
def _presence() -> Scanner:
    signs = [rb'"%s"\s{0,8}:\s{0,8}"' % name.encode() for name in NAMES]
    return Scanner([*signs, _SEVERAL], once=True)


@lru_cache(maxsize=len(NAMES))
def _values(name: str) -> re.Pattern[bytes]:
    return re.compile(rb'"%s"\s{0,8}+:\s{0,8}+"([^"\\]*+(?:\\.[^"\\]*+)*+)' % name.encode(), re.DOTALL)


def find_stitched(data: bytes, find: Find) -> list[Span]:
    """Return the spans, within `data`, of what `find` finds in its pieces put together but not within one of them."""
    present = {number for number, _ in _presence().find(data)}
    spans: list[Span] = []
    for number in sorted(present - {len(NAMES)}):
        values = _values(NAMES[number])
        pieces = values.findall(data)
        if len(pieces) < 2:
            continue
        if find(b"".join(pieces)):
            spans += _spread([found.span(1) for found in values.finditer(data)], data, find)
        if len(NAMES) in present and len(pieces) <= MOST_PIECES:
            for group in _groups(data, values):
                spans += _spread(group, data, find)
    return spans


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
