"""Spans of bytes replaced by markers, so that JSON stays JSON and every byte outside of them stays as it was."""

import re

from mitmeter.redact.shapes import Span

_BROKEN_LEFT = re.compile(rb"\\(?:u[0-9A-Fa-f]{0,3})?\Z")
_BROKEN_RIGHT = re.compile(rb"\\(?:u[0-9A-Fa-f]{0,3})?\Z")
_ESCAPE = re.compile(rb"\\(?:u[0-9A-Fa-f]{4}|.)", re.DOTALL)
_STRUCTURE = re.compile(rb'(?<!\\)((?:\\\\)*+"[\s:,\[\]{}]*(?:"|\Z)|(?:\\\\)*+"|[\r\n]+)')
_NUMBER = b"0123456789.eE+-"
_INSIDE = frozenset(b" \t\r\n:,[")


def merged(spans: list[Span]) -> list[Span]:
    """Return the spans in order, those that overlap or touch as one under the first one's marker."""
    whole: list[Span] = []
    for start, end, mark in sorted(spans, key=lambda span: (span[0], -span[1])):
        if whole and start < whole[-1][1]:
            first, last, known = whole[-1]
            whole[-1] = (first, max(last, end), known)
        else:
            whole.append((start, end, mark))
    return whole


def _backslashes(data: bytes, end: int) -> int:
    return end - len(data[max(0, end - 64) : end].rstrip(b"\\")) - max(0, end - 64)


def _whole_escapes(data: bytes, start: int, end: int) -> tuple[int, int]:
    """Widen a span to the edges of the escapes in which it begins and ends."""
    low = max(0, start - 5)
    found = _BROKEN_LEFT.search(data[low:start])
    if found is not None and _backslashes(data, low + found.start() + 1) % 2 == 1:
        start = low + found.start()
    found = _BROKEN_RIGHT.search(data[max(start, end - 5) : end])
    if found is not None:
        at = max(start, end - 5) + found.start()
        if _backslashes(data, at + 1) % 2 == 1:
            escape = _ESCAPE.match(data, at)
            end = max(end, escape.end()) if escape is not None else end
    return start, end


def _as_value(data: bytes, start: int, end: int, mark: bytes) -> Span | None:
    """Return the span of the number that digits are a part of, outside of strings, with the marker as a string."""
    if data[start:end].strip(_NUMBER):
        return None
    low = max(0, start - 64)
    first = low + len(data[low:start].rstrip(_NUMBER))
    rest = data[end : end + 64]
    last = end + len(rest) - len(rest.lstrip(_NUMBER))
    before, after = data[max(0, first - 1) : first], data[last : last + 1]
    around = before in (b":", b",", b"[", b" ", b"\n") and after in (b",", b"}", b"]", b" ", b"\n", b"\r")
    return (first, last, b'"%s"' % mark) if around and _closed(data, first) else None


def _closed(data: bytes, at: int) -> bool:
    """Say whether the last thing before an offset, but for white space, is structure: a colon after a name, a comma."""
    before = data[max(0, at - 16) : at].rstrip()
    return before.endswith((b'":', b'" :', b"[", b","))


def patched(data: bytes, spans: list[Span]) -> bytes:
    """Return the data with markers in the place of spans; what structures JSON inside of a span stays."""
    if not spans:
        return data
    json = data.lstrip()[:1] in (b"{", b"[", b'"') or b'{"' in data[:4096]
    wider: list[Span] = []
    for start, end, mark in spans:
        if json:
            number = _as_value(data, start, end, mark)
            start, end, mark = number or (*_whole_escapes(data, start, end), mark)
        wider.append((start, end, mark))
    parts: list[bytes] = []
    at = 0
    for start, end, mark in merged(wider):
        parts += (data[at:start], _replacement(data[start:end], mark) if json else mark)
        at = end
    return b"".join((*parts, data[at:]))


def _replacement(secret: bytes, mark: bytes) -> bytes:
    """Return the marker, in pieces around what ends strings and lines inside of the secret."""
    if b'"' not in secret and b"\n" not in secret and b"\r" not in secret:
        return mark
    pieces = _STRUCTURE.split(secret)
    return b"".join(piece if at % 2 else mark if piece else b"" for at, piece in enumerate(pieces))
