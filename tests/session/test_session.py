"""Responses on one WebSocket connection, each a row of its own."""

import json
from typing import Any

import pytest

from mitmeter.exchange import Answer, Exchange, Opening, Outcome
from mitmeter.recorder import Limits
from mitmeter.session import Session
from mitmeter.usage.apis.realtime import REALTIME, RESPONSES_SOCKET
from mitmeter.usage.dialect import Dialect
from mitmeter.usage.registry import Match, find

SECRET = b"s" * 32
HEADERS = (("Authorization", "Bearer sk-test"), ("Upgrade", "websocket"))

type Said = tuple[bool, dict[str, Any]]


def session(dialect: Dialect, query: str = "") -> Session:
    url = f"https://host.invalid/v1/realtime{query}"
    opening = Opening(flow_id="f", started=1000.0, zero=0.0, method="GET", url=url, headers=HEADERS)
    return Session(opening, Answer(status=101), Match("provider", dialect), limits=Limits(), secret=SECRET)


def play(one: Session, said: list[Said], step: float = 0.1) -> list[Exchange]:
    rows = []
    for number, (from_client, message) in enumerate(said):
        rows += one.feed(json.dumps(message, indent=1).encode(), step * (number + 1), from_client)
    return [exchange for exchange, _ in rows]


def usage(given: int, cached: int, output: int) -> dict[str, Any]:
    return {
        "input_tokens": given,
        "output_tokens": output,
        "total_tokens": given + output,
        "input_token_details": {"cached_tokens": cached, "text_tokens": given, "audio_tokens": 0},
        "output_token_details": {"text_tokens": output, "audio_tokens": 0},
    }


def response(number: int, given: int, cached: int, output: int, status: str = "completed") -> list[Said]:
    place = {"response_id": f"resp_{number}", "item_id": "item", "output_index": 0, "content_index": 0}
    done = {"id": f"resp_{number}", "status": status, "usage": usage(given, cached, output), "output": []}
    return [
        (True, {"type": "response.create"}),
        (False, {"type": "response.created", "response": {"id": f"resp_{number}", "status": "in_progress"}}),
        (False, {"type": "response.output_item.added", "output_index": 0, "item": {"type": "message"}}),
        (False, {"type": "response.output_text.delta", **place, "delta": "Hel"}),
        (False, {"type": "response.output_text.delta", **place, "delta": "lo"}),
        (False, {"type": "response.done", "response": done}),
        (False, {"type": "rate_limits.updated", "rate_limits": []}),
    ]


HELLO: list[Said] = [
    (False, {"type": "session.created", "session": {"id": "sess", "model": "gpt-realtime"}}),
    (True, {"type": "conversation.item.create", "item": {"type": "message", "role": "user"}}),
]


def test_each_response_is_a_row_with_its_own_counts_and_clock() -> None:
    one = session(REALTIME, "?model=gpt-realtime-alias")
    rows = play(one, [*HELLO, *response(1, 20, 0, 5), *response(2, 40, 16, 7)])
    assert not one.close(Outcome.COMPLETE, 9.0)
    counts = [(r.usage.input_tokens, r.usage.cache_read_tokens, r.usage.output_tokens) for r in rows]
    assert counts == [(20, 0, 5), (40, 16, 7)]
    assert [row.response_id for row in rows] == ["resp_1", "resp_2"]
    assert [row.request_model for row in rows] == ["gpt-realtime", "gpt-realtime"]
    assert [row.outcome for row in rows] == [Outcome.COMPLETE, Outcome.COMPLETE]
    first = rows[0]
    assert first.stream
    assert first.status == 101
    assert first.started == pytest.approx(1000.3), "when the response was asked for"
    assert first.timing.first_token_ms == pytest.approx(300, abs=1), "the first delta, not response.created"
    assert first.timing.duration_ms == pytest.approx(500, abs=1)
    assert first.usage.source == "body"


def test_the_capture_holds_both_sides_as_lines() -> None:
    one = session(REALTIME)
    ended = []
    for from_client, message in [*HELLO, *response(1, 20, 0, 5)]:
        ended += one.feed(json.dumps(message).encode(), 1.0, from_client)
    ((_, capture),) = ended
    assert capture.request_body is not None and capture.response_body is not None
    asked = [json.loads(line)["type"] for line in capture.request_body.splitlines()]
    heard = [json.loads(line)["type"] for line in capture.response_body.splitlines()]
    assert asked == ["conversation.item.create", "response.create"]
    assert heard[0] == "response.created"
    assert heard[-1] == "response.done"
    assert dict(capture.request_headers or ())["Authorization"] == "[REDACTED]"


