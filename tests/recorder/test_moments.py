"""When a body had reached an offset, and what is told of the way there."""

import pytest
from recording import SSE, STREAM, ended, recorder

from mitmeter.moments import MOST, POINTS, STALLS, Moments
from mitmeter.recorder import Limits

ZERO = 100.0


def moments(*gaps_ms: float, size: int = 10) -> Moments:
    made, at = Moments(), ZERO
    for gap in gaps_ms:
        at += gap / 1000
        made.add((size,), (at,))
    return made


@pytest.mark.parametrize(
    ("gaps_ms", "timeline"),
    [
        pytest.param((), (), id="nothing"),
        pytest.param((50.1,), (), id="one chunk"),
        pytest.param((50.1, 0.1, 0.1), (), id="all at once"),
        pytest.param((50.1, 10), ((10, 50), (20, 60)), id="two"),
        pytest.param((50.1, 0.1, 0.1, 10), ((30, 50), (40, 60)), id="one millisecond is one point"),
    ],
)
def test_timeline(gaps_ms: tuple[float, ...], timeline: tuple) -> None:
    assert moments(*gaps_ms).timeline(ZERO) == timeline


def test_a_long_stream_keeps_its_ends_and_a_few_between() -> None:
    points = moments(*[20.2] * 300).timeline(ZERO)
    assert points[0][0] == 10
    assert points[-1] == (3000, 6060)
    assert len(points) <= POINTS + 2


def test_a_stall_keeps_both_its_ends() -> None:
    points = moments(*[10.2] * 100, 2000, *[10.2] * 100).timeline(ZERO)
    assert {(1000, 1020), (1010, 3020)} <= set(points)


def test_stalls_are_bounded() -> None:
    assert len(moments(*[60.2] * (MOST // 4)).timeline(ZERO)) <= POINTS + 2
    assert len(moments(*[0.2, 500.2] * 15).timeline(ZERO)) <= POINTS + 2 + 2 * STALLS


def test_the_recorder_tells_what_came_when() -> None:
    exchange, redacted = ended(recorder(), STREAM)
    assert [ms for _, ms in redacted.timeline] == [200, 250, 500, 750, 1500, 1600, 1700]
    assert redacted.timeline[-1][0] == exchange.sizes.decoded_bytes
    assert exchange.trace is None


def test_a_buffered_body_has_no_timeline() -> None:
    recording = recorder()
    _, redacted = ended(recording, status=200)
    assert redacted.timeline == ()


def test_a_traced_row_tells_its_generated_chunks_and_its_parent() -> None:
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    recording = recorder(headers=(*SSE, ("Traceparent", parent)), limits=Limits(traced=True), host="h.invalid:8443")
    trace = ended(recording, STREAM)[0].trace
    assert trace is not None
    assert (trace.parent, trace.port, trace.arrivals) == (parent, 8443, (50.5, 50.75, 51.5))


def test_a_traced_row_without_a_stream_has_no_arrivals() -> None:
    trace = ended(recorder(limits=Limits(traced=True)))[0].trace
    assert trace is not None
    assert (trace.parent, trace.port, trace.arrivals) == (None, 443, ())
