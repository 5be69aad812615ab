"""Streams of which most is passed over unseen are read as if each message had been read on its own."""

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mitmeter.exchange import Answer, Exchange, Opening, Outcome
from mitmeter.recorder import Recorder
from mitmeter.usage.registry import find

CHAT = "/v1/chat/completions"
MESSAGES = "/v1/messages"


def chat(delta: str, more: str = "") -> str:
    return f'{{"id":"c","model":"m","choices":[{{"index":0,"delta":{delta},"finish_reason":null}}]{more}}}'


def said(text: str) -> str:
    return f'{{"type":"content_block_delta","index":0,"delta":{{"type":"text_delta","text":"{text}"}}}}'


SPOKEN: dict[str, tuple[str, ...]] = {
    CHAT: (
        chat('{"role":"assistant","content":""}'),
        chat('{"content":"plain"}'),
        chat('{"content":"é \\\\u00e9 \\\\n \\\\"usage\\\\":{}"}'),
        chat('{"content": "spaced"}', ', "usage": null'),
        chat('{"reasoning_content":"hm"}'),
        chat("{}"),
        chat('{"content":"x"}', ',"usage":{"prompt_tokens":3,"completion_tokens":4}'),
        chat('{"content":"x"}', ',"us\\\\u0061ge":{"prompt_tokens":5}'),
        chat('{"content":"x"}', ', "usage" : {"completion_tokens":9}'),
        '{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}',
        '{"choices":[],"usage":\\n{"prompt_tokens":1,"completion_tokens":2}}',
        '{"choices":[],\\n"usage"\\n:{"prompt_tokens":7}}',
        '{"error":{"type":"t","message":"m"}}',
        "[DONE]",
        "",
        "nonsense",
    ),
    MESSAGES: (
        '{"type":"message_start","message":{"id":"i","model":"m","usage":{"input_tokens":5,"output_tokens":1}}}',
        '{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}',
        said("plain"),
        said("back\\\\\\\\"),
        '{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"hm"}}',
        '{"type": "ping"}',
        '{"type":"content_block_stop","index":0}',
        '{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":15}}',
        '{"type":"message_stop"}',
    ),
}


def framed(payload: str, style: str) -> str:
    if style == "lines":
        return payload.replace("\\\\", "\\").replace("\\n", " ") + "\n"
    end = "\r\n" if style == "crlf" else "\n"
    lines = payload.replace("\\\\", "\0").replace("\\n", end + "data: ").replace("\0", "\\")
    return f"data: {lines}{end}{end}"


def recorded(path: str, style: str, frames: list[bytes], cuts: list[int]) -> Exchange:
    match = find("POST", "host.invalid", path)
    opening = Opening(flow_id="f", started=1.0, zero=0.0, method="POST", url=f"http://host.invalid{path}")
    recorder = Recorder(opening, match)
    kind = "application/x-ndjson" if style == "lines" else "text/event-stream"
    recorder.answer(Answer(status=200, headers=(("content-type", kind),)), 0.0)
    timed = [(frame, float(at)) for at, frame in enumerate(frames, 1)]
    for start, end in pairwise((0, *cuts, len(timed))):
        recorder.feed_all(timed[start:end])
    return recorder.close(Outcome.CLIENT_ABORTED, len(frames) + 1.0)[0]


def facts(row: Exchange) -> tuple[Any, ...]:
    return row.model, row.finish, row.usage, row.timing, row.outcome, row.error, row.response_id, row.anomalies


@settings(deadline=None, max_examples=300)
@given(st.data(), st.sampled_from(tuple(SPOKEN)), st.sampled_from(("lf", "crlf", "lines")))
def test_batches_change_nothing(data: st.DataObject, path: str, style: str) -> None:
    piece = st.sampled_from(SPOKEN[path])
    runs = data.draw(st.lists(st.tuples(piece, st.integers(1, 6)), max_size=10))
    frames = [framed(payload, style).encode() for payload, times in runs for _ in range(times)]
    cuts = sorted(data.draw(st.lists(st.integers(0, len(frames)), max_size=3)))
    apart = recorded(path, style, frames, list(range(1, len(frames))))
    assert facts(recorded(path, style, frames, cuts)) == facts(apart)


@pytest.mark.parametrize("pings", [0, 1, 40], ids=lambda number: f"{number} pings")
def test_the_last_token_is_found_behind_what_tells_nothing(pings: int) -> None:
    start, begin, text, *_, ping, stop, told, end = SPOKEN[MESSAGES]
    payloads = [start, begin, *[text] * 100, stop, *[ping] * pings, told, end]
    frames = [framed(payload, "lf").encode() for payload in payloads]
    row = recorded(MESSAGES, "lf", frames, [])
    assert row.timing.tokens_per_second == round(14 / 99, 3)
