"""From a folded usage object, and an engine's timings, to counts and rates."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mitmeter.exchange import Usage
from mitmeter.usage.apis.chat import COUNTS as CHAT
from mitmeter.usage.apis.messages import COUNTS as MESSAGES
from mitmeter.usage.counts import Pace, Tally, number, plus, usage_of, whole
from mitmeter.usage.dialect import Clock, Counts
from mitmeter.usage.providers.llamacpp import TIMINGS

WITHOUT = Counts(input_tokens=("in",), output_tokens=("out",), total_tokens=("total",), total_without=("thoughts",))
BESIDE = Counts(input_tokens=("in",), output_tokens=("out",), beside_input=("tools",), beside_output=("thoughts",))
GAPS = Clock(at="metrics", unit=0.001, prompt_time="ttft", token_gap_time="gap", output_time="all")


@pytest.mark.parametrize(
    ("value", "count"),
    [
        pytest.param(0, 0, id="zero"),
        pytest.param(12, 12, id="int"),
        pytest.param(12.9, 12, id="a float is cut"),
        pytest.param("12", 12, id="digits"),
        pytest.param("007", 7, id="digits with zeros"),
        pytest.param(-1, None, id="negative"),
        pytest.param(-0.5, None, id="negative float"),
        pytest.param(True, None, id="true"),
        pytest.param(False, None, id="false"),
        pytest.param(None, None, id="null"),
        pytest.param("", None, id="empty"),
        pytest.param("12.0", None, id="a fraction in quotes"),
        pytest.param("-3", None, id="a sign in quotes"),
        pytest.param("many", None, id="a word"),
        pytest.param("²", None, id="a digit that is no decimal"),
        pytest.param("9" * 40, None, id="too many digits"),
        pytest.param(float("nan"), None, id="nan"),
        pytest.param(float("inf"), None, id="infinity"),
        pytest.param(1e300, None, id="a float beyond 64 bits"),
        pytest.param(2**53, 2**53, id="the largest that a row can hold"),
        pytest.param(2**53 + 1, None, id="one that no row can hold, so that no sum and no price has it"),
        pytest.param(str(2**60), None, id="one in quotes"),
        pytest.param([1], None, id="array"),
        pytest.param({"n": 1}, None, id="object"),
    ],
)
def test_whole(value: Any, count: int | None) -> None:
    assert whole(value) == count


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists, max_leaves=3))
def test_whole_and_number_take_anything(value: Any) -> None:
    count, figure = whole(value), number(value)
    assert count is None or (type(count) is int and count >= 0)
    assert figure is None or (figure > 0 and math.isfinite(figure))


@pytest.mark.parametrize(
    ("values", "total"),
    [
        pytest.param((1, 2), 3, id="known"),
        pytest.param((1, None), 1, id="one unknown"),
        pytest.param((None, None), None, id="all unknown"),
        pytest.param((0, None), 0, id="zero is known"),
    ],
)
def test_plus(values: tuple[int | None, ...], total: int | None) -> None:
    assert plus(*values) == total


def tally(counts: Counts, snapshot: dict[str, Any]) -> tuple[int | None, int | None, list[str]]:
    found = Tally(counts, snapshot)
    return found.input, found.output, found.anomalies


def inside(total: int) -> dict[str, Any]:
    return {
        "prompt_tokens": 10,
        "completion_tokens": 5,
        "total_tokens": total,
        "completion_tokens_details": {"reasoning_tokens": 3},
    }


@pytest.mark.parametrize(
    ("counts", "snapshot", "expected"),
    [
        pytest.param(
            CHAT,
            {"prompt_tokens": 10, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 8}},
            (10, 2, []),
            id="chat: cached inside the prompt",
        ),
        pytest.param(
            MESSAGES,
            {
                "input_tokens": 3,
                "cache_read_input_tokens": 40,
                "cache_creation_input_tokens": 500,
                "output_tokens": 6,
            },
            (543, 6, []),
            id="messages: cached beside the input",
        ),
        pytest.param(
            MESSAGES, {"input_tokens": 3, "cache_read_input_tokens": None}, (3, None, []), id="messages: null"
        ),
        pytest.param(
            MESSAGES,
            {"cache_read_input_tokens": 40, "output_tokens": 2},
            (None, 2, []),
            id="messages: the cache alone is not the input",
        ),
        pytest.param(CHAT, inside(15), (10, 5, []), id="total: reasoning inside the output"),
        pytest.param(CHAT, inside(18), (10, 8, []), id="total: reasoning beside the output"),
        pytest.param(CHAT, inside(16), (10, 5, ["total_mismatch"]), id="total: neither, as reported and flagged"),
        pytest.param(
            CHAT,
            {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 99},
            (10, 5, ["total_mismatch"]),
            id="total: odd without reasoning",
        ),
        pytest.param(CHAT, {"prompt_tokens": 8, "total_tokens": 8}, (8, None, []), id="total: no output at all"),
        pytest.param(
            CHAT,
            {"prompt_tokens": 10, "completion_tokens": 5, "completion_tokens_details": {"reasoning_tokens": 9}},
            (10, 5, ["reasoning_exceeds_output"]),
            id="more reasoning than output is flagged",
        ),
        pytest.param(
            CHAT,
            {"prompt_tokens": 10, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": 161}},
            (10, 5, ["cache_exceeds_input"]),
            id="more cached than input is flagged",
        ),
        pytest.param(WITHOUT, {"in": 3, "out": 5, "thoughts": 2, "total": 6}, (3, 5, []), id="total without a part"),
        pytest.param(WITHOUT, {"in": 3, "out": 5, "total": 8}, (3, 5, []), id="total, the part absent"),
        pytest.param(
            WITHOUT, {"in": 3, "out": 5, "thoughts": 2, "total": 7}, (3, 5, ["total_mismatch"]), id="total of neither"
        ),
        pytest.param(BESIDE, {"in": 1, "tools": 2, "out": 10, "thoughts": 20}, (3, 30, []), id="beside both"),
        pytest.param(BESIDE, {"thoughts": 20}, (None, 20, []), id="beside alone"),
        pytest.param(CHAT, {"prompt_tokens": "x"}, (None, None, ["not_a_count"]), id="a word is flagged"),
        pytest.param(
            CHAT, {"prompt_tokens": -3, "input_tokens": 4}, (4, None, ["not_a_count"]), id="the next alternative"
        ),
        pytest.param(CHAT, {}, (None, None, []), id="empty"),
    ],
)
def test_tally(counts: Counts, snapshot: dict[str, Any], expected: tuple[int | None, int | None, list[str]]) -> None:
    assert tally(counts, snapshot) == expected


COMPACTED = {
    "input_tokens": 181,
    "cache_read_input_tokens": 0,
    "output_tokens": 8,
    "iterations": [
        {"type": "compaction", "input_tokens": 100, "cache_read_input_tokens": 55096, "output_tokens": 83},
        {"type": "message", "input_tokens": 181, "cache_read_input_tokens": 0, "output_tokens": 8},
        {"type": "advisor_message", "model": "another", "input_tokens": 1000, "output_tokens": 1000},
        "not an object",
    ],
}


def test_calls_billed_apart_are_added_and_others_are_not() -> None:
    found = Tally(MESSAGES, COMPACTED)
    assert (found.input, found.output, found.cache_read) == (55377, 91, 55096)
    assert found.anomalies == []


@pytest.mark.parametrize("iterations", [None, "x", {}, [], [1, None]], ids=repr)
def test_a_list_of_calls_that_is_none(iterations: Any) -> None:
    found = Tally(MESSAGES, {"input_tokens": 1, "output_tokens": 2, "iterations": iterations})
    assert (found.input, found.output) == (1, 2)


def usage(timings: dict[str, Any], snapshot: dict[str, Any] | None = None) -> Usage:
    return usage_of(None if snapshot is None else Tally(CHAT, snapshot), [Pace(TIMINGS, timings)], "body")


@pytest.mark.parametrize(
    ("timings", "snapshot", "expected"),
    [
        pytest.param(
            {"prompt_n": 7, "cache_n": 93, "predicted_n": 5},
            None,
            Usage(input_tokens=100, output_tokens=5, cache_read_tokens=93, source="timings"),
            id="prompt_n leaves the cache out",
        ),
        pytest.param(
            {"prompt_n": 20, "predicted_n": 6},
            {"prompt_tokens": 50, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": 30}},
            Usage(input_tokens=50, output_tokens=6, cache_read_tokens=30, source="body"),
            id="the usage object says how much was cached",
        ),
        pytest.param({}, None, Usage(), id="empty timings say nothing"),
        pytest.param({"predicted_per_second": 9.0}, None, Usage(), id="rates are no counts"),
        pytest.param(
            {"predicted_n": 3},
            {"prompt_tokens": 4, "completion_tokens": 9},
            Usage(input_tokens=4, output_tokens=3, source="body"),
            id="half of the timings",
        ),
        pytest.param(
            {"draft_n": 5, "draft_n_accepted": None, "predicted_n": 1},
            None,
            Usage(output_tokens=1, source="timings"),
            id="drafts need both",
        ),
        pytest.param(
            {"draft_n": 5, "draft_n_accepted": 0, "predicted_n": 1},
            None,
            Usage(output_tokens=1, draft_tokens=5, draft_accepted_tokens=0, source="timings"),
            id="no draft accepted",
        ),
    ],
)
def test_timings(timings: dict[str, Any], snapshot: dict[str, Any] | None, expected: Usage) -> None:
    assert usage(timings, snapshot) == expected


@pytest.mark.parametrize(
    ("figures", "rates"),
    [
        pytest.param({"ttft": 100, "gap": 10}, (40.0, 100.0), id="prompt over what was not cached, gap"),
        pytest.param({"all": 500}, (None, 20.0), id="output over its time"),
        pytest.param({"ttft": 0, "gap": 0}, (None, None), id="zero durations"),
        pytest.param({"ttft": -1, "gap": float("nan")}, (None, None), id="odd durations"),
        pytest.param({"ttft": "100", "gap": True}, (None, None), id="no numbers"),
        pytest.param({}, (None, None), id="none"),
    ],
)
def test_rates(figures: dict[str, Any], rates: tuple[float | None, float | None]) -> None:
    known = Usage(input_tokens=10, cache_read_tokens=6, output_tokens=10)
    assert Pace(GAPS, figures).rates(known) == pytest.approx(rates)


@pytest.mark.parametrize(
    "known",
    [
        pytest.param(Usage(input_tokens=10, cache_read_tokens=20), id="more cached than input"),
        pytest.param(Usage(cache_read_tokens=20), id="no input"),
        pytest.param(Usage(input_tokens=5, cache_read_tokens=5), id="all of it cached"),
    ],
)
def test_no_prompt_rate(known: Usage) -> None:
    assert Pace(GAPS, {"ttft": 100}).rates(known) == (None, None)
