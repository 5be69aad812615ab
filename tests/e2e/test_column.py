"""The comment of a flow: ours while nobody else has written there."""

from collections.abc import Iterator

import pytest
from mitmproxy import http
from mitmproxy.test import taddons, tflow

from mitmeter.column import annotate, remark_on
from mitmeter.exchange import Exchange, Timing, Usage

FIRST = Exchange(
    flow_id="1",
    started=0.0,
    method="GET",
    host="h",
    path="/",
    usage=Usage(input_tokens=1, output_tokens=2),
    timing=Timing(duration_ms=3.0),
)
SECOND = Exchange(flow_id="1", started=0.0, method="GET", host="h", path="/", usage=Usage(input_tokens=4))


@pytest.fixture
def flow() -> Iterator[http.HTTPFlow]:
    with taddons.context():
        yield tflow.tflow()


def test_the_comment_is_that_of_the_newest_row(flow: http.HTTPFlow) -> None:
    remark_on(flow, "generating")
    assert flow.comment == "generating"
    annotate(flow, FIRST, 1)
    assert flow.comment == "1→2 tok · 3 ms"
    annotate(flow, SECOND, 2)
    assert flow.comment == "4→? tok"


@pytest.mark.parametrize("when", ["before", "between", "while"])
def test_a_users_comment_stays(flow: http.HTTPFlow, when: str) -> None:
    """On a WebSocket connection a row for each response comes to the same flow."""
    if when == "before":
        flow.comment = "mine"
    remark_on(flow, "generating")
    if when == "while":
        flow.comment = "mine"
    annotate(flow, FIRST, 1)
    if when == "between":
        flow.comment = "mine"
    for exchange in (SECOND, FIRST, SECOND):
        remark_on(flow, "generating")
        annotate(flow, exchange, 2)
        assert flow.comment == "mine"


def test_a_comment_that_is_taken_away_makes_room(flow: http.HTTPFlow) -> None:
    flow.comment = "mine"
    annotate(flow, FIRST, 1)
    flow.comment = ""
    annotate(flow, SECOND, 2)
    assert flow.comment == "4→? tok"
