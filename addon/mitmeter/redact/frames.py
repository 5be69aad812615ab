"""AWS event streams: secrets in what payloads wrap or are pieces of, and frames made whole again around markers.

https://smithy.io/2.0/aws/amazon-eventstream.html
https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_PayloadPart.html
https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_runtime_PayloadPart.html

A frame whose payload has changed gets its lengths and both checksums anew, so that what is kept can be read as the
stream that it was; they then vouch for what is kept, no longer for what was sent.
"""

import binascii
import re
from base64 import b64encode
from bisect import bisect_right
from collections.abc import Callable, Iterator
from itertools import accumulate
from struct import Struct
from zlib import crc32

from mitmeter.redact.patch import merged, patched
from mitmeter.redact.shapes import Span

_PRELUDE = Struct(">III")
_CHECK = Struct(">I")
_LEAST = _PRELUDE.size + _CHECK.size
# The first frames of a stream that wraps its payloads do.
_START = 8192
_PIECE = b"\x0b:event-type\x07\x00\x0bPayloadPart"
_WRAPPED = re.compile(rb'"bytes"\s{0,8}+:\s{0,8}+"([A-Za-z0-9+/]{4,}+={0,2})')


def is_framed(data: bytes) -> bool:
    """Say whether a body begins with a frame."""
    return data[:1] == b"\0" and _total(data, 0) > 0


def _total(data: bytes, at: int) -> int:
    """Return the length of the frame that begins at an offset, 0 where none does."""
    if len(data) - at < _PRELUDE.size:
        return 0
    total, headers, check = _PRELUDE.unpack_from(data, at)
    return total if total >= _LEAST + headers and crc32(data[at : at + 8]) == check else 0


def find_wrapped(data: bytes, find: Callable[[bytes], list[Span]]) -> list[Span]:
    """Return spans of base64 with what stands in their place: the same text without what `find` finds in it.

    The texts are searched together, a line each, since a secret may be spelled out over several.
    """
    if data.find(b'"bytes"', 0, _START) < 0:
        return []
    places = [_quads(*found.span(1)) for found in _WRAPPED.finditer(data)]
    texts = [_decoded(data[start:end]) for start, end in places]
    return [
        (*places[number], b64encode(patched(texts[number], spans)))
        for number, spans in _shared(texts, b"\n", find).items()
    ]


def find_pieced(data: bytes, find: Callable[[bytes], list[Span]]) -> list[Span]:
    """Return the spans of what `find` finds in the body that the payloads of frames are pieces of, cut anywhere."""
    if data.find(_PIECE, 0, _START) < 0:
        return []
    places = list(_pieces(data))
    own = _shared([data[start:end] for start, end in places], b"", find)
    return [(places[at][0] + one, places[at][0] + other, mark) for at in own for one, other, mark in own[at]]


def _pieces(data: bytes) -> Iterator[tuple[int, int]]:
    """Yield where the payloads of frames that are pieces begin and end; of the last frame, as far as it is there."""
    at = 0
    while total := _total(data, at):
        begin = at + _PRELUDE.size + _PRELUDE.unpack_from(data, at)[1]
        if data.find(_PIECE, at, begin) >= 0:
            yield begin, max(begin, min(at + total - _CHECK.size, len(data)))
        at += total


def _shared(texts: list[bytes], between: bytes, find: Callable[[bytes], list[Span]]) -> dict[int, list[Span]]:
    """Return the spans of what `find` finds in texts that are searched together, by the number of the text."""
    starts = [0, *accumulate(len(text) + len(between) for text in texts)]
    own: dict[int, list[Span]] = {}
    for start, end, mark in merged(find(between.join(texts))) if texts else ():
        for number in range(bisect_right(starts, start) - 1, bisect_right(starts, end - 1)):
            first, last = max(0, start - starts[number]), min(len(texts[number]), end - starts[number])
            if last > first:
                own.setdefault(number, []).append((first, last, mark))
                mark = b""
    return own


def _quads(start: int, end: int) -> tuple[int, int]:
    return start, end - (end - start) % 4


def _decoded(coded: bytes) -> bytes:
    try:
        return binascii.a2b_base64(coded)
    except binascii.Error:
        return b""


def reframed(data: bytes, spans: list[Span]) -> bytes:
    """Return the frames with markers in the place of spans; what is in no whole frame is patched as it stands."""
    if not spans:
        return data
    todo = merged(spans)
    out: list[bytes] = []
    at = next_span = 0
    while at < len(data) and (total := _total(data, at)) and at + total <= len(data):
        end = at + total
        own: list[Span] = []
        while next_span < len(todo) and todo[next_span][0] < end:
            own.append(todo[next_span])
            if todo[next_span][1] > end:
                break
            next_span += 1
        out.append(_frame(data[at:end], [(max(0, one - at), min(total, other - at), mark) for one, other, mark in own]))
        at = end
    rest = [(max(0, start - at), end - at, mark) for start, end, mark in todo[next_span:] if end > at]
    return b"".join((*out, patched(data[at:], rest)))


def _frame(frame: bytes, spans: list[Span]) -> bytes:
    """Return one frame; where its headers hold a secret, they and the payload are left to the patch alone."""
    if not spans:
        return frame
    begin, end = _PRELUDE.size + _PRELUDE.unpack_from(frame)[1], len(frame) - _CHECK.size
    inside = [(max(begin, start) - begin, min(end, stop) - begin, mark) for start, stop, mark in spans]
    if any(start < begin for start, _, _ in spans):
        return patched(frame, spans)
    payload = patched(frame[begin:end], [span for span in inside if span[1] > span[0]])
    lengths = _PRELUDE.pack(begin + len(payload) + _CHECK.size, begin - _PRELUDE.size, 0)[:8]
    whole = b"".join((lengths, _CHECK.pack(crc32(lengths)), frame[_PRELUDE.size : begin], payload))
    return whole + _CHECK.pack(crc32(whole))
