"""A histogram of few of its values is that of all of them."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mitmeter.fleet.places import Fetched
from mitmeter.fleet.spread import Places, Spread, begin, joined, place, placed
from mitmeter.store.histogram import Listed, histogram

SPEEDS = st.floats(min_value=0.001, max_value=1e7) | st.sampled_from((1.0, 1.5, 90.25))


def made(values: list[float]) -> tuple[object, int]:
    """As the server answers."""
    spread = Spread(placed(sorted(values)))
    width, cut, ranked = spread.width or 1.0, spread.cut, spread.ranked
    read: dict[tuple[int, int], list[float]] = {}
    for value in values:
        if place(value) in cut:
            read.setdefault((place(value), math.floor((value - spread.low) / width)), []).append(value)
    told = [(*key, len(some), some if key[0] in ranked else []) for key, some in read.items()]
    return spread.told(told), sum(map(len, read.values()))


@pytest.mark.parametrize(
    "values",
    [
        pytest.param([3.0], id="one"),
        pytest.param([3.0] * 50, id="the same"),
        pytest.param([1.0, 2.0], id="two"),
        pytest.param([5e-324, 1e308], id="the least and the greatest"),
        pytest.param([100.0] * 999 + [100.001], id="nearly the same"),
        pytest.param([number / 1000 for number in range(1, 5000)], id="many"),
    ],
)
def test_cases(values: list[float]) -> None:
    assert made(values)[0] == histogram(Listed(sorted(values)))


@given(st.lists(SPEEDS, min_size=1))
def test_any(values: list[float]) -> None:
    assert made(values)[0] == histogram(Listed(sorted(values)))


@given(st.lists(SPEEDS, min_size=1), st.lists(SPEEDS))
def test_of_parts(some: list[float], others: list[float]) -> None:
    parts = [Fetched({"speed": sorted(values)}) for values in (some, others)]
    places = [Places(*columns) for part in parts for _, *columns in part.places() if columns[0]]
    spread = Spread(joined(places))
    read = [found for part in parts for _, *found in part.cut({"speed": spread})]
    assert spread.told(read) == histogram(Listed(sorted(some + others)))


@given(st.floats(min_value=0, max_value=math.inf, exclude_max=True))
def test_a_value_is_between_two_places(value: float) -> None:
    assert begin(place(value)) <= value < begin(place(value) + 1)


def test_few_are_read() -> None:
    values = [number * 0.6 for number in range(1, 100_001)]
    assert made(values)[1] < 10_000


def test_rows_that_went_meanwhile_leave_a_histogram() -> None:
    spread = Spread(placed([1.0, 2.0, 3.0, 4.0, 5.0]))
    told = spread.told([])
    assert (told["min"], told["max"], told["p50"]) == (1.0, 5.0, 3.0)


def test_readings_are_joined() -> None:
    one = Places([5, 9], [2, 1], [1.0, 8.0], [2.0, 8.0])
    assert joined([one]) == one
    other = Places([3, 5], [1, 1], [0.1, 0.5], [0.1, 1.5])
    assert [list(column) for column in joined([one, other])] == [[3, 5, 9], [1, 3, 1], [0.1, 0.5, 8.0], [0.1, 2.0, 8.0]]
