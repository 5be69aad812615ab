"""Many patterns in one pass: hyperscan, which runs in time linear to its input whatever the input is.

Scratch space serves one scan at a time and scans let other threads run, so each takes its own from a pool.
"""

from collections.abc import Sequence

import hyperscan

MOST = 50_000

type Hit = tuple[int, int]


class TooMany(Exception):
    """There is more to find than anyone would look at: the data was made to keep us busy."""


class Scanner:
    """Finds where patterns end. `once` reports no more than that a pattern occurs."""

    def __init__(self, patterns: Sequence[bytes], *, literal: bool = False, once: bool = False) -> None:
        flags = hyperscan.HS_FLAG_SINGLEMATCH if once else 0
        self._database = hyperscan.Database()
        self._database.compile(
            expressions=patterns,
            ids=range(len(patterns)),
            elements=len(patterns),
            flags=[flags] * len(patterns),
            literal=literal,
        )
        self._pool: list[hyperscan.Scratch] = []

    def find(self, data: bytes, most: int = MOST) -> list[Hit]:
        """Return (number of the pattern, offset just past it) for each, in the order of their ends.

        Raises TooMany where there are `most` of them.
        """
        hits: list[Hit] = []
        if not data:
            return hits

        def hit(number: int, _start: int, end: int, _flags: int, _context: object) -> bool:
            hits.append((number, end))
            return len(hits) >= most

        try:
            scratch = self._pool.pop()
        except IndexError:
            scratch = hyperscan.Scratch(self._database)
        try:
            self._database.scan(data, match_event_handler=hit, scratch=scratch)
        except hyperscan.ScanTerminated as error:
            raise TooMany from error
        finally:
            self._pool.append(scratch)
        return hits
