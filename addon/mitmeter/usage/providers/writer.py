"""Writer: chat at `/v1/chat`, the singular `prompt_token_details`.

https://dev.writer.com/api-reference/completion-api/chat-completion
"""

from mitmeter.usage.apis.chat import CHAT
from mitmeter.usage.apis.completions import COMPLETIONS
from mitmeter.usage.dialect import Provider

PROVIDER = Provider(
    name="writer",
    hosts=(r"api\.writer\.com",),
    dialects=(
        CHAT.but(
            paths=(r"/v1/chat",),
            counts=CHAT.counts.also(cache_read_tokens=("prompt_token_details.cached_tokens",)),
        ),
        COMPLETIONS,
    ),
)
