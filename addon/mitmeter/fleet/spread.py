"""The histogram and percentiles of a column, of few of its values: how many lie where, then those at the cuts.

A place is the first bits of a float, which are in the order of floats above 0: 256 from one power of 2 to the next.
What comes of it is to the last value what `mitmeter.store.histogram` makes of all of them. Pure.
"""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from itertools import accumulate, pairwise
from typing import Any, NamedTuple

from mitmeter.store.histogram import RANKS, bin_of, bins_for

SHIFT = 44


class Place(NamedTuple):
    """How many values have the same first bits, the least and the greatest of them."""

    at: int
    number: int
    low: float
    high: float


def place_of(column: str) -> str:
    """Return the place of a column's value, as SQL; that of NULL is 0."""
    return f"toUInt32(bitShiftRight(reinterpretAsUInt64(assumeNotNull({column})), {SHIFT}))"


class Spread:
    """Of the places that have any, in ascending order, at least one.

    `cut` are the places whose values are to be read: those between two bins, and those of percentiles, the `ranked`.
    """

    def __init__(self, places: list[Place]) -> None:
        self._places = places
        self._ends = list(accumulate(place.number for place in places))
        self._number = self._ends[-1]
        self.low, self.high = places[0].low, places[-1].high
        self.bins = bins_for(self._number)
        self.width = (self.high - self.low) / self.bins
        ranked = (self._ranked(at)[0] for rank in RANKS for at in self._around(rank)[:2])
        self.ranked = {place.at for place in ranked if place.low != place.high}
        # Where the places begin whose greatest value is in a bin.
        inner = range(1, self.bins) if self.width else ()
        self._begins = [0, *(bisect_left(places, bin_, key=lambda place: self._bin(place.high)) for bin_ in inner)]
        first = (places[at] for at in self._begins[1:])
        self.cut = self.ranked | {place.at for place in first if self._bin(place.low) != self._bin(place.high)}

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
        for bin_, (begin, end) in enumerate(pairwise((*self._begins, len(self._places)))):
            whole = (place.number for place in self._places[begin:end] if place.at not in values)
            bins[bin_] += sum(whole)
        return {"bins": bins, "binSize": self.width, **told}

    def _bin(self, value: float) -> int:
        return bin_of(value, self.low, self.width, self.bins)

    def _around(self, rank: int) -> tuple[int, int, float]:
        """Return between which values a percentile is, by their order, and how far from the first to the second."""
        at = rank / 100 * (self._number - 1)
        below = math.floor(at)
        return below, min(below + 1, self._number - 1), at - below

    def _ranked(self, at: int) -> tuple[Place, int]:
        """Return the place of the value of that order, and its order there."""
        found = bisect_right(self._ends, at)
        place = self._places[found]
        return place, at - self._ends[found] + place.number

    def _percentile(self, rank: int, values: dict[int, list[float]]) -> float:
        below, above, part = self._around(rank)
        first, second = self._value(below, values), self._value(above, values)
        return first + part * (second - first)

    def _value(self, at: int, values: dict[int, list[float]]) -> float:
        place, at = self._ranked(at)
        some = values.get(place.at)
        # Rows may have come or gone between the two readings.
        return some[min(at, len(some) - 1)] if some else place.low


def joined(*found: Sequence[Sequence[Any]]) -> list[Place]:
    """Return the places of several readings as one, in ascending order."""
    if len(found) == 1:
        return sorted(Place(at, int(number), low, high) for at, number, low, high in found[0])
    places: dict[int, Place] = {}
    for reading in found:
        for at, number, low, high in reading:
            known = places.get(at, Place(at, 0, low, high))
            places[at] = Place(at, known.number + int(number), min(known.low, low), max(known.high, high))
    return sorted(places.values())
