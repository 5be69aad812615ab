"""The histogram and percentiles of a column, of few of its values: how many lie where, then those at the cuts.

A place is the first bits of a float, which are in the order of floats above 0: 256 from one power of 2 to the next.
What comes of it is to the last value what `mitmeter.store.histogram` makes of all of them. Pure.
"""

import math
import struct
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, pairwise
from typing import Any, NamedTuple

from mitmeter.store.histogram import RANKS, bin_of, bins_for

SHIFT = 44


class Places(NamedTuple):
    """Places in ascending order, and of each how many values are in it, the least and the greatest of them."""

    at: Sequence[int]
    number: Sequence[int]
    low: Sequence[float]
    high: Sequence[float]


def place_of(column: str) -> str:
    """Return the place of a column's value, as SQL; that of NULL is 0."""
    return f"toUInt32(bitShiftRight(reinterpretAsUInt64(assumeNotNull({column})), {SHIFT}))"


def place(value: float) -> int:
    """Return the place of a value."""
    return int.from_bytes(struct.pack(">d", value)) >> SHIFT


def begin(at: int) -> float:
    """Return the least value that a place can have."""
    [value] = struct.unpack(">d", (at << SHIFT).to_bytes(8))
    return float(value)


def placed(values: Sequence[float]) -> Places:
    """Return the places of values that are in ascending order."""
    at: list[int] = []
    number: list[int] = []
    low: list[float] = []
    high: list[float] = []
    first, last = 0, len(values)
    while first < last:
        found = place(values[first])
        end = bisect_left(values, begin(found + 1), first)
        at.append(found)
        number.append(end - first)
        low.append(values[first])
        high.append(values[end - 1])
        first = end
    return Places(at, number, low, high)


def joined(some: Sequence[Places]) -> Places:
    """Return the places of several readings, at least one, as one."""
    if len(some) == 1:
        return some[0]
    found: dict[int, tuple[int, float, float]] = {}
    for places in some:
        for at, number, low, high in zip(*places, strict=True):
            known = found.get(at)
            if known is None:
                found[at] = (number, low, high)
            else:
                found[at] = (known[0] + number, min(known[1], low), max(known[2], high))
    return Places(*zip(*((at, *found[at]) for at in sorted(found)), strict=True))


class Spread:
    """Of the places that have any, at least one.

    `cut` are the places whose values are to be read: those between two bins, and those of percentiles, the `ranked`.
    """

    def __init__(self, places: Places) -> None:
        self._places = places
        self._ends = list(accumulate(places.number))
        self._number = self._ends[-1]
        self.low, self.high = places.low[0], places.high[-1]
        self.bins = bins_for(self._number)
        self.width = (self.high - self.low) / self.bins
        self.ranked = set(self._cut(self._ranked(order)[0] for rank in RANKS for order in self._around(rank)[:2]))
        # Which places begin a bin: the first whose greatest value is in it.
        inner = range(1, self.bins) if self.width else ()
        self._begins = [bisect_left(places.high, bin_, key=self.bin) for bin_ in inner]
        self.cut = self.ranked.union(
            self._cut(one for one in self._begins if self.bin(places.low[one]) != self.bin(places.high[one]))
        )

    def _cut(self, some: Iterable[int]) -> Iterator[int]:
        places = self._places
        return (places.at[one] for one in some if places.low[one] != places.high[one])

    def told(self, read: Iterable[Sequence[Any]]) -> dict[str, Any]:
        """Return the histogram; `read` are places that are cut, bin, number and, where it is `ranked`, the values."""
        bins = [0] * self.bins
        values: dict[int, list[float]] = {}
        for at, bin_, number, some in read:
            bins[max(0, min(int(bin_), self.bins - 1))] += int(number)
            values.setdefault(at, []).extend(some)
        for some in values.values():
            some.sort()
        told = {"min": self.low, "max": self.high}
        told |= {f"p{rank}": self._percentile(rank, values) for rank in RANKS}
        if not self.width:
            return {"bins": [self._number], "binSize": 0, **told}
        at, number = self._places.at, self._places.number
        for bin_, (first, end) in enumerate(pairwise((0, *self._begins, len(at)))):
            bins[bin_] += sum(number[one] for one in range(first, end) if at[one] not in values)
        return {"bins": bins, "binSize": self.width, **told}

    def among(self, values: Sequence[float]) -> Iterator[tuple[int, int, float]]:
        """Yield place, bin and value of those of some values, in ascending order, that are in a place that is cut."""
        for at in sorted(self.cut):
            for found in range(bisect_left(values, begin(at)), bisect_left(values, begin(at + 1))):
                yield at, self.bin(values[found]), values[found]

    def bin(self, value: float) -> int:
        """Return the bin of a value."""
        return bin_of(value, self.low, self.width, self.bins)

    def _around(self, rank: int) -> tuple[int, int, float]:
        """Return between which values a percentile is, by their order, and how far from the first to the second."""
        at = rank / 100 * (self._number - 1)
        below = math.floor(at)
        return below, min(below + 1, self._number - 1), at - below

    def _ranked(self, order: int) -> tuple[int, int]:
        """Return which place has the value of that order, and its order there."""
        found = bisect_right(self._ends, order)
        return found, order - self._ends[found] + self._places.number[found]

    def _percentile(self, rank: int, values: dict[int, list[float]]) -> float:
        below, above, part = self._around(rank)
        first, second = self._value(below, values), self._value(above, values)
        return first + part * (second - first)

    def _value(self, order: int, values: dict[int, list[float]]) -> float:
        one, order = self._ranked(order)
        some = values.get(self._places.at[one])
        # Rows may have come or gone between the two readings.
        return some[min(order, len(some) - 1)] if some else self._places.low[one]
