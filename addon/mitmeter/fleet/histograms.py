"""The histograms and percentiles of a fleet's rows, exact, of several measures at once.

Of whole days `measures` tells where the values lie, and then those at which bins and percentiles part. Of other rows
the values themselves are fetched where they are not too many, else ClickHouse goes through the rows twice, for the
same. A row that is there twice for now counts twice.
"""

import math
from collections.abc import Sequence
from datetime import date
from itertools import chain
from typing import Any

from mitmeter.fleet.course import Ask, only, told_apart
from mitmeter.fleet.places import Days, Part, Rows
from mitmeter.fleet.spread import Places, Ranked, Spread, joined
from mitmeter.fleet.wanted import LAST, where
from mitmeter.store.filters import Filter
from mitmeter.store.histogram import Listed, histogram

# So many rows are fetched: some 6 MB.
AT_HAND = 200_000
DAY = 86_400
EPOCH = date(1970, 1, 1).toordinal()


class Histograms:
    """Of `exchanges`; `since` is the first day of which `measures` tells everything, None where it is not there."""

    def __init__(self, ask: Ask, rows: str, measures: str, since: date | None) -> None:
        self._ask = ask
        self._rows, self._measures = rows, measures
        self._since = None if since is None else since.toordinal() - EPOCH

    def of(self, measures: Sequence[str], wanted: Filter) -> dict[str, dict[str, Any] | None]:
        """Return the histogram of each measure, None where there is no value."""
        days, others = self._split(wanted)
        parts: list[Part] = [] if days is None else [Days(self._ask, self._measures, measures, days)]
        beside: dict[str, list[float]] = {measure: [] for measure in measures}
        for rows in others:
            fetched = self._values(measures, rows)
            if fetched is None:
                parts.append(Rows(self._ask, self._rows, measures, *where(rows)))
            else:
                beside = {measure: sorted(chain(some, fetched[measure])) for measure, some in beside.items()}
        places: dict[str, list[Places]] = {}
        for measure, found in chain.from_iterable(part.places() for part in parts):
            places.setdefault(measure, []).append(found)
        spreads = {measure: Spread(joined(some), beside[measure]) for measure, some in places.items()}
        read: dict[str, list[tuple[Sequence[int], Sequence[Ranked]]]] = {measure: [] for measure in spreads}
        for measure, numbers, values in chain.from_iterable(part.cut(spreads) for part in parts):
            read[measure].append((numbers, values))
        return {
            measure: spreads[measure].told(read[measure]) if measure in spreads else histogram(Listed(values))
            for measure, values in beside.items()
        }

    def _split(self, wanted: Filter) -> tuple[str | None, list[Filter]]:
        """Return the condition for whole days, None without any, and the rows before and after them."""
        first, last = self._since, None
        if first is None or not only(wanted, "since", "until") or not told_apart(wanted.since):
            return None, [wanted]
        if wanted.since is not None:
            first = max(first, math.ceil(wanted.since / DAY))
        if wanted.until is not None:
            last = math.floor(min(wanted.until, LAST) / DAY)
            if last <= first:
                return None, [wanted]
        others = []
        if first and wanted.since != first * DAY:
            others.append(Filter(since=wanted.since, until=float(first * DAY)))
        if last is not None and wanted.until != last * DAY:
            others.append(Filter(since=float(last * DAY), until=wanted.until))
        return f"day >= toDate({first})" + ("" if last is None else f" AND day < toDate({last})"), others

    def _values(self, measures: Sequence[str], wanted: Filter) -> dict[str, Sequence[float]] | None:
        """Return what rows have of each measure, None where there are too many of them."""
        condition, given = where(wanted)
        some = f"SELECT {', '.join(measures)} FROM {self._rows} WHERE {condition} LIMIT {AT_HAND + 1}"
        values = (f"arraySort(groupArrayIf(assumeNotNull({measure}), {measure} > 0))" for measure in measures)
        told = (f"if(count() > {AT_HAND}, [], {found})" for found in values)
        [[number, *sequences]] = self._ask(f"SELECT count(), {', '.join(told)} FROM ({some})", given)
        return None if number > AT_HAND else dict(zip(measures, sequences, strict=True))
