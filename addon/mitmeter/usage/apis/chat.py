"""Chat completions: one prompt of messages, `choices` in return.

https://platform.openai.com/docs/api-reference/chat/object
https://platform.openai.com/docs/api-reference/chat-streaming/streaming
"""

from mitmeter.usage.dialect import Counts, Dialect, Named, Part
from mitmeter.usage.prompt import Place, Prompt, Shape

COUNTS = Counts(
    input_tokens=("prompt_tokens", "input_tokens"),
    output_tokens=("completion_tokens", "output_tokens"),
    cache_read_tokens=(
        "cache_read_input_tokens",
        "input_tokens_details.cached_tokens",
        "prompt_tokens_details.cached_tokens",
    ),
    cache_write_tokens=(
        "cache_creation_input_tokens",
        "input_tokens_details.cache_write_tokens",
        "prompt_tokens_details.cache_write_tokens",
    ),
    reasoning_tokens=(
        "completion_tokens_details.reasoning_tokens",
        "output_tokens_details.reasoning_tokens",
        "reasoning_tokens",
    ),
    total_tokens=("total_tokens",),
    reasoning_by_total=True,
    priced=(
        ("input_audio_tokens", "prompt_tokens_details.audio_tokens"),
        ("output_audio_tokens", "completion_tokens_details.audio_tokens"),
    ),
)

DELTAS = (
    Part("thinking", "choices[].delta.reasoning_content"),
    Part("thinking", "choices[].delta.reasoning"),
    Part("thinking", "choices[].delta.content[].thinking[].text"),
    Part("text", "choices[].delta.content"),
    Part("text", "choices[].delta.content[].text"),
    Part("text", "choices[].delta.refusal"),
    Part("tool", "choices[].delta.tool_calls[].function.name"),
    Part("arguments", "choices[].delta.tool_calls[].function.arguments"),
    Part("arguments", "choices[].delta.tool_calls[].custom.input"),
    Part("tool", "choices[].delta.function_call.name"),
    Part("arguments", "choices[].delta.function_call.arguments"),
    Part("media", "choices[].delta.audio.data", medium="audio"),
    Part("text", "choices[].delta.audio.transcript"),
)

# A key is an application's or a conversation's: only one with something random in it is the latter's.
CACHE_KEY = Named("prompt_cache_key", r"^.*(?:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}|[0-9A-Za-z]{20}).*$")

PROMPT = Prompt(
    places=(Place("user", "messages", turns=True),),
    answer=(Place("assistant", "choices[].message", turns=True),),
    roles=(("developer", "system"), ("function", "tool")),
    results=("tool",),
    call=("tool_call_id", "name"),
    shapes=(
        Shape("text", ("text",), ("text", "input_text", "output_text")),
        Shape("text", ("refusal",), ("refusal",)),
        Shape("thinking", ("thinking",), ("thinking",)),
        Shape("image", ("image_url.url", "image_url"), ("image_url", "input_image")),
        Shape(
            "audio",
            ("input_audio.data", "input_audio", "audio_url.url"),
            ("input_audio", "audio_url"),
            media=("input_audio.format",),
        ),
        Shape("media", ("video_url.url", "video_url"), ("video_url",)),
        Shape("file", ("file.file_data", "file.file_id"), ("file",), name=("file.filename",)),
        Shape("file", ("document_url",), ("document_url",), name=("document_name",)),
    ),
    beside=(
        Shape("thinking", ("reasoning_content", "reasoning", "thinking")),
        Shape("text", ("refusal", "audio.transcript")),
        Shape("audio", ("audio.data",)),
        Shape("audio", ("audio.id",), encoded=False),
        Shape("image", ("image_url.url",), each="images[]"),
        Shape("tool", ("function_call.arguments",), name=("function_call.name",)),
        Shape(
            "tool",
            ("function.arguments", "custom.input"),
            name=("function.name", "custom.name"),
            call=("id",),
            each="tool_calls[]",
        ),
    ),
)

CHAT = Dialect(
    api="chat",
    operation="chat",
    paths=(r"/chat/completions",),
    usage=("usage",),
    counts=COUNTS,
    finish=("choices[].finish_reason",),
    parts=DELTAS,
    sessions=(CACHE_KEY,),
    turns=("messages",),
    prompt=PROMPT,
)
