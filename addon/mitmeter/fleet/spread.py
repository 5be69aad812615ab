"""The histogram and percentiles of a column, of few of its values: how many lie where, then those at the cuts.

A place is the first bits of a float, which are in the order of floats above 0: 256 from one power of 2 to the next.
What comes of it is to the last value what `mitmeter.store.histogram` makes of all of them. Pure.
"""

import math
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any, NamedTuple

SHIFT = 44
# As in `mitmeter.store.histogram`.
LEAST_BINS, MOST_BINS = 5, 20
RANKS = (50, 95, 99)


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
    """Of the places that have any, in ascending order, at least one."""

    def __init__(self, places: list[Place]) -> None:
        self._places = places
        self._number = sum(place.number for place in places)
        self.low, self.high = places[0].low, places[-1].high
        self.bins = min(MOST_BINS, max(LEAST_BINS, math.ceil(math.log2(self._number)) + 1))
        self.width = (self.high - self.low) / self.bins
        ranked = (self._ranked(at)[0] for rank in RANKS for at in self._around(rank)[:2])
        self.ranked = {place.at for place in ranked if place.low != place.high}

    @property
    def cut(self) -> set[int]:
        """The places whose values are to be read: those between two bins, and those of the percentiles."""
        between = {place.at for place in self._places if self.width and self._bin(place.low) != self._bin(place.high)}
        return between | self.ranked

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
        for place in self._places:
            if place.at not in values:
                bins[self._bin(place.low)] += place.number
        return {"bins": bins, "binSize": self.width, **told}

    def _bin(self, value: float) -> int:
        return min(math.floor((value - self.low) / self.width), self.bins - 1)

    def _around(self, rank: int) -> tuple[int, int, float]:
        """Return between which values a percentile is, by their order, and how far from the first to the second."""
        at = rank / 100 * (self._number - 1)
        below = math.floor(at)
        return below, min(below + 1, self._number - 1), at - below

    def _ranked(self, at: int) -> tuple[Place, int]:
        """Return the place of the value of that order, and its order there."""
        for place in self._places:
            if at < place.number:
                break
            at -= place.number
        return place, at

    def _percentile(self, rank: int, values: dict[int, list[float]]) -> float:
        below, above, part = self._around(rank)
        first, second = self._value(below, values), self._value(above, values)
        return first + part * (second - first)

    def _value(self, at: int, values: dict[int, list[float]]) -> float:
        place, at = self._ranked(at)
        some = values.get(place.at)
        # Rows may have come or gone between the two readings.
        return some[min(at, len(some) - 1)] if some else place.low


def joined(*found: Iterable[Sequence[Any]]) -> list[Place]:
    """Return the places of several readings as one, in ascending order."""
    places: dict[int, Place] = {}
    for at, number, low, high in chain(*found):
        known = places.get(at, Place(at, 0, low, high))
        places[at] = Place(at, known.number + int(number), min(known.low, low), max(known.high, high))
    return sorted(places.values())
