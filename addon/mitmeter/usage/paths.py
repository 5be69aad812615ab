"""Exact JSON paths: where a value stands in a decoded document.

`usage.prompt_tokens_details.cached_tokens` names members, `choices[].delta.content` steps through every element of an
array, the empty path is the document itself. A path is compiled once, when a dialect is built, and never searches: a
look-alike key elsewhere is not seen.
"""

from collections.abc import Iterator
from functools import cache
from typing import Any

type Path = tuple[str, ...]
type Key = tuple[int, ...]

EACH = "[]"


@cache
def path(text: str) -> Path:
    """Compile `a.b[].c` into steps. A final `[]` steps through the elements themselves."""
    steps: list[str] = []
    if not text:
        return ()
    for name in text.split("."):
        bare = name.removesuffix(EACH)
        steps.append(bare)
        if bare != name:
            steps.append(EACH)
    return tuple(steps)


def dig(document: Any, steps: Path) -> Any:
    """Return the value at a path without `[]`, or None where a step is missing or of another type."""
    for step in steps:
        if not isinstance(document, dict):
            return None
        document = document.get(step)
    return document


def _put(held: dict[Any, Any], steps: tuple[Any, ...], value: Any) -> None:
    for step in steps[:-1]:
        held = held.setdefault(step, {})
    held[steps[-1]] = value


def only(document: dict[str, Any], places: tuple[str, ...]) -> dict[str, Any]:
    """Return what is not null of a document at these places, and nothing else.

    Of the elements at a place `a[].b.c` that is only their `b.c`.
    """
    taken: dict[str, Any] = {}
    elements: dict[str, dict[int, Any]] = {}
    for steps in map(path, places):
        if steps[1:2] == (EACH,):
            for key, value in walk(document, steps):
                _put(elements, (steps[0], key[0], *steps[2:]), value)
        elif (value := dig(document, steps)) is not None:
            _put(taken, steps, value)
    return taken | {name: list(held.values()) for name, held in elements.items()}


def listed(items: list[Any], name: str, value: str) -> dict[str, Any]:
    """Return the values of a list of objects by the names that they give themselves."""
    return {item[name]: item.get(value) for item in items if isinstance(item, dict) and isinstance(item.get(name), str)}


def element_key(element: Any, place: int) -> int:
    """Return the number of an element of an array: its own `index` where it has one, else its place."""
    named = element.get("index") if isinstance(element, dict) else None
    return named if isinstance(named, int) else place


def walk(document: Any, steps: Path, key: Key = ()) -> Iterator[tuple[Key, Any]]:
    """Yield (key, value) for every non-null value at a path.

    The key holds one number for each `[]`: the element's own `index` where it has one (deltas name their choice and
    tool call so), else its place in the array.
    """
    for at, step in enumerate(steps):
        if step == EACH:
            if isinstance(document, list):
                for place, element in enumerate(document):
                    yield from walk(element, steps[at + 1 :], (*key, element_key(element, place)))
            return
        if not isinstance(document, dict):
            return
        document = document.get(step)
    if document is not None:
        yield key, document
