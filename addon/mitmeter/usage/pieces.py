"""The generated pieces of a message: what stands where a part of a dialect says."""

from collections.abc import Iterator
from typing import Any

from mitmeter.usage.dialect import Part
from mitmeter.usage.paths import Key, path, walk


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
