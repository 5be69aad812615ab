"""The Responses API: typed events in a stream, `usage` in the response object of the last one.

https://platform.openai.com/docs/api-reference/responses/object
https://platform.openai.com/docs/api-reference/responses-streaming
"""

from mitmeter.usage.apis.chat import CACHE_KEY, COUNTS
from mitmeter.usage.dialect import Dialect, Named, Part
from mitmeter.usage.prompt import Place, Prompt, Shape

_BLOCK = ("output_index",)

DELTAS = (
    Part("text", "delta", ("response.output_text.delta", "response.refusal.delta"), _BLOCK),
    Part(
        "thinking",
        "delta",
        ("response.reasoning_text.delta", "response.reasoning_summary_text.delta", "response.reasoning.delta"),
        _BLOCK,
    ),
    Part("tool", "item.name", ("response.output_item.added",), _BLOCK),
    Part(
        "arguments",
        "delta",
        (
            "response.function_call_arguments.delta",
            "response.custom_tool_call_input.delta",
            "response.mcp_call_arguments.delta",
            "response.code_interpreter_call_code.delta",
        ),
        _BLOCK,
    ),
    Part("media", "delta", ("response.audio.delta", "response.output_audio.delta"), _BLOCK, medium="audio"),
    Part("text", "delta", ("response.audio.transcript.delta", "response.output_audio_transcript.delta"), _BLOCK),
    Part("media", "partial_image_b64", ("response.image_generation_call.partial_image",), _BLOCK, medium="image"),
)

_CALLS = ("computer", "custom_tool", "function", "local_shell", "shell", "apply_patch", "tool_search")
_SERVED = ("code_interpreter", "file_search", "image_generation", "mcp", "web_search")

PROMPT = Prompt(
    places=(Place("system", "instructions"), Place("system", "prompt"), Place("user", "input", turns=True)),
    answer=(Place("assistant", "output", turns=True),),
    summary="response",
    continues=("previous_response_id", "conversation"),
    roles=(("developer", "system"),),
    shapes=(
        Shape("text", ("text",), ("input_text", "output_text", "summary_text", "reasoning_text", "text")),
        Shape("text", ("refusal",), ("refusal",)),
        Shape("image", ("image_url", "file_id"), ("input_image",)),
        Shape("file", ("file_data", "file_url", "file_id"), ("input_file",), name=("filename",)),
        Shape(
            "audio",
            ("input_audio.data", "audio", "transcript"),
            ("input_audio", "output_audio", "audio"),
            media=("input_audio.format",),
        ),
        Shape("thinking", ("summary", "content"), ("reasoning",)),
        Shape(
            "tool",
            ("arguments", "input", "action", "operation", "queries", "code", "revised_prompt"),
            tuple(f"{name}_call" for name in (*_CALLS, *_SERVED)),
            name=("name",),
            call=("call_id", "id"),
        ),
        Shape(
            "tool_result",
            ("output", "tools"),
            (*(f"{name}_call_output" for name in _CALLS), "tool_search_output"),
            call=("call_id",),
        ),
    ),
)

GOING_ON = ("queued", "in_progress", "pending", "starting", "processing", "validating", "finalizing", "cancelling")

RESPONSES = Dialect(
    api="responses",
    operation="chat",
    paths=(r"(^|/)(v\d+[a-z]*|v|openai|codex|inference)/responses", r"^/responses"),
    usage=("usage", "response.usage"),
    counts=COUNTS,
    model=("model", "response.model"),
    finish=(
        "incomplete_details.reason",
        "response.incomplete_details.reason",
        "response.status",
        "status",
    ),
    service_tier=("service_tier", "response.service_tier"),
    response_id=("response.id", "id"),
    errors=("error", "response.error"),
    parts=DELTAS,
    prompt=PROMPT,
    ends=("response.completed", "response.incomplete", "response.failed"),
    sessions=(Named("conversation"), Named("conversation.id"), CACHE_KEY),
    system=("instructions",),
    turns=("input",),
    stored=True,
    unsettled=GOING_ON,
)

COMPACT = RESPONSES.but(api="responses.compact", paths=(r"/responses/compact",), stored=False)

COUNT = RESPONSES.but(
    api="responses.input_tokens",
    operation="count_tokens",
    paths=(r"/responses/input_tokens",),
    consumes=False,
    stored=False,
)