def test_usage_at_the_top_of_the_event_counts_where_the_nested_one_is_empty() -> None:
    said = response(1, 0, 0, 0)
    said[5] = (False, {"type": "response.done", "usage": usage(11, 0, 3), "response": {"id": "r", "usage": {}}})
    (row,) = play(session(REALTIME), said)
    assert (row.usage.input_tokens, row.usage.output_tokens) == (11, 3)


@pytest.mark.parametrize("outcome", [Outcome.CLIENT_ABORTED, Outcome.UPSTREAM_ABORTED])
def test_a_connection_cut_inside_a_response_keeps_what_was_seen(outcome: Outcome) -> None:
    one = session(REALTIME)
    assert play(one, [*HELLO, *response(1, 20, 0, 5)[:4]]) == []
    ((row, _),) = one.close(outcome, 2.0, "gone")
    assert row.outcome is outcome
    assert row.error == "gone"
    assert row.timing.first_token_ms is not None
    assert row.usage.source is None


def test_a_connection_without_a_response_is_one_row() -> None:
    one = session(REALTIME, "?model=m")
    assert play(one, HELLO) == []
    ((row, _),) = one.close(Outcome.COMPLETE, 2.0)
    assert row.usage.input_tokens is None
    assert row.model == "gpt-realtime"


def test_an_error_about_something_else_leaves_the_response_alone() -> None:
    said = response(1, 20, 0, 5)
    said.insert(3, (False, {"type": "error", "error": {"type": "invalid_request_error", "message": "busy"}}))
    (row,) = play(session(REALTIME), said)
    assert row.outcome is Outcome.COMPLETE
    assert row.usage.output_tokens == 5


def test_an_error_instead_of_a_response_is_a_failed_row() -> None:
    said: list[Said] = [
        (True, {"type": "response.create"}),
        (False, {"type": "error", "error": {"type": "invalid_request_error", "message": "no such voice"}}),
    ]
    (row,) = play(session(REALTIME), [*HELLO, *said])
    assert row.outcome is Outcome.ERROR
    assert row.error == "no such voice"


def test_responses_over_a_socket() -> None:
    said: list[Said] = []
    for number in (1, 2):
        done = {
            "id": f"r{number}",
            "model": "gpt-5-codex",
            "status": "completed",
            "usage": usage(10 * number, 0, number),
        }
        said += [
            (True, {"type": "response.create", "model": "gpt-5-codex", "input": []}),
            (False, {"type": "response.created", "response": {"id": f"r{number}", "usage": None}}),
            (False, {"type": "response.output_text.delta", "output_index": 0, "delta": "x"}),
            (False, {"type": "response.completed", "response": done}),
        ]
    rows = play(session(RESPONSES_SOCKET), said)
    assert [(row.usage.input_tokens, row.usage.output_tokens) for row in rows] == [(10, 1), (20, 2)]
    assert {row.model for row in rows} == {"gpt-5-codex"}


@pytest.mark.parametrize("junk", [b"", b"\xff\xfe", b"[1]", b"null", b'{"type":', b'{"type": 3}', b"0" * 100_000])
def test_junk_is_no_matter(junk: bytes) -> None:
    one = session(REALTIME)
    for from_client in (True, False):
        one.feed(junk, 1.0, from_client)
    for from_client, message in response(1, 20, 0, 5)[:3]:
        one.feed(json.dumps(message).encode(), 2.0, from_client)
    one.feed(junk, 3.0, False)
    assert len(one.close(Outcome.COMPLETE, 4.0)) == 1


def test_a_response_in_an_envelope_ends_where_it_counts() -> None:
    match = find("GET", "spark-api.xf-yun.com", "/v3.5/chat", True)
    assert match is not None and match.provider == "iflytek"

    def said(status: int, text: str, **usage: Any) -> Said:
        choices = {"status": status, "seq": status, "text": [{"role": "assistant", "content": text, "index": 0}]}
        return False, {"header": {"code": 0, "sid": "s1", "status": status}, "payload": {"choices": choices, **usage}}

    counts = {"question_tokens": 4, "prompt_tokens": 5, "completion_tokens": 9, "total_tokens": 14}
    asked = {"parameter": {"chat": {"domain": "generalv3.5"}}, "payload": {"message": {"text": []}}}
    one = session(match.dialect, "?host=h&date=d")
    rows = play(one, [(True, asked), said(0, "h"), said(1, "i"), said(2, "!", usage={"text": counts})])
    assert one.close(Outcome.COMPLETE, 1.0) == []
    assert [(row.usage.input_tokens, row.usage.output_tokens, row.usage.total_tokens) for row in rows] == [(5, 9, 14)]
    assert (rows[0].model, rows[0].response_id, rows[0].timing.first_token_ms) == ("generalv3.5", "s1", 100.0)
