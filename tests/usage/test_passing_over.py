"""Deltas that are passed over unread change nothing in what is read, and no message raises."""

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from streams import CHAT, ENGINE, MESSAGES, RESPONSES, START, block, delta, event, messages

from mitmeter.exchange import Message
from mitmeter.usage.dialect import Dialect
from mitmeter.usage.reading import Reading

PIECES = st.sampled_from(
    (
        delta(content="plain"),
        delta(content="plain 2"),
        delta(content='q"uote'),
        delta(content="back\\"),
        delta(content="é😀"),
        delta(content="\x00"),
        delta(content=""),
        delta(),
        delta(reasoning_content="hm"),
        delta(reasoning_content="hm 2"),
        delta(role="assistant", content="x"),
        delta(tool_calls=[{"index": 0, "function": {"arguments": "{"}}]),
        delta(tool_calls=[{"index": 1, "function": {"arguments": "12"}}]),
        delta(content="x")[:-1] + ',"usage":null}',
        delta(content="x")[:-1] + ',"usage":{"prompt_tokens":3,"completion_tokens":4}}',
        delta(content='"usage":{"prompt_tokens":99}'),
        '{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}',
        '{"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2}}',
        "nonsense",
    )
)


WORDS = st.sampled_from(
    ("a", "b c", "", 'q"', "back\\", "é😀", "\x00", "[DONE]", '"usage":{"x":1}', "\\u0041", "}", "0")
)
BLOCKS = st.one_of(
    WORDS.map(lambda word: block("text_delta", text=word)),
    WORDS.map(lambda word: block("thinking_delta", thinking=word)),
    WORDS.map(lambda word: block("input_json_delta", partial_json=word)),
    WORDS.map(lambda word: block("signature_delta", signature=word)),
    st.sampled_from(
        (
            START,
            event("ping"),
            event("content_block_stop", index=0),
            event("message_delta", delta={"stop_reason": "end_turn"}, usage={"output_tokens": 15}),
            event("message_delta", delta={"stop_reason": None}, usage={"output_tokens": 16, "input_tokens": 10}),
            event("message_stop"),
            event("error", error={"type": "t", "message": "m"}),
        )
    ),
)
NUMBERS = st.integers(0, 2)
TYPED = st.one_of(
    st.builds(
        lambda kind, word, number, padding: event(
            f"response.{kind}.delta", output_index=0, sequence_number=number, delta=word, obfuscation=padding
        ),
        st.sampled_from(("output_text", "reasoning_summary_text", "function_call_arguments", "unknown")),
        WORDS,
        NUMBERS,
        WORDS,
    ),
    st.sampled_from(
        (
            event("response.created", response={"status": "in_progress", "model": "m", "usage": None}),
            event("response.output_text.done", output_index=0, text="all of it"),
            event("response.completed", response={"status": "completed", "usage": {"input_tokens": 3}}),
            event("response.failed", response={"status": "failed", "error": {"code": "c", "message": "m"}}),
        )
    ),
)


def facts(reading: Reading) -> tuple[Any, ...]:
    told = (reading.reported() or {}).get("usage")
    ends = (reading.first_end, reading.last_end)
    return (*ends, reading.model, reading.finish, told, reading.ended, reading.failed, reading.error)


def one_by_one(reader: Dialect, told: list[Message]) -> tuple[Any, ...]:
    """What the messages say when each of them is the first of a reading of its own, put together."""
    first = last = model = finish = usage = error = None
    ended = failed = False
    for message in told:
        reading = Reading(reader, streaming=True)
        reading.feed([message])
        first, last = first or reading.first_end, reading.last_end or last
        model, finish = model or reading.model, reading.finish or finish
        snapshot = (reading.reported() or {}).get("usage")
        usage = snapshot if usage is None else usage if snapshot is None else reader.fold(usage, snapshot)
        ended, failed = ended or reading.ended, failed or reading.failed
        error = reading.error or error
    return first, last, model, finish, usage, ended, failed, error


@settings(deadline=None)
@given(st.data(), st.sampled_from(((CHAT, PIECES), (MESSAGES, BLOCKS), (RESPONSES, TYPED))))
def test_passing_over_changes_nothing(data: st.DataObject, spoken: tuple[Dialect, st.SearchStrategy[str]]) -> None:
    """Whatever comes, in whatever order and batches, reads as if every message had been read on its own."""
    reader, pieces = spoken
    told = messages(data.draw(st.lists(pieces, max_size=40) | st.lists(data.draw(pieces.map(st.just)), max_size=40)))
    cuts = data.draw(st.lists(st.integers(0, len(told)), max_size=4))
    reading = Reading(reader, streaming=True)
    for start, end in pairwise((0, *sorted(cuts), len(told))):
        reading.feed(told[start:end])
    reading.close()
    assert facts(reading) == one_by_one(reader, told)


@given(st.lists(st.binary(max_size=40) | PIECES.map(str.encode), max_size=12))
@pytest.mark.parametrize("reader", [CHAT, MESSAGES, RESPONSES, ENGINE], ids=["chat", "messages", "responses", "engine"])
def test_nothing_raises(reader: Dialect, payloads: list[bytes]) -> None:
    reading = Reading(reader, streaming=True)
    reading.feed(Message(payload, b"", at) for at, payload in enumerate(payloads, 1))
    reading.close()
    reading.usage({})
    reading.reported()


@pytest.mark.parametrize(
    ("reader", "payloads"),
    [
        pytest.param(
            CHAT, [delta(content="a"), delta(role="x", reasoning_content="hm"), delta(content="b")], id="chat"
        ),
        pytest.param(
            MESSAGES,
            [START, block("text_delta", text="a"), block("thinking_delta", thinking="hm"), event("message_stop")],
            id="messages",
        ),
        pytest.param(
            RESPONSES,
            [event("response.output_text.delta", delta="a"), event("response.reasoning_text.delta", delta="hm")],
            id="responses, by its type alone",
        ),
    ],
)
def test_thinking_after_the_first_text_is_seen(reader: Dialect, payloads: list[str]) -> None:
    reading = Reading(reader, streaming=True)
    reading.feed(messages(payloads))
    reading.close()
    assert reading.thought


def test_text_alone_is_no_thinking() -> None:
    reading = Reading(CHAT, streaming=True)
    reading.feed(messages([delta(content=word, reasoning_content=None) for word in "abcdefgh"]))
    reading.close()
    assert not reading.thought
