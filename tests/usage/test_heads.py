"""Limits and waits out of response heads, the server's own time and the provider's own price."""

from typing import Any

import pytest

from mitmeter.exchange import Answer, Exchange, Opening, Outcome
from mitmeter.recorder import Recorder
from mitmeter.usage.counts import amount
from mitmeter.usage.heads import MOST, limits, retry_after
from mitmeter.usage.registry import find
from provider.reply import dump

NOON = 1763985600.0  # 2025-11-24T12:00:00Z


@pytest.mark.parametrize(
    ("name", "value", "kept"),
    [
        pytest.param("X-RateLimit-Remaining-Requests", "29999", True, id="a number"),
        pytest.param("x-ratelimit-reset-tokens", "6m0.5s", True, id="a duration"),
        pytest.param("anthropic-ratelimit-tokens-reset", "2025-11-28T09:20:42Z", True, id="a moment"),
        pytest.param("x-ratelimit-abusepenalty-active", "False", True, id="a flag"),
        pytest.param("RateLimit-Policy", '"default";q=100;w=10', True, id="a policy"),
        pytest.param("ratelimit", "limit=100, remaining=50, reset=5", True, id="one field"),
        pytest.param("x-trial-endpoint-call-limit", "10", True, id="a call limit"),
        pytest.param("x-ratelimit-key", "sk-proj-abcdefabcdef", False, id="a key"),
        pytest.param("x-ratelimit-key", "9f8a7b6c5d4e3f2a1b", False, id="a key of digits and letters"),
        pytest.param("ratelimit", "sk-abcdefabcdefabcdefabcdefabcdef", False, id="a key in a structured field"),
        pytest.param("x-ratelimit-limit", "1" * 200, False, id="too long"),
        pytest.param("x-limit", "10", False, id="another limit"),
    ],
)
def test_limits(name: str, value: str, kept: bool) -> None:
    assert limits(((name, value), ("date", "now"))) == ({name.lower(): value} if kept else None)


def test_limits_are_bounded() -> None:
    assert len(limits(tuple((f"x-ratelimit-{number}", "1") for number in range(1000))) or {}) == MOST


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        pytest.param({"Retry-After": "19"}, 19.0, id="seconds"),
        pytest.param({"retry-after-ms": "1500", "retry-after": "2"}, 1.5, id="milliseconds are finer"),
        pytest.param({"retry-after": "0"}, 0.0, id="at once"),
        pytest.param({"retry-after": "Mon, 24 Nov 2025 12:00:30 GMT"}, 30.0, id="a date"),
        pytest.param({"retry-after": "Mon, 24 Nov 2025 11:00:30 GMT"}, 0.0, id="a date that is over"),
        pytest.param(
            {"date": "Mon, 24 Nov 2025 11:00:00 GMT", "retry-after": "Mon, 24 Nov 2025 11:00:30 GMT"},
            30.0,
            id="a date by the server's clock",
        ),
        pytest.param({"date": "now", "retry-after": "Mon, 24 Nov 2025 12:00:30 GMT"}, 30.0, id="a clock that is none"),
        pytest.param({"retry-after": "soon"}, None, id="a word"),
        pytest.param({"retry-after": "-1"}, None, id="below zero"),
        pytest.param({"retry-after": "Mon, 99 Nov 99999 12:00:30 GMT"}, None, id="no date"),
        pytest.param({}, None, id="nothing"),
    ],
)
def test_retry_after(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(tuple(headers.items()), NOON) == seconds


@pytest.mark.parametrize(
    ("value", "read"),
    [(0, 0.0), ("0", 0.0), ("1190", 1190.0), (1.5, 1.5), ("1.11e-05", 1.11e-05), ("gfet4t7; dur=1029", 1029.0)]
    + [(value, None) for value in (True, -1, "x", "", None, {}, float("nan"), float("inf"), "1" * 300, "12 apples")],
)
def test_amount(value: Any, read: float | None) -> None:
    assert amount(value) == read


def recorded(host: str, path: str, body: Any, headers: dict[str, str], status: int = 200) -> Exchange:
    recorder = Recorder(
        Opening(flow_id="f", started=NOON, zero=0.0, method="POST", url=f"https://{host}{path}"),
        find("POST", host, path),
    )
    told = (("content-type", "application/json"), *headers.items())
    recorder.answer(Answer(status=status, headers=told), 0.1)
    recorder.feed(dump(body), 0.2)
    return recorder.close(Outcome.COMPLETE, 0.2)[0]


CHAT = "/v1/chat/completions"
COUNTED = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}


