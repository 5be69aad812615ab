"""Chat completions: one prompt of messages, `choices` in return.

https://platform.openai.com/docs/api-reference/chat/object
https://platform.openai.com/docs/api-reference/chat-streaming/streaming
"""

from mitmeter.usage.dialect import Counts, Dialect, Named, Part

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
    Part("media", "choices[].delta.audio.data"),
    Part("text", "choices[].delta.audio.transcript"),
)

REPLY = (
    Part("thinking", "choices[].message.reasoning_content"),
    Part("thinking", "choices[].message.reasoning"),
    Part("thinking", "choices[].message.content[].thinking[].text"),
    Part("text", "choices[].message.content"),
    Part("text", "choices[].message.content[].text"),
    Part("text", "choices[].message.refusal"),
    Part("tool", "choices[].message.tool_calls[].function.name"),
    Part("arguments", "choices[].message.tool_calls[].function.arguments"),
    Part("tool", "choices[].message.function_call.name"),
    Part("arguments", "choices[].message.function_call.arguments"),
    Part("text", "choices[].message.audio.transcript"),
)

# A key is an application's or a conversation's: only one with something random in it is the latter's.
CACHE_KEY = Named("prompt_cache_key", r"^.*(?:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}|[0-9A-Za-z]{20}).*$")

CHAT = Dialect(
    api="chat",
    operation="chat",
    paths=(r"/chat/completions",),
    usage=("usage",),
    counts=COUNTS,
    finish=("choices[].finish_reason",),
    parts=DELTAS,
    reply=REPLY,
    sessions=(CACHE_KEY,),
    turns=("messages",),
)
