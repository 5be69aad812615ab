"""Where the values of some rows lie, and those of them that decide: fetched, or asked of ClickHouse."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

from mitmeter.fleet.spread import Places, Spread, place_of, placed

type Ask = Callable[[str, Mapping[str, Any]], Sequence[Sequence[Any]]]
type Found = Iterable[Sequence[Any]]


# What several rows of `measures` for one place come to.
_OF = ("sum", "min", "max")


class Part(Protocol):
    """Some of the rows."""

    def places(self) -> Found:
        """Return a measure and the columns of its `Places`, for some measures or for all."""
        ...

    def cut(self, spreads: Mapping[str, Spread]) -> Found:
        """Return measure, place, bin, number of values and, of places that are `ranked`, the values."""
        ...


class Fetched:
    """Values by measure, in ascending order."""

    def __init__(self, values: Mapping[str, Sequence[float]]) -> None:
        self.values = values

    def places(self) -> Found:
        """Return where they lie."""
        return ((measure, *placed(values)) for measure, values in self.values.items())

    def cut(self, spreads: Mapping[str, Spread]) -> Found:
        """Return those at the cuts."""
        return (
            (measure, at, bin_, 1, (value,))
            for measure, spread in spreads.items()
            for at, bin_, value in spread.among(self.values[measure])
        )


class Asked:
    """What a table has of each measure, by a condition with its parameters."""

    def __init__(
        self, ask: Ask, table: str, measures: Sequence[str], condition: str, given: Mapping[str, Any] | None = None
    ) -> None:
        self._ask = ask
        self._table, self._condition = table, condition
        self._measures, self._given = measures, dict(given or {})

    def places(self) -> Found:
        """Return where the values lie."""
        columns = ", ".join(f"groupArray({column})" for column in Places._fields)
        told = (
            f"SELECT '{measure}', {columns} FROM (SELECT {self.placed(measure)} GROUP BY at ORDER BY at)"
            for measure in self._measures
        )
        return self._ask(" UNION ALL ".join(told), self._given)

    def cut(self, spreads: Mapping[str, Spread]) -> Found:
        """Return those at the cuts."""
        told, given = [], self._given.copy()
        for measure, spread in spreads.items():
            if spread.cut:
                given |= {f"low_{measure}": spread.low, f"width_{measure}": spread.width or 1.0}
                place, value, source = self.valued(measure)
                bin_ = f"toInt64(floor(({value} - {{low_{measure}:Float64}}) / {{width_{measure}:Float64}}))"
                cut, ranked = (", ".join(map(str, sorted(places))) or "0" for places in (spread.cut, spread.ranked))
                told.append(
                    f"SELECT '{measure}', {place} AS at, {bin_} AS bin, count(), "
                    f"groupArrayIf({value}, at IN ({ranked})) FROM {source} AND at IN ({cut}) GROUP BY at, bin"
                )
        return self._ask(" UNION ALL ".join(told), given) if told else ()

    def placed(self, measure: str) -> str:
        """Return the columns of `Places` of a measure, and where they are from, as SQL."""
        raise NotImplementedError

    def valued(self, measure: str) -> tuple[str, str, str]:
        """Return the place of a value, the value, and where they are from, as SQL."""
        raise NotImplementedError


class Rows(Asked):
    """Of `exchanges`: all that the condition holds for are read."""

    def placed(self, measure: str) -> str:
        """Return what counts the rows."""
        place, value, source = self.valued(measure)
        return f"{place} AS at, count() AS number, min({value}) AS low, max({value}) AS high FROM {source}"

    def valued(self, measure: str) -> tuple[str, str, str]:
        """Return what the rows have."""
        source = f"{self._table} WHERE {measure} > 0 AND {self._condition}"
        return place_of(measure), f"assumeNotNull({measure})", source


class Days(Asked):
    """Of `measures`, which has the numbers beside the values, and these in the order of places."""

    def placed(self, measure: str) -> str:
        """Return what reads no value."""
        number, low, high = (f"{of}(told.{name}) AS {name}" for of, name in zip(_OF, Places._fields[1:], strict=True))
        source = f"{self._table} AS told WHERE measure = '{measure}' AND {self._condition}"
        return f"place AS at, {number}, {low}, {high} FROM {source}"

    def valued(self, measure: str) -> tuple[str, str, str]:
        """Return what reads only the values of places that are asked for."""
        source = f"{self._table} ARRAY JOIN values AS value WHERE measure = '{measure}' AND {self._condition}"
        return "place", "value", source


def by_measure(measures: Sequence[str], found: Found) -> dict[str, list[Sequence[Any]]]:
    """Return what was found, without its first column, by that."""
    told: dict[str, list[Sequence[Any]]] = {measure: [] for measure in measures}
    for measure, *rest in found:
        told[measure].append(rest)
    return told
