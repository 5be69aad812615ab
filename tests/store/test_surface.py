"""The JSON object of a row: keys, their order, times and roundings."""

import json
from typing import Any

import pytest

from mitmeter.exchange import Client, Exchange, Outcome, Sizes, Timing, Usage
from mitmeter.store.rows import Row
from mitmeter.store.surface import to_json

# DESIGN.md, section 5, with `rate_source`, and with what an exchange has beyond that at the end.
PUBLISHED = """
{"id": 12, "flow_id": "f-1", "started": "2026-11-22T10:00:00.123456Z", "method": "POST", "host": "api.anthropic.com",
 "path": "/v1/messages", "provider": "anthropic", "api": "messages", "operation": "chat",
 "model": "claude-sonnet-4-5-20250929", "request_model": "claude-sonnet-4-5", "stream": true, "status": 200,
 "content_type": "text/event-stream", "outcome": "complete", "error": null, "finish": "end_turn",
 "service_tier": "standard",
 "usage": {"input_tokens": 4321, "output_tokens": 29, "cache_read_tokens": 4000, "cache_write_tokens": 300,
           "reasoning_tokens": null, "total_tokens": null, "draft_tokens": null, "draft_accepted_tokens": null,
           "source": "body"},
 "timing": {"duration_ms": 1257.0, "headers_ms": 5.1, "first_byte_ms": 102.0, "first_token_ms": 153.235,
            "prompt_per_second": null, "tokens_per_second": 26.3, "rate_source": "wire"},
 "sizes": {"request_bytes": 2048, "response_bytes": 5120, "decoded_bytes": 21034},
 "credential": "k_9f2c1a7b", "client": {"address": "127.0.0.1", "agent": "drive/1"}, "anomalies": [],
 "has_capture": true, "error_type": null, "response_id": "msg_1", "reported": {"usage": {"input_tokens": 21}},
 "cost_usd": null, "server_ms": 1190.0, "retry_after_s": null, "limits": {"x-ratelimit-remaining-requests": "99"},
 "session": "s_5f1d0c62a9b3e784", "cost_source": null}
"""

EXCHANGE = Exchange(
    flow_id="f-1",
    started=1795341600.123456,
    method="POST",
    host="api.anthropic.com",
    path="/v1/messages",
    provider="anthropic",
    api="messages",
    operation="chat",
    model="claude-sonnet-4-5-20250929",
    request_model="claude-sonnet-4-5",
    stream=True,
    status=200,
    content_type="text/event-stream",
    outcome=Outcome.COMPLETE,
    finish="end_turn",
    service_tier="standard",
    response_id="msg_1",
    usage=Usage(input_tokens=4321, output_tokens=29, cache_read_tokens=4000, cache_write_tokens=300, source="body"),
    timing=Timing(
        duration_ms=1257.0,
        headers_ms=5.1,
        first_byte_ms=102.00004,
        first_token_ms=153.23499,
        tokens_per_second=26.3,
        rate_source="wire",
    ),
    sizes=Sizes(request_bytes=2048, response_bytes=5120, decoded_bytes=21034),
    credential="k_9f2c1a7b",
    client=Client(address="127.0.0.1", agent="drive/1"),
    reported={"usage": {"input_tokens": 21}},
    server_ms=1190.0,
    limits={"x-ratelimit-remaining-requests": "99"},
    session="s_5f1d0c62a9b3e784",
)
BARE = Exchange(flow_id="f", started=0.0, method="GET", host="h", path="/")


def test_the_published_object_in_the_published_order() -> None:
    found = to_json(Row(12, EXCHANGE, True))
    assert json.dumps(found) == json.dumps(json.loads(PUBLISHED))


def test_absent_is_null_and_anomalies_a_list() -> None:
    found = to_json(Row(1, BARE, False))
    assert found["usage"] == dict.fromkeys(Usage.__struct_fields__)
    assert (found["anomalies"], found["has_capture"], found["reported"]) == ([], False, None)


def test_plain_values_only() -> None:
    found = to_json(Row(1, BARE, False))
    assert type(found["outcome"]) is str
    assert json.loads(json.dumps(found)) == found


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        pytest.param(0.0, "1970-01-01T00:00:00.000000Z", id="the epoch"),
        pytest.param(1795341600.0, "2026-11-22T10:00:00.000000Z", id="a whole second keeps its microseconds"),
        pytest.param(-1.5, "1969-12-31T23:59:58.500000Z", id="before the epoch"),
        pytest.param(1e300, None, id="beyond the calendar"),
        pytest.param(float("nan"), None, id="no time"),
    ],
)
def test_started(seconds: float, text: str | None) -> None:
    exchange = Exchange(flow_id="f", started=seconds, method="GET", host="h", path="/")
    found: dict[str, Any] = to_json(Row(1, exchange, False))
    assert found["started"] == text
