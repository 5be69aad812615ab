"""Bodies of our own, `own.jsonl`: for each provider and trap the smallest that shows it, read whole and byte by byte.

A line is a request's place, what the answer was, and all that a row has to say of it: what is not in `want` is null.
They were written after the documentation that the provider's file links, and after what was seen on the wire.
"""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from mitmeter.exchange import Answer, Exchange, Opening, Outcome
from mitmeter.recorder import Recorder
from mitmeter.usage.registry import find

CASES = [json.loads(line) for line in Path(__file__).with_name("own.jsonl").read_text(encoding="utf-8").splitlines()]


def body(case: dict[str, Any]) -> bytes:
    if "body" in case:
        return json.dumps(case["body"]).encode()
    return base64.b64decode(case["base64"]) if "base64" in case else case["text"].encode()


def record(case: dict[str, Any], size: int) -> Exchange:
    host, _, path = case["url"].partition("/")
    asked = json.dumps(case.get("asked", {"model": "asked"})).encode()
    kind = case.get("type", "application/json" if "body" in case else "text/event-stream")
    opening = Opening(
        flow_id="f",
        started=1e9,
        zero=0.0,
        method="POST",
        url=f"https://{host}/{path}",
        headers=(("content-type", "application/json"),),
        body=asked,
    )
    recorder = Recorder(opening, find("POST", host.partition(":")[0], "/" + path.partition("?")[0]))
    headers = (("content-type", kind), *case.get("headers", {}).items())
    recorder.answer(Answer(status=case.get("status", 200), headers=headers), 0.1)
    whole = body(case)
    for at in range(0, len(whole), size):
        recorder.feed(whole[at : at + size], 0.2)
    return recorder.close(Outcome(case.get("ended", "complete")), 0.3)[0]


def told(row: Exchange) -> dict[str, Any]:
    """All that a row says of its answer."""
    usage, timing = row.usage, row.timing
    said = {
        "provider": row.provider,
        "api": row.api,
        "model": row.model,
        "input": usage.input_tokens,
        "output": usage.output_tokens,
        "cache_read": usage.cache_read_tokens,
        "cache_write": usage.cache_write_tokens,
        "reasoning": usage.reasoning_tokens,
        "total": usage.total_tokens,
        "source": usage.source,
        "drafted": usage.draft_tokens,
        "finish": row.finish,
        "tier": row.service_tier,
        "id": row.response_id,
        "outcome": row.outcome.value,
        "error": row.error,
        "error_type": row.error_type,
        "server_ms": row.server_ms,
        "cost": row.cost_usd,
        "prompt_rate": timing.prompt_per_second,
        "rate": timing.tokens_per_second,
        "first_token_ms": timing.first_token_ms,
        "retry_s": row.retry_after_s,
        "limits": row.limits,
        "anomalies": list(row.anomalies) or None,
    }
    return {name: value for name, value in said.items() if value is not None}


@pytest.mark.parametrize("case", [pytest.param(case, id=case["name"]) for case in CASES])
def test_what_is_said_is_read_and_nothing_else(case: dict[str, Any]) -> None:
    for size in (1 << 20, 1):
        found = told(record(case, size))
        assert found == {
            name: pytest.approx(value) if isinstance(value, float) else value for name, value in case["want"].items()
        }


def test_no_two_cases_share_a_name() -> None:
    names = [case["name"] for case in CASES]
    assert len(set(names)) == len(names) >= 100
