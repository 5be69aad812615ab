"""When a body had reached an offset."""

from bisect import bisect_left
from collections.abc import Iterable
from itertools import accumulate

MOST = 20_000


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
        if end is None or not self._times:
            return None
        return self._times[min(max(0, bisect_left(self._ends, end) - 1), len(self._times) - 1)]
