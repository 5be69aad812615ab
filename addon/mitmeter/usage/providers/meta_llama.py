"""Meta's Llama API: counts in `metrics`, a list of named values, at the end of a stream in an event of its own.

The compatible API stands below `/compat/v1`.
https://llama.developer.meta.com/docs/api/chat
https://llama.developer.meta.com/docs/features/compatibility
https://github.com/meta-llama/llama-api-python/tree/main/src/llama_api_client/types
"""

from mitmeter.usage.apis.chat import CHAT
from mitmeter.usage.dialect import Counts, Part, Provider
from mitmeter.usage.prompt import Place

NATIVE = CHAT.but(
    api="completion_message",
    paths=(r"^/v1/chat/completions",),
    usage=("metrics", "event.metrics"),
    listed=("metric", "value"),
    counts=Counts(
        input_tokens=("num_prompt_tokens",),
        output_tokens=("num_completion_tokens",),
        total_tokens=("num_total_tokens",),
    ),
    finish=("completion_message.stop_reason", "event.stop_reason"),
    parts=(
        Part("text", "event.delta.text"),
        Part("tool", "event.delta.function.name"),
        Part("arguments", "event.delta.function.arguments"),
    ),
    prompt=CHAT.prompt.but(answer=(Place("assistant", "completion_message", turns=True),)),
)

PROVIDER = Provider(
    name="meta_llama",
    hosts=(r"api\.llama\.com",),
    dialects=(CHAT.but(paths=(r"/compat/v1/chat/completions",)), NATIVE),
)
