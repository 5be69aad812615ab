"""Plain text generation at `/generate`, which two families of servers speak at the same path.

One counts in `meta_info`, cumulative and in every event; the other in `details` of the last event (and of a document
only if the request asks for them), with the counts of a document in its headers as well.
https://docs.sglang.ai/basic_usage/native_api.html
https://huggingface.github.io/text-generation-inference/
"""

from mitmeter.usage.dialect import Counts, Dialect, Part
from mitmeter.usage.prompt import texts

GENERATE = Dialect(
    api="generate",
    operation="text_completion",
    paths=(r"^/generate", r"^/upstream/.+/generate"),
    usage=("details", "meta_info"),
    usage_headers=(("x-prompt-tokens", "prompt_tokens"), ("x-generated-tokens", "completion_tokens")),
    headers_fill=True,
    counts=Counts(
        input_tokens=("input_length", "prompt_tokens"),
        output_tokens=("generated_tokens", "completion_tokens"),
        cache_read_tokens=("cached_tokens",),
        reasoning_tokens=("reasoning_tokens",),
    ),
    finish=("details.finish_reason", "meta_info.finish_reason.type", "meta_info.finish_reason"),
    response_id=("meta_info.id",),
    parts=(Part("text", "token.text"), Part("text", "text")),
    reply=(Part("text", "generated_text"), Part("text", "text")),
    prompt=texts("inputs", "text", "prompt"),
)

GENERATE_STREAM = GENERATE.but(api="generate_stream", paths=(r"^/generate_stream", r"^/upstream/.+/generate_stream"))
