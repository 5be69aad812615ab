"""What is spoken over a WebSocket: which paths, which dialect, and what tells its conversations from others."""

import json
from typing import Any

import pytest

from mitmeter.exchange import Answer, Exchange, Opening, Outcome
from mitmeter.recorder import UNKNOWN, Limits
from mitmeter.session import OPEN, Session
from mitmeter.usage.registry import Match, find

GEMINI = "generativelanguage.googleapis.com"
LIVE_PATH = "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent"
VERTEX_PATH = "/ws/google.cloud.aiplatform.v1beta1.LlmBidiService/BidiGenerateContent"
CREATE = {"type": "response.create"}

type Said = tuple[bool, dict[str, Any]]


@pytest.mark.parametrize(
    ("host", "path", "who"),
    [
        pytest.param("api.openai.com", "/v1/realtime", ("openai", "realtime"), id="openai"),
        pytest.param("api.openai.com", "/v1/responses", ("openai", "responses"), id="openai responses"),
        pytest.param("r.openai.azure.com", "/openai/realtime", ("azure", "realtime"), id="azure"),
        pytest.param("r.openai.azure.com", "/openai/v1/realtime", ("azure", "realtime"), id="azure v1"),
        pytest.param("r.openai.azure.com", "/openai/v1/responses", ("azure", "responses"), id="azure responses"),
        pytest.param("api.x.ai", "/v1/realtime", ("xai", "realtime"), id="xai"),
        pytest.param("chatgpt.com", "/backend-api/codex/responses", ("chatgpt", "responses"), id="codex"),
        pytest.param(GEMINI, LIVE_PATH, ("gemini", "live"), id="live"),
        pytest.param(GEMINI, f"{LIVE_PATH}Constrained", ("gemini", "live"), id="live, with a token of its own"),
        pytest.param("us-central1-aiplatform.googleapis.com", VERTEX_PATH, ("vertex", "live"), id="vertex"),
        pytest.param("127.0.0.1", "/v1/realtime", ("openai", "realtime"), id="anywhere"),
        pytest.param("gateway.lan", f"/gemini{LIVE_PATH}", ("gemini", "live"), id="live anywhere"),
    ],
)
def test_sockets_are_recognised(host: str, path: str, who: tuple[str, str]) -> None:
    match = find("GET", host, path, upgrades=True)
    assert match is not None and match.dialect.socket is not None
    assert (match.provider, match.dialect.api) == who
    assert find("GET", host, path) is None, "without an upgrade it is something else"


def reader(host: str, path: str) -> Match:
    match = find("GET", host, path, upgrades=True)
    assert match is not None
    return match


def session(match: Match, url: str = "wss://h.invalid/v1/realtime") -> Session:
    opening = Opening(flow_id="f", started=1000.0, zero=0.0, method="GET", url=url)
    return Session(opening, Answer(status=101), match, limits=Limits())


def play(one: Session, said: list[Said], close: bool = True) -> list[Exchange]:
    ended = []
    for number, (from_client, message) in enumerate(said, 1):
        ended += one.feed(json.dumps(message).encode(), number / 10, from_client)
    ended += one.close(Outcome.COMPLETE, (len(said) + 1) / 10) if close else []
    return [exchange for exchange, _ in ended]


def counts(rows: list[Exchange]) -> list[tuple[int | None, int | None]]:
    return [(row.usage.input_tokens, row.usage.output_tokens) for row in rows]


def created(name: str) -> Said:
    return False, {"type": "response.created", "response": {"id": name, "status": "in_progress"}}


def delta(name: str, text: str = "x") -> Said:
    return False, {"type": "response.output_text.delta", "response_id": name, "output_index": 0, "delta": text}


def done(name: str, given: int, output: int) -> Said:
    usage = {"input_tokens": given, "output_tokens": output, "total_tokens": given + output}
    return False, {"type": "response.done", "response": {"id": name, "status": "completed", "usage": usage}}


def test_responses_at_once_keep_apart() -> None:
    said = [(True, CREATE), created("a"), (True, CREATE), created("b"), delta("b"), delta("a"), delta("b")]
    rows = play(session(reader("api.openai.com", "/v1/realtime")), [*said, done("a", 10, 1), done("b", 20, 2)])
    assert counts(rows) == [(10, 1), (20, 2)]
    assert [row.response_id for row in rows] == ["a", "b"]
    assert [row.sizes.request_bytes > 0 for row in rows] == [True, True]


def test_a_response_that_is_seen_at_its_end_only_is_a_row() -> None:
    assert counts(play(session(reader("api.openai.com", "/v1/realtime")), [done("a", 10, 1)])) == [(10, 1)]


def test_responses_that_never_end_are_bounded() -> None:
    one = session(reader("api.openai.com", "/v1/realtime"))
    early = play(one, [created(f"r{number}") for number in range(OPEN + 5)], close=False)
    assert [row.response_id for row in early] == [f"r{number}" for number in range(5)]
    assert len(one.close(Outcome.UPSTREAM_ABORTED, 99.0)) == OPEN


HEARD = "conversation.item.input_audio_transcription"


