"""Moonshot: in a stream the usage object stands inside the choice.

https://platform.moonshot.ai/docs/api/chat
"""

from mitmeter.usage.apis.chat import CHAT
from mitmeter.usage.dialect import Provider

PROVIDER = Provider(
    name="moonshot",
    hosts=(r"api\.moonshot\.(ai|cn)",),
    dialects=(
        CHAT.but(
            usage=("choices[].usage", "usage"),
            counts=CHAT.counts.also(cache_read_tokens=("cached_tokens",)),
        ),
    ),
)
