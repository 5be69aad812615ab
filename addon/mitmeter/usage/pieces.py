"""The generated pieces of a message: what stands where a part of a dialect says."""

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from mitmeter.usage.dialect import Part
from mitmeter.usage.paths import EACH, Key, element_key, path

GENERATED = frozenset(("text", "thinking", "arguments", "media"))
HERE = ""

type Tree = dict[str, Any]
type Found = tuple[int, Part, Key, Any]


def pieces(document: dict[str, Any], parts: tuple[Part, ...]) -> list[tuple[Part, Key, Any]]:
    """Return every value of the parts with its key, as `walk` does, in the order of the parts.

    What stands beside a value is as its part says.
    """
    kind = document.get("type")
    found: list[Found] = []
    _collect(document, _all(parts, kind if isinstance(kind, str) else None), (), None, found)
    if len(found) > 1:
        found.sort(key=lambda one: one[0])
    return [one[1:] for one in found]


def _collect(value: Any, tree: Tree, key: Key, around: Any, found: list[Found]) -> None:
    if isinstance(value, dict):
        for name in value:
            if name in tree and name != HERE:
                _collect(value[name], tree[name], key, value, found)
    elif isinstance(value, list) and EACH in tree:
        for place, element in enumerate(value):
            _collect(element, tree[EACH], (*key, element_key(element, place)), value, found)
    if value is not None and HERE in tree:
        for number, part in tree[HERE]:
            if part.where is None or (around.get(part.where[0]) or False) == part.where[1]:
                found.append((number, part, key, value))


@lru_cache(maxsize=512)
def _all(parts: tuple[Part, ...], kind: str | None) -> Tree:
    return _planted(enumerate(parts), kind)


@lru_cache(maxsize=512)
def grow(parts: tuple[Part, ...], kind: str | None) -> Tree:
    """Return the places of generated pieces in messages of one type as a tree of steps, its leaves under `HERE`."""
    return _planted(((at, part) for at, part in enumerate(parts) if part.kind in GENERATED or part.whole), kind)


def _planted(numbered: Iterable[tuple[int, Part]], kind: str | None) -> Tree:
    tree: Tree = {}
    for number, part in numbered:
        if not part.types or kind in part.types:
            branch = tree
            for step in path(part.at):
                branch = branch.setdefault(step, {})
            branch.setdefault(HERE, []).append((number, part))
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
        for _, part in tree[HERE]:
            if part.where is None or (around.get(part.where[0]) or False) == part.where[1]:
                return part.kind, value if isinstance(value, str) else ""
    return None


def generated(document: Any, parts: tuple[Part, ...]) -> tuple[str, str] | None:
    """Return the kind and text of the first generated piece in a stream's message, None where it holds none."""
    kind = document.get("type") if isinstance(document, dict) else None
    return first_piece(document, grow(parts, kind if isinstance(kind, str) else None))
