"""The histogram and percentiles that llama-swap's page shows, of values in ascending order. Pure.

The number of bins, their bounds and the percentiles are those of `internal/store/store.go` in
github.com/mostlygeek/llama-swap.
"""

import math
from bisect import bisect_left
from collections.abc import Sequence
from typing import Any

_LEAST, _MOST = 5, 20


def histogram(ordered: Sequence[float]) -> dict[str, Any] | None:
    """Bins of one width, bounds, and percentiles between neighbours; None without a value."""
    number = len(ordered)
    if not number:
        return None
    low, high = ordered[0], ordered[-1]
    told = {"min": low, "max": high, **{f"p{rank}": percentile(ordered, rank) for rank in (50, 95, 99)}}
    if low == high:
        return {"bins": [number], "binSize": 0, **told}
    count = min(_MOST, max(_LEAST, math.ceil(math.log2(number)) + 1))
    width = (high - low) / count
    starts = [bisect_left(ordered, place, key=lambda value: _bin(value, low, width, count)) for place in range(count)]
    bins = [end - start for start, end in zip(starts, [*starts[1:], number], strict=True)]
    return {"bins": bins, "binSize": width, **told}


def _bin(value: float, low: float, width: float, count: int) -> int:
    return min(math.floor((value - low) / width), count - 1)


def percentile(ordered: Sequence[float], rank: float) -> float:
    """The value at a percentage of the way from the first to the last of at least one."""
    at = rank / 100 * (len(ordered) - 1)
    below = math.floor(at)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (at - below) * (ordered[above] - ordered[below])