@pytest.mark.parametrize(
    ("host", "path", "usage", "cost"),
    [
        pytest.param("openrouter.ai", "/api" + CHAT, {"cost": 0.0001961}, 0.0001961, id="a number"),
        pytest.param("openrouter.ai", "/api" + CHAT, {"cost": 0}, 0.0, id="free"),
        pytest.param("openrouter.ai", "/api" + CHAT, {"cost": None}, None, id="null"),
        pytest.param("api.perplexity.ai", "/chat/completions", {"cost": {"total_cost": 0.005}}, 0.005, id="an object"),
        pytest.param("api.x.ai", CHAT, {"cost_in_usd_ticks": 6881000}, 0.0006881, id="ticks"),
        pytest.param("gateway.lan", CHAT, {"cost_in_usd_ticks": 1721250}, 0.000172125, id="ticks anywhere"),
        pytest.param("gateway.lan", CHAT, {"cost": {"total_cost": 1.5}}, 1.5, id="an object anywhere"),
        pytest.param("api.openai.com", CHAT, {"cost": 7}, None, id="a host that names no price"),
    ],
)
def test_the_providers_own_price(host: str, path: str, usage: dict[str, Any], cost: float | None) -> None:
    assert recorded(host, path, {"usage": COUNTED | usage}, {}).cost_usd == cost


def test_a_price_in_a_header() -> None:
    assert recorded("gateway.lan", CHAT, {}, {"x-litellm-response-cost": "3.2e-05"}).cost_usd == 3.2e-05


@pytest.mark.parametrize(
    ("host", "path", "body", "headers", "took"),
    [
        pytest.param("api.openai.com", CHAT, {}, {"OpenAI-Processing-MS": "1194"}, 1194.0, id="a header"),
        pytest.param("gateway.lan", CHAT, {}, {"openai-processing-ms": "7"}, 7.0, id="passed on"),
        pytest.param("api.mistral.ai", CHAT, {}, {"x-envoy-upstream-service-time": "1715"}, 1715.0, id="envoy"),
        pytest.param(
            "bedrock-runtime.us-east-1.amazonaws.com",
            "/model/m/converse",
            {"metrics": {"latencyMs": 587}},
            {},
            587.0,
            id="milliseconds in a body",
        ),
        pytest.param("api.groq.com", "/openai" + CHAT, {"usage": {"total_time": 0.25}}, {}, 250.0, id="seconds"),
        pytest.param(
            "gateway.lan", "/api/chat", {"total_duration": 4_000_000, "done": True}, {}, 4.0, id="nanoseconds"
        ),
        pytest.param("api.openai.com", CHAT, {}, {}, None, id="nobody says"),
    ],
)
def test_the_servers_own_time(
    host: str, path: str, body: dict[str, Any], headers: dict[str, str], took: float | None
) -> None:
    assert recorded(host, path, body, headers).server_ms == took


def test_a_refusal_says_when_to_come_again() -> None:
    head = {"retry-after": "2", "x-ratelimit-remaining-requests": "0"}
    row = recorded("api.openai.com", CHAT, {"error": {"type": "rate_limit", "message": "slow down"}}, head, 429)
    assert (row.outcome, row.error_type, row.error) == (Outcome.ERROR, "rate_limit", "slow down")
    assert (row.retry_after_s, row.limits) == (2.0, {"x-ratelimit-remaining-requests": "0"})
