"""A histogram of few of its values is that of all of them."""

import math
import struct
from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mitmeter.fleet.address import address
from mitmeter.fleet.connection import Connection
from mitmeter.fleet.spread import FIRST, PLACES, SHIFT, Places, Ranked, Spread, begin, joined, place_of
from mitmeter.store.histogram import Listed, bin_of, histogram

SPEEDS = st.floats(min_value=0, max_value=math.inf, exclude_min=True, exclude_max=True) | st.sampled_from(
    (1.0, 1.5, 90.25, 90.26)
)


def place(value: float) -> int:
    """As the server counts it."""
    bits = int(struct.unpack("<Q", struct.pack("<d", value))[0]) >> SHIFT
    return min(max(bits, FIRST) - FIRST, PLACES - 1)


def placed(values: Sequence[float]) -> Places:
    number = Counter(map(place, values))
    return Places(min(values), max(values), sorted(number), [number[at] for at in sorted(number)])


def read(spread: Spread, values: Sequence[float]) -> tuple[list[int], list[Ranked]]:
    """As the server answers."""
    bins = [0] * spread.bins
    for value in values:
        if place(value) in spread.cut:
            bins[bin_of(value, spread.low, spread.width, spread.bins)] += 1
    ranked = []
    for at in spread.ranked:
        there = sorted(value for value in values if place(value) == at)
        first, many = spread.window(at, len(there))
        ranked.append(Ranked(at, first, there[first : first + many]))
    return bins, ranked


def told(parts: Sequence[Sequence[float]], beside: Sequence[float] = ()) -> object:
    spread = Spread(joined([placed(values) for values in parts]), sorted(beside))
    return spread.told([read(spread, values) for values in parts] if spread.width else [])


@pytest.mark.parametrize(
    "values",
    [
        pytest.param([3.0], id="one"),
        pytest.param([3.0] * 50, id="the same"),
        pytest.param([1.0, 2.0], id="two"),
        pytest.param([5e-324, 1e308], id="the least and the greatest"),
        pytest.param([5e-324, 1e-300, 1e-9, 1e-8], id="in the first place"),
        pytest.param([1e12, 2e12, 1e300, 1.7e308], id="in the last place"),
        pytest.param([100.0] * 999 + [100.001], id="nearly the same"),
        pytest.param([number / 1000 for number in range(1, 5000)], id="many"),
    ],
)
def test_cases(values: list[float]) -> None:
    expected = histogram(Listed(sorted(values)))
    assert told([values]) == expected
    for some in (values[:1], values[-1:], values[::2]):
        rest = list((Counter(values) - Counter(some)).elements())
        assert not rest or told([rest], some) == expected


@given(st.lists(st.lists(SPEEDS, min_size=1), min_size=1, max_size=3), st.lists(SPEEDS))
def test_any(parts: list[list[float]], beside: list[float]) -> None:
    together = sorted(value for values in (*parts, beside) for value in values)
    if math.isfinite((together[-1] - together[0]) / 5):
        assert told(parts, beside) == histogram(Listed(together))


@given(st.lists(st.floats(min_value=0.1, max_value=1e5), min_size=50), st.data())
def test_any_beside(values: list[float], data: st.DataObject) -> None:
    at = data.draw(st.integers(1, len(values)))
    assert told([values[:at]], values[at:]) == histogram(Listed(sorted(values)))


@given(SPEEDS)
def test_a_value_is_between_two_places(value: float) -> None:
    assert begin(place(value)) <= value < begin(place(value) + 1)


@pytest.mark.clickhouse
def test_the_server_counts_places_alike(inside: str) -> None:
    values = (5e-324, 6e-8, 0.001, 1.0, 1.5, 90.25, math.nextafter(2.0, 1.0), 2.0, 1e6, 1.2e12, 1.7e308)
    query = f"SELECT {place_of('arrayJoin({values:Array(Float64)})')}"
    found = Connection(address(inside)).query(query, {"values": list(values)})
    assert [at for (at,) in found] == [place(value) for value in values]


def test_few_are_read() -> None:
    values = [number * 0.6 for number in range(1, 100_001)]
    spread = Spread(placed(values))
    bins, ranked = read(spread, values)
    assert sum(bins) < 10_000
    assert sum(len(one.values) for one in ranked) == 6


def test_rows_that_went_meanwhile_leave_a_histogram() -> None:
    spread = Spread(placed([1.0, 2.0, 3.0, 4.0, 5.0]))
    told = spread.told([])
    assert (told["min"], told["max"], told["p50"]) == (1.0, 5.0, 3.0)


def test_readings_are_joined() -> None:
    one, other = Places(1.0, 8.0, [5, 9], [2, 1]), Places(0.1, 1.5, [3, 5], [1, 1])
    assert joined([one]) == one
    assert joined([one, other]) == Places(0.1, 8.0, [3, 5, 9], [1, 3, 1])
