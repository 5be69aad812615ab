"""When a body had reached an offset."""

from bisect import bisect_left
from collections.abc import Iterable
from itertools import accumulate
from operator import sub

from mitmeter.exchange import Timeline

MOST = 20_000
# A point costs four or five bytes of the archive, where a whole capture of an agent's turn costs three thousand.
POINTS = 8
STALLS = 16
FEW = 64
NOTABLE = 1 / 16
NOTABLE_SECONDS = 0.05


class Moments:
    """The times of a body's chunks, by where in the decoded body they end; of a long stream the newest of them."""

    def __init__(self) -> None:
        self._ends: list[int] = [0]
        self._times: list[float] = []

    def add(self, sizes: Iterable[int], times: Iterable[float]) -> None:
        """Take the decoded sizes of the next chunks, and when each had arrived."""
        self._ends += accumulate(sizes, initial=self._ends.pop())
        self._times += times
        if len(self._times) > MOST:
            del self._ends[: MOST // 2], self._times[: MOST // 2]

    def at(self, end: int | None) -> float | None:
        """Return when the body had reached an offset; None where none is given, or nothing came."""
        return None if end is None or not self._times else self._times[self._chunk(end)]

    def between(self, first: int | None, last: int | None) -> tuple[float, ...]:
        """Return the times of the chunks from one offset to another; none where one of them is not given."""
        if first is None or last is None or not self._times:
            return ()
        return tuple(self._times[self._chunk(first) : self._chunk(last) + 1])

    def timeline(self, zero: float) -> Timeline:
        """Return (offset, milliseconds since `zero`) for the first chunk, the last, a few between, and long gaps.

        The few are evenly spaced; of a gap that is a good part of the whole both ends are told. What came at once, or
        in the same millisecond, makes no timeline, or no point of its own.
        """
        times, ends = self._times, self._ends
        last = len(times) - 1
        if last < 1:
            return ()
        chosen = sorted({*range(0, last, -(-last // POINTS)), *self._stalls(), last})
        reached = {round((times[at] - zero) * 1000): ends[at + 1] for at in chosen}
        return tuple(zip(reached.values(), reached, strict=True)) if len(reached) > 1 else ()

    def _stalls(self) -> list[int]:
        """Return the chunks before and after the longest gaps that are a good part of the whole."""
        times = self._times
        least = max(NOTABLE_SECONDS, (times[-1] - times[0]) * NOTABLE)
        found: list[int] = []
        few = [*times[:: max(1, len(times) // FEW)], times[-1]]
        if max(map(sub, few[1:], few)) < least:
            return found
        gaps = list(map(sub, times[1:], times))
        while len(found) < 2 * STALLS and (longest := max(gaps)) >= least:
            at = gaps.index(longest)
            gaps[at] = 0.0
            found += (at, at + 1)
        return found

    def _chunk(self, end: int) -> int:
        return min(max(0, bisect_left(self._ends, end) - 1), len(self._times) - 1)
