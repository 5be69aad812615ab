"""One response read message by message: tokens, first and last generated token, end, errors."""

import pytest
from streams import CHAT, ENGINE, MESSAGES, RESPONSES, ROLE, START, TEXT, block, delta, dialect, event, messages, read

from mitmeter.usage.dialect import Dialect
from mitmeter.usage.reading import Reading
from mitmeter.usage.telling import telling, tells


@pytest.mark.parametrize(
    ("reader", "payloads", "first", "last"),
    [
        pytest.param(CHAT, [ROLE, delta(content="a"), delta(content="b"), "[DONE]"], 2, 3, id="chat: text"),
        pytest.param(CHAT, [ROLE, delta(reasoning_content="hm"), delta(content="a")], 2, 3, id="chat: reasoning"),
        pytest.param(CHAT, [ROLE, delta(reasoning="hm")], 2, 2, id="chat: reasoning, the other name"),
        pytest.param(CHAT, [ROLE, delta(refusal="no")], 2, 2, id="chat: refusal"),
        pytest.param(
            CHAT,
            [
                ROLE,
                delta(tool_calls=[{"index": 0, "id": "c", "function": {"name": "f", "arguments": ""}}]),
                delta(tool_calls=[{"index": 0, "function": {"arguments": '{"'}}]),
            ],
            3,
            3,
            id="chat: a tool's argument, not its name",
        ),
        pytest.param(CHAT, [ROLE, delta(), delta(content=None), "[DONE]"], None, None, id="chat: nothing generated"),
        pytest.param(CHAT, ['{"choices":[],"model":""}', ROLE], None, None, id="chat: filter and role chunks"),
        pytest.param(TEXT, ['{"choices":[{"text":""}]}', '{"choices":[{"text":"a"}]}'], 2, 2, id="completions"),
        pytest.param(
            MESSAGES,
            [
                START,
                event("ping"),
                event("content_block_start", index=0, content_block={"type": "text", "text": ""}),
                block("text_delta", text="Hi"),
                event("content_block_stop", index=0),
            ],
            4,
            4,
            id="messages: text",
        ),
        pytest.param(MESSAGES, [START, block("thinking_delta", thinking="hm")], 2, 2, id="messages: thinking"),
        pytest.param(MESSAGES, [START, block("signature_delta", signature="x")], None, None, id="messages: signature"),
        pytest.param(
            MESSAGES,
            [
                event("content_block_start", index=0, content_block={"type": "tool_use", "name": "f", "input": {}}),
                block("input_json_delta", partial_json=""),
                block("input_json_delta", partial_json='{"'),
            ],
            3,
            3,
            id="messages: a tool's input, not its name",
        ),
        pytest.param(
            RESPONSES,
            [
                event("response.created", response={"status": "in_progress"}),
                event("response.output_item.added", output_index=0, item={"type": "message"}),
                event("response.content_part.added", part={"type": "output_text", "text": ""}),
                event("response.output_text.delta", output_index=0, delta="Hello"),
                event("response.output_text.done", output_index=0, text="Hello"),
            ],
            4,
            4,
            id="responses: text",
        ),
        pytest.param(
            RESPONSES, [event("response.reasoning_summary_text.delta", delta="hm")], 1, 1, id="responses: reasoning"
        ),
        pytest.param(
            RESPONSES,
            [
                event("response.output_item.added", item={"type": "function_call", "name": "f", "arguments": ""}),
                event("response.function_call_arguments.delta", delta="{"),
            ],
            2,
            2,
            id="responses: a tool's argument, not its name",
        ),
        pytest.param(ENGINE, ['{"content":"","stop":false}', '{"content":"a","stop":false}'], 2, 2, id="completion"),
    ],
)
def test_generated_tokens(reader: Dialect, payloads: list[str], first: int | None, last: int | None) -> None:
    reading = read(reader, payloads)
    assert (reading.first_end, reading.last_end) == (first, last)


def test_a_document_has_no_first_token() -> None:
    reading = Reading(CHAT, streaming=False)
    reading.feed(messages([delta(content="a")]))
    assert reading.first_end is None


