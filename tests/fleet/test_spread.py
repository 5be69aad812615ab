"""A histogram of few of its values is that of all of them."""

import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mitmeter.fleet.spread import SHIFT, Place, Spread, joined
from mitmeter.store.histogram import Listed, histogram


def at(value: float) -> int:
    return int(struct.unpack("<Q", struct.pack("<d", value))[0]) >> SHIFT


def placed(values: list[float]) -> Spread:
    places: dict[int, list[float]] = {}
    for value in sorted(values):
        places.setdefault(at(value), []).append(value)
    return Spread([Place(where, len(some), some[0], some[-1]) for where, some in sorted(places.items())])


def made(values: list[float]) -> tuple[object, int]:
    """As the server answers."""
    spread = placed(values)
    width, cut, ranked = spread.width or 1.0, spread.cut, spread.ranked
    read: dict[tuple[int, int], list[float]] = {}
    for value in values:
        if at(value) in cut:
            read.setdefault((at(value), math.floor((value - spread.low) / width)), []).append(value)
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


@given(st.lists(st.floats(min_value=0.001, max_value=1e7) | st.sampled_from((1.0, 1.5, 90.25)), min_size=1))
def test_any(values: list[float]) -> None:
    assert made(values)[0] == histogram(Listed(sorted(values)))


def test_few_are_read() -> None:
    values = [number * 0.6 for number in range(1, 100_001)]
    assert made(values)[1] < 10_000


def test_rows_that_went_meanwhile_leave_a_histogram() -> None:
    spread = placed([1.0, 2.0, 3.0, 4.0, 5.0])
    told = spread.told([])
    assert (told["min"], told["max"], told["p50"]) == (1.0, 5.0, 3.0)


def test_readings_are_joined() -> None:
    assert joined([(5, 2, 1.0, 2.0), (9, 1, 8.0, 8.0)], [(5, 1, 0.5, 1.5)], []) == [(5, 3, 0.5, 2.0), (9, 1, 8.0, 8.0)]
