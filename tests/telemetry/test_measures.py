"""What exchanges come to: which instruments take what, with which attributes; and what is bounded."""

from itertools import pairwise

import pytest
from telling import COMMON, failed, told

from mitmeter.exchange import Exchange, Outcome, Timing, Trace
from mitmeter.telemetry import measures, names
from mitmeter.telemetry.measures import Distribution, Measures, error_type
from mitmeter.telemetry.names import Instrument

UNKNOWN = {**COMMON, names.MODALITY: "unknown"}


def measured(*exchanges: Exchange, old_names: bool = False) -> dict[Instrument, list]:
    taken = Measures(old_names=old_names)
    for exchange in exchanges:
        taken(exchange)
    return {
        series.instrument: [(dict(labels.pairs), value) for labels, value in series.values]
        for series in taken.collect()
    }


@pytest.mark.parametrize(
    ("instrument", "attributes", "number"),
    [
        pytest.param(names.INPUT, UNKNOWN, 100, id="input"),
        pytest.param(names.OUTPUT, UNKNOWN, 20, id="output"),
        pytest.param(names.CACHE_READ, UNKNOWN, 60, id="cache read"),
        pytest.param(names.CACHE_WRITE, UNKNOWN, 0, id="cache write, of which nothing was said"),
        pytest.param(names.REASONING, UNKNOWN, 0, id="reasoning, of which nothing was said"),
        pytest.param(names.EXCHANGES, {**COMMON, names.OUTCOME: "complete"}, 1, id="exchanges"),
        pytest.param(names.SENT, COMMON, 1000, id="sent"),
        pytest.param(names.RECEIVED, COMMON, 3000, id="received"),
        pytest.param(names.UNPRICED, COMMON, 1, id="unpriced"),
    ],
)
def test_counters(instrument: Instrument, attributes: dict, number: int) -> None:
    assert measured(told())[instrument] == [(attributes, number)]


@pytest.mark.parametrize(
    ("instrument", "attributes", "values"),
    [
        pytest.param(names.DURATION, COMMON, [1.5], id="duration"),
        pytest.param(names.FIRST_CHUNK, COMMON, [0.1], id="first chunk"),
        pytest.param(names.FIRST_TOKEN_AFTER, COMMON, [0.25], id="first token"),
        pytest.param(names.EACH_CHUNK, COMMON, [0.005, 0.295, 0.95], id="each chunk"),
        pytest.param(names.INPUT_EACH, COMMON, [100], id="input"),
        pytest.param(names.OUTPUT_EACH, COMMON, [20], id="output"),
    ],
)
def test_histograms(instrument: Instrument, attributes: dict, values: list[float]) -> None:
    ((labels, found),) = measured(told())[instrument]
    assert labels == attributes
    assert isinstance(found, Distribution)
    assert found.sum == pytest.approx(sum(values))
    expected = [0] * (len(instrument.bounds) + 1)
    for value in values:
        expected[next((at for at, bound in enumerate(instrument.bounds) if value <= bound), -1)] += 1
    assert found.counts == expected


def test_a_failed_exchange_counts_nothing_and_says_so() -> None:
    found = measured(failed())
    for instrument in (names.INPUT, names.OUTPUT, names.CACHE_READ, names.CACHE_WRITE, names.REASONING):
        assert found[instrument] == [(UNKNOWN, 0)]
    wrong = {**COMMON, names.ERROR: "rate_limit_error"}
    assert [labels for labels, _ in found[names.DURATION]] == [wrong]
    assert found[names.EXCHANGES] == [({**COMMON, names.OUTCOME: "error", names.ERROR: "rate_limit_error"}, 1)]
    for instrument in (names.FIRST_CHUNK, names.EACH_CHUNK, names.INPUT_EACH, names.COST, names.UNPRICED):
        assert found[instrument] == []


@pytest.mark.parametrize(
    ("timing", "instrument", "seconds"),
    [
        pytest.param(Timing(prompt_per_second=80.0, rate_source="server"), names.SERVER_FIRST, 0.5, id="prompt"),
        pytest.param(Timing(tokens_per_second=50.0, rate_source="server"), names.SERVER_EACH, 0.02, id="each token"),
        pytest.param(Timing(tokens_per_second=50.0, rate_source="wire"), names.SERVER_EACH, None, id="not its word"),
    ],
)
def test_what_the_server_says(timing: Timing, instrument: Instrument, seconds: float | None) -> None:
    found = measured(told(timing=timing))[instrument]
    assert [value.sum for _, value in found] == ([] if seconds is None else [pytest.approx(seconds)])


def test_who_names_the_price() -> None:
    found = measured(told(cost_usd=0.5, cost_source="prices"), told(cost_usd=0.25, cost_source="provider"))
    assert [(labels[names.COST_SOURCE], value) for labels, value in found[names.COST]] == [
        ("prices", 0.5),
        ("provider", 0.25),
    ]


def test_what_consumes_nothing_has_no_tokens() -> None:
    assert measured(told(trace=Trace(consumes=False)))[names.INPUT] == []


def test_the_older_names_are_a_switch() -> None:
    assert names.OLD_TOKENS not in measured(told())
    found = measured(told(), old_names=True)[names.OLD_TOKENS]
    assert [(labels[names.TOKEN_TYPE], value.sum) for labels, value in found] == [("input", 100), ("output", 20)]


@pytest.mark.parametrize(
    ("exchange", "kind"),
    [
        pytest.param(told(), None, id="none"),
        pytest.param(failed(), "rate_limit_error", id="the server's word"),
        pytest.param(failed(error_type=None), "429", id="the status"),
        pytest.param(told(outcome=Outcome.CLIENT_ABORTED), "client_aborted", id="how it ended"),
    ],
)
def test_error_type(exchange: Exchange, kind: str | None) -> None:
    assert error_type(exchange) == kind


def test_names_from_outside_are_capped() -> None:
    number = measures.DISTINCT + 50
    found = measured(*(told(model=f"m{at}", request_model=None) for at in range(number)))[names.INPUT]
    models = [labels[names.RESPONSE_MODEL] for labels, _ in found]
    assert len(models) == measures.DISTINCT + 1
    assert models[-1] == "_other"
    assert sum(value for _, value in found) == 100 * number


def test_sets_of_attributes_are_capped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measures, "FAMILIES", 10)
    told_of = [told(model=f"m{at % 9}", host=f"h{at % 7}") for at in range(63)]
    found = measured(*told_of)[names.EXCHANGES]
    assert len(found) <= 12
    assert sum(value for _, value in found) == 63


def test_gaps_fall_into_the_buckets_that_a_loop_would_find() -> None:
    arrivals = tuple(at * 0.01 + (at % 7) * 0.001 + at**2 * 0.0005 for at in range(300))
    ((_, found),) = measured(told(trace=Trace(arrivals=arrivals)))[names.EACH_CHUNK]
    gaps = [after - before for before, after in pairwise(arrivals)]
    bounds = (*names.SECONDS, float("inf"))
    expected = [sum(low < gap <= high for gap in gaps) for low, high in pairwise((float("-inf"), *bounds))]
    assert found.counts == expected
    assert found.sum == pytest.approx(sum(gaps))


def test_an_absent_attribute_is_left_out() -> None:
    (labels, _), *_ = measured(told(provider=None, model=None, request_model=None, trace=None))[names.SENT]
    assert labels == {
        names.OPERATION: "chat",
        names.PROVIDER: "_other",
        names.ADDRESS: "api.example.com",
    }
