"""Moonshot and Kimi: in a stream the usage object stands inside the choice, `cached_tokens` at its top.

https://platform.moonshot.ai/docs/api/chat
https://www.kimi.com/code/docs/en/
"""

from mitmeter.usage.apis.chat import CHAT
from mitmeter.usage.apis.messages import MESSAGES
from mitmeter.usage.dialect import Provider

PROVIDER = Provider(
    name="moonshot",
    convention="moonshot_ai",
    prices="moonshotai",
    hosts=(r"api\.moonshot\.(ai|cn)", r"api\.kimi\.com"),
    dialects=(
        CHAT.but(
            usage=("choices[].usage", "usage"),
            counts=CHAT.counts.also(cache_read_tokens=("cached_tokens",)),
        ),
        MESSAGES,
    ),
)
