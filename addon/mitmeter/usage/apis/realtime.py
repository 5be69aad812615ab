"""The Realtime API: many responses on one WebSocket, each with the usage of the whole conversation so far.

Responses may be under way at once. What the client said is written down by another model, whose usage is its own bill:
`TRANSCRIBED`, a row of its own. An error event is about a client's message, a response says itself that it failed.

https://platform.openai.com/docs/api-reference/realtime-server-events/response/done
https://platform.openai.com/docs/api-reference/realtime-server-events/conversation/item/input_audio_transcription
https://platform.openai.com/docs/guides/realtime-websocket
https://github.com/openai/codex/tree/main/codex-rs (the Responses API over a WebSocket)
"""

from mitmeter.usage.apis.chat import COUNTS
from mitmeter.usage.apis.responses import GOING_ON, PROMPT, RESPONSES
from mitmeter.usage.dialect import Dialect, Part, Socket
from mitmeter.usage.prompt import Place

_BLOCK = ("output_index",)
_HEARD = "conversation.item.input_audio_transcription"

TRANSCRIBED = Dialect(
    api="realtime.transcription",
    operation="transcription",
    paths=(),
    usage=("usage",),
    counts=COUNTS,
    model=(),
    response_id=("item_id",),
    parts=(Part("text", "transcript"),),
    ends=(f"{_HEARD}.completed", f"{_HEARD}.failed"),
)

REALTIME = Dialect(
    api="realtime",
    operation="chat",
    paths=(r"(^|/)(v\d+|openai|openai/v\d+)/realtime",),
    methods=("GET",),
    usage=("usage", "response.usage"),
    counts=COUNTS.also(
        cache_read_tokens=("input_token_details.cached_tokens",),
        reasoning_tokens=("output_token_details.reasoning_tokens",),
    ),
    model=("response.model",),
    finish=("response.status_details.reason", "response.status"),
    response_id=("response.id",),
    errors=("error", "response.status_details.error"),
    parts=(
        Part("text", "delta", ("response.text.delta", "response.output_text.delta"), _BLOCK),
        Part("text", "delta", ("response.audio_transcript.delta", "response.output_audio_transcript.delta"), _BLOCK),
        Part("media", "delta", ("response.audio.delta", "response.output_audio.delta"), _BLOCK, medium="audio"),
        Part("tool", "item.name", ("response.output_item.added",), _BLOCK),
        Part("arguments", "delta", ("response.function_call_arguments.delta",), _BLOCK),
    ),
    prompt=PROMPT.but(
        places=(
            Place("system", "session.instructions"),
            Place("user", "item", turns=True),
            Place("user", "audio", kind="audio"),
            Place("system", "response.instructions"),
            Place("user", "response.input", turns=True),
        )
    ),
    ends=("response.done",),
    unsettled=GOING_ON,
    socket=Socket(
        asks=("response.create",),
        begins=("response.created",),
        errors_end=False,
        thread=("response_id", "response.id"),
        model=("session.model",),
        query_model=("model", "deployment"),
        aside=TRANSCRIBED,
        aside_model=("session.audio.input.transcription.model", "session.input_audio_transcription.model"),
    ),
)

RESPONSES_SOCKET = RESPONSES.but(
    methods=("GET",),
    socket=Socket(asks=("response.create",), begins=("response.created",), model=("model",)),
)
