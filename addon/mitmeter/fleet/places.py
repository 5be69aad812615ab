"""Where the values of a measure lie, and those of them that decide, as ClickHouse tells of one of its tables."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from mitmeter.fleet.course import Ask
from mitmeter.fleet.spread import PLACES, Places, Ranked, Spread, place_of

# The measure, how many values each bin has of places that are cut, and those that are ranked.
type Cut = tuple[str, Sequence[int], Sequence[Ranked]]


class Part(Protocol):
    """Some of the rows; asked for places first."""

    def places(self) -> Iterable[tuple[str, Places]]:
        """Return where the values of each measure lie that has any."""
        ...

    def cut(self, spreads: Mapping[str, Spread]) -> Iterable[Cut]:
        """Return what is to be read for spreads, of each measure whose values differ."""
        ...


class Rows:
    """Of `exchanges`, by a condition with its parameters; they are read twice, of all measures at once."""

    def __init__(self, ask: Ask, table: str, measures: Sequence[str], condition: str, given: Mapping[str, Any]) -> None:
        self._ask = ask
        self._source = f"FROM {table} WHERE {condition}"
        self._measures, self._given = measures, dict(given)
        self._places: dict[str, Places] = {}

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
                self._places[name] = Places(low, high, at, [numbers[place] for place in at])
                yield name, self._places[name]

    def cut(self, spreads: Mapping[str, Spread]) -> Iterator[Cut]:
        """Return what is to be read, of all rows."""
        asked = [
            _Asked(name, spreads[name], places, f"assumeNotNull({name})", _at(name))
            for name, places in self._places.items()
            if spreads[name].width
        ]
        if asked:
            given = self._given | {name: value for one in asked for name, value in one.given.items()}
            told = ", ".join(f"{one.numbers}, {one.ranked}" for one in asked)
            [found] = self._ask(f"SELECT {told} {self._source}", given)
            for one, numbers, ranked in zip(asked, found[::2], found[1::2], strict=True):
                yield one.found(numbers, ranked)


class Days:
    """Of `measures`, by a condition; it has the numbers beside the values, and these in the order of places."""

    def __init__(self, ask: Ask, table: str, measures: Sequence[str], condition: str) -> None:
        self._ask = ask
        self._table, self._measures, self._condition = table, measures, condition
        self._places: dict[str, Places] = {}

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
                self._places[name] = places
                yield name, places

    def cut(self, spreads: Mapping[str, Spread]) -> Iterator[Cut]:
        """Return what is to be read; values of other places are not."""
        asked = {
            name: _Asked(name, spreads[name], places, "value", "place")
            for name, places in self._places.items()
            if spreads[name].width
        }
        told = " UNION ALL ".join(
            f"SELECT '{name}', {one.numbers}, {one.ranked} FROM {self._table} ARRAY JOIN values AS value "
            f"WHERE {self._of(name)} AND place IN ({_listed({*one.spread.cut, *one.spread.ranked})})"
            for name, one in asked.items()
        )
        if asked:
            given = {name: value for one in asked.values() for name, value in one.given.items()}
            for name, numbers, ranked in self._ask(told, given):
                yield asked[name].found(numbers, ranked)

    def _of(self, name: str) -> str:
        return f"measure = '{name}' AND {self._condition}"


class _Asked:
    """What is asked of the values of a measure, as SQL with parameters."""

    def __init__(self, name: str, spread: Spread, places: Places, value: str, place: str) -> None:
        self.name, self.spread = name, spread
        self.given = {f"low_{name}": spread.low, f"width_{name}": spread.width}
        number = dict(zip(places.at, places.number, strict=True))
        self._windows = [(at, *spread.window(at, number.get(at, 0))) for at in spread.ranked]
        bin_ = f"least(floor(({value} - {{low_{name}:Float64}}) / {{width_{name}:Float64}}), {spread.bins - 1})"
        cut = f"if({place} IN ({_listed(spread.cut)}), toInt64({bin_}), -1)"
        self.numbers = f"countResample(0, {spread.bins}, 1)({cut})"
        slices = (
            f"arraySlice(arraySort(groupArrayIf({value}, {place} = {at})), {first + 1}, {many})"
            for at, first, many in self._windows
        )
        self.ranked = f"[{', '.join(slices)}]" if self._windows else "CAST([], 'Array(Array(Float64))')"

    def found(self, numbers: Sequence[int], ranked: Sequence[Sequence[float]]) -> Cut:
        """Return what was answered."""
        read = zip(self._windows, ranked, strict=True)
        return self.name, numbers, [Ranked(at, first, values) for (at, first, _), values in read]


def _at(name: str) -> str:
    """Return the place of a column's value, none where it is not above 0, as SQL."""
    return f"if({name} > 0, toInt32({place_of(f'assumeNotNull({name})')}), -1)"


def _listed(places: Iterable[int]) -> str:
    # None has this number.
    return ", ".join(map(str, sorted(places))) or "-2"
