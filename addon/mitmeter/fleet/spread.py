"""The histogram and percentiles of a column, of few of its values: how many lie where, then those at the cuts.

A place is the first bits of a float, which are in the order of floats above 0: 256 places from one power of 2 to the
next, of 64 powers; what lies below or above them is in the first place or the last. What comes of it is to the last
value what `mitmeter.store.histogram` makes of all of them. Pure.
"""

import math
import struct
from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from itertools import accumulate, chain, pairwise
from typing import Any, NamedTuple

from mitmeter.store.histogram import RANKS, bin_of, bins_for

SHIFT = 44
PLACES = 64 << (52 - SHIFT)
# The place of 2**-24, were all bits counted.
FIRST = (1023 - 24) << (52 - SHIFT)


class Places(NamedTuple):
    """The least and the greatest value, the places that have any in ascending order, and how many each has."""

    low: float
    high: float
    at: Sequence[int]
    number: Sequence[int]


def place_of(value: str) -> str:
    """Return the place of a value above 0, as SQL; the table `measures` is in their order."""
    bits = f"bitShiftRight(reinterpretAsUInt64({value}), {SHIFT})"
    return f"toUInt16(least(greatest({bits}, {FIRST}) - {FIRST}, {PLACES - 1}))"


def begin(place: int) -> float:
    """Return where a place begins: its values are not below, and below where the next one begins."""
    if place <= 0 or place >= PLACES:
        return 0.0 if place <= 0 else math.inf
    [value] = struct.unpack(">d", (place + FIRST << SHIFT).to_bytes(8))
    return float(value)


def joined(some: Sequence[Places]) -> Places:
    """Return the places of several readings, at least one, as one."""
    if len(some) == 1:
        return some[0]
    number: Counter[int] = Counter()
    for places in some:
        number.update(dict(zip(places.at, places.number, strict=True)))
    at = sorted(number)
    low, high = min(places.low for places in some), max(places.high for places in some)
    return Places(low, high, at, [number[one] for one in at])


class Ranked(NamedTuple):
    """Of the values that a reading has in a place, in ascending order, those from the `first` on."""

    at: int
    first: int
    values: Sequence[float]


class Spread:
    """Of values by their places, of which there is at least one, and of others `beside` them, in ascending order.

    `cut` are the places between two bins, and of the `ranked` some values are to be read, for percentiles.
    """

    def __init__(self, places: Places, beside: Sequence[float] = ()) -> None:
        self._at, self._numbers, self._beside = places.at, places.number, beside
        self._ends = list(accumulate(places.number, initial=0))
        self._number = self._ends[-1] + len(beside)
        self.low, self.high = min((places.low, *beside[:1])), max((places.high, *beside[-1:]))
        self.bins = bins_for(self._number)
        self.width = (self.high - self.low) / self.bins
        self._orders: dict[int, list[int]] = defaultdict(list)
        for order in {order for rank in RANKS for order in self._around(rank)[:2]}:
            segment = self._segment(order)
            self._orders[segment].append(order - self._before(segment))
        self.ranked = sorted(self._at[segment] for segment in self._orders if segment < len(self._at))
        # The first place that has, or may have, a value of each bin.
        inner = range(1, self.bins) if self.width else ()
        self._begins = [bisect_left(self._at, bin_, key=lambda at: self._bin(_last(at))) for bin_ in inner]
        first = {self._at[one] for one in self._begins if one < len(self._at)}
        self.cut = {at for at in first if self._bin(begin(at)) != self._bin(_last(at))}

    def window(self, at: int, number: int) -> tuple[int, int]:
        """Return which of the so many values that a reading has in a ranked place decide: the first, and how many."""
        segment = bisect_left(self._at, at)
        orders = self._orders[segment]
        # As many as that may come before one of them.
        others = self._before(segment + 1) - self._before(segment) - number
        first = max(0, min(orders) - others)
        return first, max(orders) + 1 - first

    def told(self, read: Iterable[tuple[Sequence[int], Sequence[Ranked]]]) -> dict[str, Any]:
        """Return the histogram; `read` are numbers by bin of values that are cut, and some that are ranked."""
        found = list(read)
        values: dict[int, list[Ranked]] = defaultdict(list)
        for ranked in (one for _, some in found for one in some):
            values[ranked.at].append(ranked)
        told: dict[str, Any] = {"min": self.low, "max": self.high}
        if not self.width:
            return {"bins": [self._number], "binSize": 0, **told, **{f"p{rank}": self.low for rank in RANKS}}
        told |= {f"p{rank}": self._percentile(rank, values) for rank in RANKS}
        bins = [self._ends[end] - self._ends[first] for first, end in pairwise((0, *self._begins, len(self._at)))]
        for at in self.cut:
            one = bisect_left(self._at, at)
            bins[bisect_right(self._begins, one)] -= self._numbers[one]
        aside = (bisect_left(self._beside, bin_, key=self._bin) for bin_ in range(1, self.bins))
        for bin_, (first, end) in enumerate(pairwise((0, *aside, len(self._beside)))):
            bins[bin_] += end - first + sum(numbers[bin_] for numbers, _ in found)
        return {"bins": bins, "binSize": self.width, **told}

    def _bin(self, value: float) -> int:
        return bin_of(min(max(value, self.low), self.high), self.low, self.width, self.bins)

    def _around(self, rank: int) -> tuple[int, int, float]:
        """Return between which values a percentile is, by their order, and how far from the first to the second."""
        at = rank / 100 * (self._number - 1)
        below = math.floor(at)
        return below, min(below + 1, self._number - 1), at - below

    def _before(self, segment: int) -> int:
        """Return how many values come before a segment: a place, and what is beside since the place before it ends."""
        return self._ends[segment] + bisect_left(self._beside, self._since(segment))

    def _since(self, segment: int) -> float:
        if segment > len(self._at):
            return math.inf
        return begin(self._at[segment - 1] + 1) if segment else 0.0

    def _segment(self, order: int) -> int:
        """Return the segment that has the value of that order; the last is what is beside after all places."""
        return bisect_right(range(1, len(self._at) + 1), order, key=self._before)

    def _percentile(self, rank: int, values: dict[int, list[Ranked]]) -> float:
        below, above, part = self._around(rank)
        first, second = self._value(below, values), self._value(above, values)
        return first + part * (second - first)

    def _value(self, order: int, values: dict[int, list[Ranked]]) -> float:
        segment = self._segment(order)
        since, until = (bisect_left(self._beside, self._since(one)) for one in (segment, segment + 1))
        ranked = values[self._at[segment]] if segment < len(self._at) else []
        some = sorted(chain(self._beside[since:until], *(one.values for one in ranked)))
        place = order - self._before(segment) - sum(one.first for one in ranked)
        # Rows may have come or gone between the two readings.
        return some[max(0, min(place, len(some) - 1))] if some else begin(self._at[segment])


def _last(place: int) -> float:
    """Return the greatest value that a place can have."""
    return math.nextafter(begin(place + 1), 0.0)
