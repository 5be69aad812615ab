"""The generated pieces of a message: what stands where a part of a dialect says."""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from mitmeter.usage.dialect import Part
from mitmeter.usage.paths import EACH, Key, path, walk

GENERATED = frozenset(("text", "thinking", "arguments", "media"))
HERE = ""

type Tree = dict[str, Any]


def pieces(document: Any, part: Part) -> Iterator[tuple[Key, Any]]:
    """Yield (key, value) for every value of a part, as `walk` does, if what stands beside it is as the part says."""
    steps = path(part.at)
    if part.where is None:
        yield from walk(document, steps)
        return
    name, wanted = part.where
    for key, around in walk(document, steps[:-1]):
        if isinstance(around, dict) and (around.get(name) or False) == wanted:
            value = around.get(steps[-1])
            if value is not None:
                yield key, value


@lru_cache(maxsize=512)
def grow(parts: tuple[Part, ...], kind: str | None) -> Tree:
    """Return the places of generated pieces in messages of one type as a tree of steps, its leaves under `HERE`."""
    tree: Tree = {}
    for part in parts:
        if (part.kind in GENERATED or part.whole) and (not part.types or kind in part.types):
            branch = tree
            for step in path(part.at):
                branch = branch.setdefault(step, {})
            branch.setdefault(HERE, []).append(part)
    return tree


def first_piece(value: Any, tree: Tree, around: Any = None) -> tuple[str, str] | None:
    """Return the kind and text of the first generated piece, None where there is none."""
    if isinstance(value, dict):
        for name in value:
            if name in tree and (found := first_piece(value[name], tree[name], value)):
                return found
    elif isinstance(value, list) and EACH in tree:
        for element in value:
            if found := first_piece(element, tree[EACH], value):
                return found
    if value and HERE in tree and isinstance(value, str | dict):
        for part in tree[HERE]:
            if part.where is None or (around.get(part.where[0]) or False) == part.where[1]:
                return part.kind, value if isinstance(value, str) else ""
    return None


def generated(document: Any, parts: tuple[Part, ...]) -> tuple[str, str] | None:
    """Return the kind and text of the first generated piece in a stream's message, None where it holds none."""
    kind = document.get("type") if isinstance(document, dict) else None
    return first_piece(document, grow(parts, kind if isinstance(kind, str) else None))
