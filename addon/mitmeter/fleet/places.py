"""Where the values of a measure lie, and those of them that decide, as ClickHouse tells of one of its tables."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from mitmeter.fleet.spread import PLACES, Places, Spread, place_of

type Ask = Callable[[str, Mapping[str, Any]], Sequence[Sequence[Any]]]

# Of values that are cut: the measure, their number by bin, and those that are ranked.
type Cut = tuple[str, Sequence[int], Sequence[float]]


class Part(Protocol):
    """Some of the rows."""

    def places(self) -> Iterable[tuple[str, Places]]:
        """Return where the values of each measure lie that has any."""
        ...

    def cut(self, spreads: Mapping[str, Spread]) -> Iterable[Cut]:
        """Return what is to be read for spreads, of each that cuts any place."""
        ...


class Rows:
    """Of `exchanges`, by a condition with its parameters; they are read twice, of all measures at once."""

    def __init__(self, ask: Ask, table: str, measures: Sequence[str], condition: str, given: Mapping[str, Any]) -> None:
        self._ask = ask
        self._source = f"FROM {table} WHERE {condition}"
        self._measures, self._given = measures, dict(given)

    def places(self) -> Iterator[tuple[str, Places]]:
        """Return how many values each place has, of which most have none."""
        told = ", ".join(
            f"minIf({name}, {name} > 0), maxIf({name}, {name} > 0), countResample(0, {PLACES}, 1)({_at(name)})"
            for name in self._measures
        )
        [found] = self._ask(f"SELECT {told} {self._source}", self._given)
        for name, low, high, numbers in zip(self._measures, found[::3], found[1::3], found[2::3], strict=True):
            if low is not None:
                at = [place for place, number in enumerate(numbers) if number]
                yield name, Places(low, high, at, [numbers[place] for place in at])

    def cut(self, spreads: Mapping[str, Spread]) -> Iterator[Cut]:
        """Return what is cut, of all rows."""
        asked = {name: spread for name, spread in spreads.items() if spread.cut}
        given, told = dict(self._given), list[str]()
        for name, spread in asked.items():
            given |= _bounds(name, spread)
            told += _decide(name, spread, f"assumeNotNull({name})", _at(name))
        if told:
            [found] = self._ask(f"SELECT {', '.join(told)} {self._source}", given)
            yield from zip(asked, found[::2], found[1::2], strict=True)


class Days:
    """Of `measures`, by a condition; it has the numbers beside the values, and these in the order of places."""

    def __init__(self, ask: Ask, table: str, measures: Sequence[str], condition: str) -> None:
        self._ask = ask
        self._table, self._measures, self._condition = table, measures, condition

    def places(self) -> Iterator[tuple[str, Places]]:
        """Return how many values each place has, of those that have any; no value is read."""
        inner = "place, sum(number) AS numbers, min(low) AS lowest, max(high) AS highest"
        told = (
            f"SELECT '{name}', min(lowest), max(highest), groupArray(place), groupArray(numbers) "
            f"FROM (SELECT {inner} FROM {self._table} WHERE {self._of(name)} GROUP BY place ORDER BY place)"
            for name in self._measures
        )
        for name, *columns in self._ask(" UNION ALL ".join(told), {}):
            places = Places(*columns)
            if places.at:
                yield name, places

    def cut(self, spreads: Mapping[str, Spread]) -> Iterable[Cut]:
        """Return what is cut; values of other places are not read."""
        given, told = dict[str, Any](), list[str]()
        for name, spread in spreads.items():
            if spread.cut:
                given |= _bounds(name, spread)
                decide = ", ".join(_decide(name, spread, "value", "place"))
                within = f"{self._of(name)} AND place IN ({_listed(spread.cut)})"
                told.append(f"SELECT '{name}', {decide} FROM {self._table} ARRAY JOIN values AS value WHERE {within}")
        found = self._ask(" UNION ALL ".join(told), given) if told else ()
        return ((name, numbers, values) for name, numbers, values in found)

    def _of(self, name: str) -> str:
        return f"measure = '{name}' AND {self._condition}"


def _at(name: str) -> str:
    """Return the place of a column's value, none where it is not above 0, as SQL."""
    return f"if({name} > 0, toInt32({place_of(f'assumeNotNull({name})')}), -1)"


def _bounds(name: str, spread: Spread) -> dict[str, float]:
    return {f"low_{name}": spread.low, f"width_{name}": spread.width}


def _decide(name: str, spread: Spread, value: str, place: str) -> tuple[str, str]:
    """Return numbers by bin of values in places that are cut, and those that are ranked, as SQL."""
    last, cut, ranked = spread.bins - 1, _listed(spread.cut), _listed(spread.ranked)
    bin_ = f"toInt64(least(floor(({value} - {{low_{name}:Float64}}) / {{width_{name}:Float64}}), {last}))"
    return (
        f"countResample(0, {spread.bins}, 1)(if({place} IN ({cut}), {bin_}, -1))",
        f"arraySort(groupArrayIf({value}, {place} IN ({ranked})))",
    )


def _listed(places: Iterable[int]) -> str:
    # None has this number.
    return ", ".join(map(str, sorted(places))) or "-2"
