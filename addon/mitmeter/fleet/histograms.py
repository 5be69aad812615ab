"""The histograms and percentiles of a fleet's rows, exact, of several measures at once.

Of whole days `measures` tells where the values lie, and then those at which bins and percentiles part. Of other rows
the values themselves are fetched where they are not too many, else ClickHouse goes through the rows twice, for the
same. A row that is there twice for now counts twice.
"""

import math
from collections.abc import Iterator, Sequence
from datetime import date
from itertools import chain
from typing import Any

from mitmeter.fleet.course import only
from mitmeter.fleet.places import Ask, Days, Fetched, Part, Rows, by_measure
from mitmeter.fleet.spread import Places, Spread, joined
from mitmeter.fleet.wanted import where
from mitmeter.store.filters import Filter
from mitmeter.store.histogram import Listed, histogram

# So many rows are fetched: some 6 MB.
AT_HAND = 200_000
DAY = 86_400
EPOCH = date(1970, 1, 1).toordinal()
# Times from then on have that day.
LAST_DAY = date(2100, 1, 1).toordinal() - EPOCH


class Histograms:
    """Of `exchanges`; `since` is the first day of which `measures` tells everything, None where it is not there."""

    def __init__(self, ask: Ask, rows: str, measures: str, since: date | None) -> None:
        self._ask = ask
        self._rows, self._measures = rows, measures
        self._since = None if since is None else since.toordinal() - EPOCH

    def of(self, measures: Sequence[str], wanted: Filter) -> dict[str, dict[str, Any] | None]:
        """Return the histogram of each measure, None where there is no value."""
        parts = list(self._parts(measures, wanted))
        if len(parts) == 1 and isinstance(parts[0], Fetched):
            return {measure: histogram(Listed(values)) for measure, values in parts[0].values.items()}
        placed = by_measure(measures, chain.from_iterable(part.places() for part in parts))
        some = {measure: [Places(*columns) for columns in found if columns[0]] for measure, found in placed.items()}
        spreads = {measure: Spread(joined(places)) for measure, places in some.items() if places}
        read = by_measure(measures, chain.from_iterable(part.cut(spreads) for part in parts))
        return {measure: spreads[measure].told(read[measure]) if measure in spreads else None for measure in measures}

    def _parts(self, measures: Sequence[str], wanted: Filter) -> Iterator[Part]:
        """Yield the whole days, and the rows before and after them."""
        first, last = self._since, None
        if first is not None and wanted.since is not None:
            first = max(first, min(math.ceil(wanted.since / DAY), LAST_DAY))
        if wanted.until is not None:
            last = min(math.floor(wanted.until / DAY), LAST_DAY)
        if first is None or (last is not None and last <= first) or not only(wanted, "since", "until"):
            yield self._of_rows(measures, wanted)
            return
        within = f"day >= toDate({first})" + ("" if last is None else f" AND day < toDate({last})")
        yield Days(self._ask, self._measures, measures, within)
        if first and wanted.since != first * DAY:
            yield self._of_rows(measures, Filter(since=wanted.since, until=float(first * DAY)))
        if last is not None and wanted.until != last * DAY:
            yield self._of_rows(measures, Filter(since=float(last * DAY), until=wanted.until))

    def _of_rows(self, measures: Sequence[str], wanted: Filter) -> Part:
        """Return what the rows have, or, of too many, what asks for it."""
        condition, given = where(wanted)
        some = f"SELECT {', '.join(measures)} FROM {self._rows} WHERE {condition} LIMIT {AT_HAND + 1}"
        values = (f"arraySort(groupArrayIf(assumeNotNull({measure}), {measure} > 0))" for measure in measures)
        [[number, *found]] = self._ask(f"SELECT count(), {', '.join(values)} FROM ({some})", given)
        if number > AT_HAND:
            return Rows(self._ask, self._rows, measures, condition, given)
        return Fetched(dict(zip(measures, found, strict=True)))