def test_what_another_model_wrote_down_is_its_own_row() -> None:
    told = {"type": "session.updated", "session": {"model": "talks", "audio": {"input": {"transcription": {}}}}}
    told["session"]["audio"]["input"]["transcription"]["model"] = "listens"  # type: ignore[index]
    heard = {"type": f"{HEARD}.completed", "item_id": "item_1", "transcript": "hello"}
    heard["usage"] = {"type": "tokens", "input_tokens": 7, "output_tokens": 3, "total_tokens": 10}  # type: ignore[assignment]
    said: list[Said] = [(False, told), (True, CREATE), created("a"), (False, heard), delta("a"), done("a", 20, 5)]
    rows = play(session(reader("api.openai.com", "/v1/realtime")), said)
    assert counts(rows) == [(7, 3), (20, 5)]
    assert [(row.api, row.operation) for row in rows] == [
        ("realtime.transcription", "transcription"),
        ("realtime", "chat"),
    ]
    assert [row.model for row in rows] == ["listens", "talks"]


def test_what_could_not_be_written_down_is_not_the_responses_failure() -> None:
    failed = {"type": f"{HEARD}.failed", "item_id": "i", "error": {"type": "transcription_error", "message": "noise"}}
    said: list[Said] = [created("a"), (False, failed), done("a", 20, 5)]
    rows = play(session(reader("api.openai.com", "/v1/realtime")), said)
    assert [(row.outcome, row.error) for row in rows] == [(Outcome.ERROR, "noise"), (Outcome.COMPLETE, None)]


def test_the_model_of_a_deployment_is_in_the_query() -> None:
    url = "wss://r.openai.azure.com/openai/realtime?api-version=1&deployment=gpt-4o-realtime"
    one = session(reader("r.openai.azure.com", "/openai/realtime"), url)
    assert play(one, [created("a"), done("a", 1, 2)])[0].request_model == "gpt-4o-realtime"


def told(text: str = "", thought: bool = False, **beside: Any) -> Said:
    parts = {"modelTurn": {"parts": [{"text": text, "thought": thought}]}} if text else {}
    return False, {"serverContent": {**parts, **beside}}


def used(given: int, output: int, thoughts: int | None = None) -> dict[str, Any]:
    usage = {"promptTokenCount": given, "responseTokenCount": output, "totalTokenCount": given + output}
    return usage if thoughts is None else {**usage, "thoughtsTokenCount": thoughts}


SETUP: list[Said] = [
    (True, {"setup": {"model": "models/gemini-live-2.5"}}),
    (False, {"setupComplete": {}}),
]
ASK: Said = (True, {"clientContent": {"turns": [], "turnComplete": True}})
AUDIO: Said = (True, {"realtimeInput": {"audio": {"data": "AAAA"}}})


def live(*said: Said) -> list[Exchange]:
    return play(session(reader(GEMINI, LIVE_PATH)), [*SETUP, *said])


def test_a_turn_is_a_row_with_thoughts_beside_its_total() -> None:
    end: Said = (False, {"serverContent": {"turnComplete": True}, "usageMetadata": used(1197, 37, 28)})
    (row,) = live(ASK, told("hm", True), told("Hello"), told(generationComplete=True), end)
    assert (row.usage.input_tokens, row.usage.output_tokens, row.usage.reasoning_tokens) == (1197, 65, 28)
    assert row.usage.total_tokens == 1234
    assert row.anomalies == ()
    assert row.model == "gemini-live-2.5"
    assert row.started == pytest.approx(1000.3), "when it was asked for, not when the connection was set up"
    assert row.timing.first_token_ms == pytest.approx(100, abs=1)
    assert row.outcome is Outcome.COMPLETE


def test_usage_that_trails_belongs_to_the_turn_before_though_the_client_goes_on_talking() -> None:
    rows = live(
        *(ASK, told("one"), told(turnComplete=True), AUDIO, (False, {"usageMetadata": used(10, 1)})),
        *(AUDIO, told("two"), told(turnComplete=True), AUDIO, (False, {"usageMetadata": used(20, 2)})),
    )
    assert counts(rows) == [(10, 1), (20, 2)]


def test_a_turn_without_usage_ends_where_the_next_begins() -> None:
    last: Said = (False, {"serverContent": {"turnComplete": True}, "usageMetadata": used(5, 5)})
    rows = live(ASK, told("one"), told(turnComplete=True), ASK, told("two"), told(turnComplete=True), told("3"), last)
    assert counts(rows) == [(None, None), (None, None), (5, 5)]
    assert [row.outcome for row in rows] == [Outcome.COMPLETE] * 3


def test_a_call_of_a_tool_ends_a_turn_and_its_result_asks_for_the_next() -> None:
    call = {"toolCall": {"functionCalls": [{"id": "1", "name": "look", "args": {"at": "x"}}]}}
    end: Said = (False, {"serverContent": {"turnComplete": True}, "usageMetadata": used(30, 3)})
    answered: Said = (True, {"toolResponse": {"functionResponses": []}})
    rows = live(ASK, (False, {**call, "usageMetadata": used(10, 1)}), answered, told("so"), end)
    assert counts(rows) == [(10, 1), (30, 3)]
    assert rows[0].timing.first_token_ms is not None, "arguments that are an object were generated too"


def test_a_connection_that_nobody_reads_is_one_row() -> None:
    (row,) = play(session(UNKNOWN), [(True, {"a": 1}), (False, {"b": 2}), (False, {"c": 3})])
    assert (row.provider, row.api, row.outcome) == (None, None, Outcome.COMPLETE)
