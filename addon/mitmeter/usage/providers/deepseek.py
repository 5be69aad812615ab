"""DeepSeek: cache hits and misses add up to the prompt.

https://api-docs.deepseek.com/api/create-chat-completion
"""

from mitmeter.usage.apis.chat import CHAT
from mitmeter.usage.apis.completions import COMPLETIONS
from mitmeter.usage.apis.messages import MESSAGES
from mitmeter.usage.apis.responses import RESPONSES
from mitmeter.usage.dialect import Provider

COUNTS = CHAT.counts.also(cache_read_tokens=("prompt_cache_hit_tokens",))

PROVIDER = Provider(
    name="deepseek",
    hosts=(r"api\.deepseek\.com",),
    dialects=(
        CHAT.but(counts=COUNTS),
        COMPLETIONS.but(paths=(*COMPLETIONS.paths, r"/beta/completions"), counts=COUNTS),
        RESPONSES,
        MESSAGES,
    ),
)