@pytest.mark.parametrize(
    ("reader", "payloads", "ended"),
    [
        pytest.param(CHAT, [delta(content="a"), "[DONE]"], True, id="chat: done"),
        pytest.param(CHAT, ["[DONE]"], True, id="chat: done at once"),
        pytest.param(CHAT, [delta(content="a")], False, id="chat: cut"),
        pytest.param(CHAT, [delta(content="[DONE]")], False, id="chat: done as text"),
        pytest.param(MESSAGES, [START, block("text_delta", text="x"), event("message_stop")], True, id="messages: end"),
        pytest.param(MESSAGES, [START, block("text_delta", text="message_stop")], False, id="messages: stop as text"),
        pytest.param(RESPONSES, [event("response.completed", response={})], True, id="responses: completed"),
        pytest.param(RESPONSES, [event("response.incomplete", response={})], True, id="responses: incomplete"),
        pytest.param(RESPONSES, [event("response.output_text.delta", delta="x")], False, id="responses: cut"),
    ],
)
def test_the_end_of_a_stream(reader: Dialect, payloads: list[str], ended: bool) -> None:
    assert read(reader, payloads).ended is ended


@pytest.mark.parametrize(
    ("reader", "payloads", "error"),
    [
        pytest.param(
            CHAT,
            [delta(content="a"), '{"error":{"message":"boom","type":"server_error"}}'],
            ("server_error", "boom"),
            id="chat",
        ),
        pytest.param(CHAT, [delta(content="a"), '{"error":"boom"}'], (None, "boom"), id="chat: a string"),
        pytest.param(
            CHAT, ['{"object":"error","message":"m","code":"3051"}'], ("3051", "m"), id="chat: an object of type error"
        ),
        pytest.param(CHAT, ['[{"error":{"message":"m","status":"S"}}]'], ("S", "m"), id="chat: in an array"),
        pytest.param(TEXT, ['{"choices":[{"text":"a"}]}', '{"error":{"message":"m"}}'], (None, "m"), id="completions"),
        pytest.param(
            MESSAGES,
            [
                START,
                block("text_delta", text="x"),
                '{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}',
            ],
            ("overloaded_error", "Overloaded"),
            id="messages",
        ),
        pytest.param(
            RESPONSES,
            [
                event("response.output_text.delta", delta="x"),
                event("response.failed", response={"status": "failed", "error": {"code": "c", "message": "m"}}),
            ],
            ("c", "m"),
            id="responses: failed",
        ),
        pytest.param(RESPONSES, [event("error", code="c", message="m")], ("c", "m"), id="responses: error event"),
        pytest.param(ENGINE, ['{"content":"x"}', '{"error":{"code":500,"message":"m"}}'], (None, "m"), id="completion"),
    ],
)
def test_errors_inside_a_stream(reader: Dialect, payloads: list[str], error: tuple[str | None, str | None]) -> None:
    reading = read(reader, payloads)
    assert reading.failed
    assert (reading.error_type, reading.error) == error


@pytest.mark.parametrize(
    ("reader", "payload"),
    [
        pytest.param(CHAT, '{"choices":[],"error":null}', id="null"),
        pytest.param(CHAT, '{"choices":[],"error":{}}', id="empty"),
        pytest.param(CHAT, '{"choices":[],"message":"fine","code":"x"}', id="a message of its own"),
        pytest.param(CHAT, delta(content='{"error":{"message":"x"}}'), id="as text"),
        pytest.param(RESPONSES, event("response.completed", response={"error": None}), id="responses: null"),
    ],
)
def test_no_error(reader: Dialect, payload: str) -> None:
    reading = read(reader, [delta(content="a"), payload])
    assert not reading.failed and reading.error is None


