"""The histogram and percentiles that llama-swap's page shows, of values in ascending order. Pure.

The number of bins, their bounds and the percentiles are those of `internal/store/store.go` in
github.com/mostlygeek/llama-swap.
"""

import math
from bisect import bisect_left
from typing import Any, Protocol

_LEAST, _MOST = 5, 20
RANKS = (50, 95, 99)


def bins_for(number: int) -> int:
    """Return how many bins show so many values (Sturges), within bounds."""
    return min(_MOST, max(_LEAST, math.ceil(math.log2(number)) + 1))


class Ordered(Protocol):
    """Values in ascending order."""

    def __len__(self) -> int:
        """Return how many there are."""
        ...

    def __getitem__(self, at: int, /) -> float:
        """Return the value at a place, from 0 on."""
        ...

    def below(self, value: float) -> int:
        """Return how many are less than a value; asked in ascending order."""
        ...


class Listed(list[float]):
    """Values in a list."""

    def below(self, value: float) -> int:
        """Return how many are less."""
        return bisect_left(self, value)


def histogram(ordered: Ordered) -> dict[str, Any] | None:
    """Bins of one width, bounds, and percentiles between neighbours; None without a value."""
    number = len(ordered)
    if not number:
        return None
    low, high = ordered[0], ordered[number - 1]
    told = {"min": low, "max": high, **{f"p{rank}": percentile(ordered, rank) for rank in RANKS}}
    if low == high:
        return {"bins": [number], "binSize": 0, **told}
    count = bins_for(number)
    width = (high - low) / count
    starts = [0, *(ordered.below(_edge(place, low, width, count)) for place in range(1, count))]
    bins = [end - start for start, end in zip(starts, [*starts[1:], number], strict=True)]
    return {"bins": bins, "binSize": width, **told}


def bin_of(value: float, low: float, width: float, count: int) -> int:
    """Return in which of `count` bins of one width a value is."""
    return min(math.floor((value - low) / width), count - 1)


def _edge(place: int, low: float, width: float, count: int) -> float:
    """The least value of a bin, to the last bit: its bound as computed may be a value of the bin before."""
    edge = low + place * width
    while bin_of(edge, low, width, count) < place:
        edge = math.nextafter(edge, math.inf)
    while bin_of(math.nextafter(edge, -math.inf), low, width, count) >= place:
        edge = math.nextafter(edge, -math.inf)
    return edge


def percentile(ordered: Ordered, rank: float) -> float:
    """The value at a percentage of the way from the first to the last of at least one."""
    at = rank / 100 * (len(ordered) - 1)
    below = math.floor(at)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (at - below) * (ordered[above] - ordered[below])
