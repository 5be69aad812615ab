"""What a request gives the model to read, and what a whole reply holds: a decoded document -> its turns, in order.

Nothing is copied and nothing raises; a turn's pieces hold the values of the document, and there are at most `PARTS`.
"""

from collections.abc import Iterator
from functools import lru_cache
from itertools import islice
from typing import Any

from msgspec import Struct

from mitmeter.usage.paths import dig, path, walk
from mitmeter.usage.prompt import Place, Prompt, Shape

OF_A_PART = {"tool": "assistant", "thinking": "assistant", "tool_result": "tool"}
PARTS = 50_000
FORMS: dict[str, str] = {"image": "image", "audio": "audio", "text": "file", "application": "file"}


class Piece(Struct):
    """One part of a message: `content` is what stands at its place, `sent` the part as a whole."""

    kind: str
    content: Any
    sent: Any
    name: str | None = None
    call: str | None = None
    media: str | None = None
    encoded: bool = True


class Said(Struct):
    """One turn of a request. `bare` says that its pieces were no message's."""

    role: str
    pieces: list[Piece]
    bare: bool = False


def turns(prompt: Prompt, document: Any, places: tuple[Place, ...] | None = None) -> list[Said]:
    """Return the turns at these places, of a request or a response.

    What belongs to one turn and was sent in several pieces is put together.
    """
    together: list[Said] = []
    room = PARTS
    for within in prompt.within:
        held = dig(document, path(within))
        document = held if isinstance(held, dict) else document
    for said in _said(prompt, document, prompt.places if places is None else places):
        last = together[-1] if together else None
        if said.bare and last is not None and last.role == said.role:
            last.pieces += said.pieces
        elif said.pieces:
            together.append(said)
        room -= len(said.pieces)
        if room <= 0:
            break
    return together


def _said(prompt: Prompt, document: Any, places: tuple[Place, ...]) -> Iterator[Said]:
    for place in places:
        for _, value in walk(document, path(place.at)):
            if not place.turns:
                yield Said(place.role, list(islice(pieces(prompt, value, place.kind), PARTS)), bare=True)
                continue
            for item in value if isinstance(value, list) else (value,):
                yield _turn(prompt, place, item)


def _turn(prompt: Prompt, place: Place, item: Any) -> Said:
    """Return one element of a list of messages, which may be a part that is in no message."""
    if not isinstance(item, dict):
        return Said(place.role, list(pieces(prompt, item, place.kind)), bare=True)
    typed, _ = _shapes(prompt.shapes)
    kind, told = item.get("type"), item.get(prompt.speaker)
    held = next((item[name] for name in prompt.content if item.get(name) is not None), None)
    if (isinstance(kind, str) and kind in typed) or (told is None and held is None):
        found = _beside(prompt, item) or [one for one in (piece(prompt, item),) if one is not None]
        return Said(OF_A_PART.get(found[0].kind, place.role) if found else place.role, found, bare=True)
    named = told if isinstance(told, str) else kind
    role = dict(prompt.roles).get(named, named) if isinstance(named, str) else place.role
    role = place.role if told is None and role == kind else role
    if role in prompt.results:
        call = _first(item, prompt.call)
        return Said(role, [Piece("tool_result", held, item, call=call if isinstance(call, str) else None)])
    beside = _beside(prompt, item)
    before = [one for one in beside if one.kind == "thinking"]
    after = [one for one in beside if one.kind != "thinking"]
    return _named(Said(role, [*before, *islice(pieces(prompt, held), PARTS), *after]))


def _named(said: Said) -> Said:
    """A message of nothing but results is a tool's, whoever it was sent as."""
    if said.pieces and all(one.kind == "tool_result" for one in said.pieces):
        said.role = "tool"
    return said


def _beside(prompt: Prompt, item: dict[str, Any]) -> list[Piece]:
    found = []
    for shape in prompt.beside:
        for _, element in walk(item, path(shape.each)) if shape.each else (((), item),):
            if (one := _fit(shape, element)) is not None:
                found.append(one)
    return found


def pieces(prompt: Prompt, content: Any, kind: str = "text") -> Iterator[Piece]:
    """Yield the parts of a content, which may be text alone; strings are of this kind."""
    if isinstance(content, dict):
        inner = next((content[name] for name in prompt.content if isinstance(content.get(name), list)), None)
        typed = isinstance(content.get("type"), str)
        content = [content] if inner is None or typed else inner
    values = []
    for part in content if isinstance(content, list) else (content,):
        if isinstance(part, dict):
            one = piece(prompt, part)
            if one is not None:
                yield one
        elif isinstance(part, str):
            if part:
                yield Piece(kind, part, part)
        elif part is not None:
            values.append(part)
    if values:
        yield Piece("other", f"{len(values)} values that are no text", values)


def piece(prompt: Prompt, part: dict[str, Any]) -> Piece | None:
    """Return a part as its shape says it is, None where it is only a mark."""
    typed, plain = _shapes(prompt.shapes)
    kind = part.get("type")
    for shape in (*typed.get(kind, ()), *plain) if isinstance(kind, str) else plain:
        if (one := _fit(shape, part)) is not None:
            return one if one.kind else None
    if isinstance(part.get("text"), str):
        return Piece("text", part["text"], part)
    return Piece("other", part, part, name=kind if isinstance(kind, str) else None)


@lru_cache(maxsize=256)
def _shapes(shapes: tuple[Shape, ...]) -> tuple[dict[str, list[Shape]], tuple[Shape, ...]]:
    typed: dict[str, list[Shape]] = {}
    for shape in shapes:
        for kind in shape.types:
            typed.setdefault(kind, []).append(shape)
    return typed, tuple(shape for shape in shapes if not shape.types)


def _fit(shape: Shape, part: Any) -> Piece | None:
    if shape.where is not None:
        beside, wanted = shape.where
        if not isinstance(part, dict) or (part.get(beside) or False) != wanted:
            return None
    content, name = _first(part, shape.at), _text(_first(part, shape.name))
    if content is None and name is None and not shape.types and (shape.at or shape.where is None):
        return None
    call, media = _first(part, shape.call), _first(part, shape.media)
    kind = shape.kind
    if kind == "media" and isinstance(media, str):
        kind = FORMS.get(media.partition("/")[0], kind)
    if kind == "tool" and isinstance(part, dict):
        name = name or _text(part.get("type"))
    return Piece(kind, content, part, name, _text(call), _text(media), shape.encoded)


def _first(part: Any, places: tuple[str, ...]) -> Any:
    """Return the value at the first of the places where there is something, else an empty one."""
    empty = None
    for at in places:
        found = dig(part, path(at))
        if found or found == 0:
            return found
        empty = found if empty is None else empty
    return empty


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None