@pytest.mark.parametrize(
    ("payloads", "model"),
    [
        pytest.param(['{"choices":[],"model":""}', '{"choices":[],"model":"real"}'], "real", id="empty at first"),
        pytest.param(['{"choices":[],"model":null}', '{"model":"m"}'], "m", id="null at first"),
        pytest.param(['{"model":"a"}', '{"model":"b"}'], "a", id="the first that says it"),
        pytest.param(['{"choices":[]}'], None, id="none"),
        pytest.param(['{"model":["x"]}', '{"model":{"a":1}}'], None, id="no text"),
    ],
)
def test_model(payloads: list[str], model: str | None) -> None:
    assert read(CHAT, payloads).model == model


USAGE = '"usage":{"prompt_tokens":4,"completion_tokens":5}'


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param("{" + USAGE + "}", id="plain"),
        pytest.param('{"choices":[],' + USAGE + "}", id="without choices"),
        pytest.param('{"choices":[{"delta":{"content":"x"}}],' + USAGE + "}", id="beside a delta"),
        pytest.param('{"usage" : {"prompt_tokens":4,"completion_tokens":5}}', id="space before the colon"),
        pytest.param('{"usage":\n {"prompt_tokens":4,"completion_tokens":5}}', id="line after the colon"),
        pytest.param('{"\\u0075sage":{"prompt_tokens":4,"completion_tokens":5}}', id="an escaped name"),
        pytest.param('{"x":{"usage":null},' + USAGE + "}", id="behind a null of that name"),
        pytest.param('{"x":{"usage": null},' + USAGE + "}", id="behind a spaced null"),
        pytest.param('{"choices":[{"delta":{"content":"\\"usage\\":null"}}],' + USAGE + "}", id="behind text like it"),
    ],
)
def test_usage_is_seen_after_the_first_token(payload: str) -> None:
    """Deltas after the first token are passed over unread; what tells something is not."""
    deltas = [delta(content=word) for word in "abcdefgh"]
    usage = read(CHAT, [ROLE, *deltas, payload, *deltas]).usage({})[0]
    assert (usage.input_tokens, usage.output_tokens, usage.source) == (4, 5, "body")


@pytest.mark.parametrize(
    ("payload", "told"),
    [
        pytest.param('{"usage":null}', False, id="null"),
        pytest.param('{"usage": null}', False, id="spaced null"),
        pytest.param('{"usage":null,"x":{"usage":1}}', True, id="null, then a value"),
        pytest.param('{"finish_reason":"stop"}', True, id="finish"),
        pytest.param('{"delta":{"content":"text"}}', False, id="a delta"),
        pytest.param('{"content":"\\u0075"}', True, id="an escape might be a name"),
    ],
)
def test_tells(payload: str, told: bool) -> None:
    assert tells(payload.encode(), telling(CHAT)) is told


def test_several_choices() -> None:
    """The prompt is counted once, the engine's usage for each choice is a repetition."""
    parts = [
        '{"choices":[{"index":0,"delta":{"content":"a"}}]}',
        '{"choices":[{"index":1,"delta":{"content":"b"}}]}',
        '{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}',
        '{"choices":[{"index":1,"delta":{},"finish_reason":"length"}]}',
        '{"choices":[],"usage":{"prompt_tokens":4,"completion_tokens":2}}',
        '{"choices":[],"usage":{"prompt_tokens":4,"completion_tokens":2}}',
    ]
    reading = read(CHAT, parts)
    usage = reading.usage({})[0]
    assert (usage.input_tokens, usage.output_tokens, reading.finish) == (4, 2, "length")
    assert (reading.first_end, reading.last_end) == (1, 2)


def test_the_last_token_is_found_among_what_was_passed_over() -> None:
    deltas = [delta(content=f'{at} \\ "') for at in range(200)]
    reading = read(CHAT, [ROLE, *deltas, delta(), delta(), "[DONE]"])
    assert (reading.first_end, reading.last_end) == (2, 201)


def test_what_is_no_json_is_flagged_once() -> None:
    assert read(CHAT, ["nonsense", "{", "more"]).anomalies == ["not_json"]


def test_a_dialect_that_does_not_consume_counts_nothing() -> None:
    reading = read(dialect("/v1/messages/count_tokens"), ['{"input_tokens":14,"usage":{"input_tokens":14}}'])
    assert reading.usage({})[0].input_tokens is None
