"""How the snapshots of one response fold."""

from functools import reduce

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mitmeter.usage.dialect import Fold, Snapshot, overlay, replaces, union

LEAVES = st.none() | st.integers() | st.text(max_size=3)
SNAPSHOTS: st.SearchStrategy[Snapshot] = st.recursive(
    st.dictionaries(st.sampled_from("abc"), LEAVES, max_size=3),
    lambda inner: st.dictionaries(st.sampled_from("abc"), LEAVES | inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("fold", "snapshots", "folded"),
    [
        pytest.param(
            overlay,
            [{"input_tokens": 9, "output_tokens": 1}, {"output_tokens": 15}],
            {"input_tokens": 9, "output_tokens": 15},
            id="overlay: what the later one leaves out stays",
        ),
        pytest.param(overlay, [{"a": 5}, {"a": None}], {"a": 5}, id="overlay: a null erases nothing"),
        pytest.param(overlay, [{"a": None}, {"a": 5}], {"a": 5}, id="overlay: a null is filled"),
        pytest.param(overlay, [{"a": 7}, {"a": 0}], {"a": 0}, id="overlay: a later zero counts"),
        pytest.param(overlay, [{"a": 7}, {"a": 3}], {"a": 3}, id="overlay: not the maximum, not the sum"),
        pytest.param(
            overlay,
            [{"d": {"x": 1, "y": 2}}, {"d": {"x": 3, "y": None}}],
            {"d": {"x": 3, "y": 2}},
            id="overlay: nested objects likewise",
        ),
        pytest.param(overlay, [{"d": {"x": 1}}, {"d": 4}], {"d": 4}, id="overlay: a number replaces an object"),
        pytest.param(overlay, [{"l": [1]}, {"l": [2, 3]}], {"l": [2, 3]}, id="overlay: arrays are replaced"),
        pytest.param(
            replaces,
            [{"prompt": 20, "candidates": 21}, {"prompt": 89}],
            {"prompt": 89},
            id="replaces: the later one stands alone",
        ),
        pytest.param(replaces, [{"prompt": 20}, {"traffic": "x"}], {"prompt": 20}, id="replaces: one without counts"),
        pytest.param(replaces, [{"prompt": 20}, {"prompt": 0}], {"prompt": 0}, id="replaces: zero is a count"),
        pytest.param(replaces, [{"prompt": 20}, {}], {"prompt": 20}, id="replaces: an empty one"),
    ],
)
def test_fold(fold: Fold, snapshots: list[Snapshot], folded: Snapshot) -> None:
    before = repr(snapshots)
    assert reduce(fold, snapshots) == folded
    assert repr(snapshots) == before, "the snapshots themselves are left as they were"


@given(SNAPSHOTS)
def test_a_snapshot_over_itself_is_itself(snapshot: Snapshot) -> None:
    assert overlay(snapshot, snapshot) == snapshot


@given(SNAPSHOTS, SNAPSHOTS)
def test_overlay_keeps_what_is_known(earlier: Snapshot, later: Snapshot) -> None:
    merged = overlay(earlier, later)
    assert merged.keys() == earlier.keys() | later.keys()
    for name in merged:
        if later.get(name) is not None and not isinstance(later[name], dict):
            assert merged[name] == later[name]
        elif later.get(name) is None:
            assert merged[name] == earlier.get(name)


def test_union_keeps_order_and_repeats_nothing() -> None:
    assert union(("a", "b"), ("b", "c", "a")) == ("a", "b", "c")
