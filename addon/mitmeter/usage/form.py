"""Forms (multipart/form-data): fields of text, and files, of which a capture need not hold more than their size.

A form is known by how it begins, a boundary's line and a header, and read up to where it is cut.
https://www.rfc-editor.org/rfc/rfc7578
https://www.rfc-editor.org/rfc/rfc2046#section-5.1.1
"""

import re
from collections.abc import Iterator

from msgspec import Struct

from mitmeter.usage.prompt import Prompt
from mitmeter.usage.turns import FORMS, Piece, Said

MOST = 1000
LONGEST_HEAD = 8192

_OPENING = re.compile(rb"(--[^\r\n]{1,70})\r\n(?=content-)", re.IGNORECASE)
_LEFT_OUT = re.compile(rb"\[(\d{1,15}) bytes left out\]")
_VALUE = r'%s\s*=\s*(?:"((?:[^"\\\r\n]|\\.)*)"|([^;\s"]+))'
_NAME, _FILENAME = (re.compile(r"[;\s]" + _VALUE % name, re.IGNORECASE) for name in ("name", "filename"))
_EXTENDED = re.compile(r"[;\s]filename\*\s*=", re.IGNORECASE)
_TYPE = re.compile(r"^content-type:\s*([^;\s]+)", re.IGNORECASE | re.MULTILINE)
_TEXTS = ("text/", "application/json", "application/x-www-form-urlencoded")


class Part(Struct, frozen=True):
    """A part, whose content stands from `start` to `end`; `size` is in bytes, also of what was left out."""

    name: str
    filename: str | None
    media: str | None
    start: int
    end: int
    size: int

    @property
    def is_file(self) -> bool:
        """Whether it is no field of text."""
        return self.filename is not None or (self.media is not None and not self.media.startswith(_TEXTS))


def parts(body: bytes) -> Iterator[Part]:
    """Yield the parts of a form, at most `MOST`; none where it is no form."""
    opening = _OPENING.match(body)
    if opening is None:
        return
    boundary, at = b"\r\n" + opening[1], opening.end()
    for _ in range(MOST):
        start = body.find(b"\r\n\r\n", at, at + LONGEST_HEAD) + 4
        if start < 4:
            return
        end = body.find(boundary, start)
        end = len(body) if end < 0 else end
        yield _part(body[at : start - 4].decode("utf-8", "replace"), body, start, end)
        at = body.find(b"\r\n", end + len(boundary)) + 2
        if at < 2 or body.startswith(b"--", end + len(boundary)):
            return


def _part(head: str, body: bytes, start: int, end: int) -> Part:
    left_out = _LEFT_OUT.fullmatch(body, start, end)
    media = _TYPE.search(head)
    return Part(
        name=_value(_NAME, head) or "",
        filename="" if (named := _value(_FILENAME, head)) is None and _EXTENDED.search(head) else named,
        media=media[1].lower() if media else None,
        start=start,
        end=end,
        size=int(left_out[1]) if left_out else end - start,
    )


def _value(pattern: re.Pattern[str], head: str) -> str | None:
    found = pattern.search(head)
    if found is None:
        return None
    return found[2] if found[1] is None else found[1].replace('\\"', '"')


def outline(body: bytes) -> bytes | None:
    """Return a form with the sizes of its files in place of their contents, None where it is no form."""
    kept, at = list[bytes](), 0
    for part in parts(body):
        content = b"[%d bytes left out]" % part.size if part.is_file else body[part.start : part.end]
        kept += (body[at : part.start], content)
        at = part.end
    if not kept:
        return None
    # What follows the last part that was read is a boundary, or not known.
    return b"".join(kept) + body[at : at + 80]


def said(prompt: Prompt, body: bytes) -> Said | None:
    """Return a form as what its user says: texts for the model, files by their type and size, and the other fields."""
    spoken = {place.at for place in prompt.places}
    pieces: list[Piece] = []
    others: dict[str, list[str]] = {}
    for part in parts(body):
        if part.is_file:
            kind = FORMS.get((part.media or "").partition("/")[0], "file")
            pieces.append(Piece(kind, part.size, None, name=part.filename or None, media=part.media))
            continue
        text = body[part.start : part.end].decode("utf-8", "replace")
        if part.name in spoken:
            pieces.append(Piece("text", text, text))
        else:
            others.setdefault(part.name, []).append(text)
    if others:
        plain = {name: values[0] if len(values) == 1 else values for name, values in others.items()}
        pieces.append(Piece("other", plain, plain, name="form"))
    return Said("user", pieces) if pieces else None
