"""MiniMax: its own path for chat besides the compatible ones.

https://platform.minimax.io/docs/api-reference/text-openai-api
https://platform.minimax.io/docs/api-reference/text-anthropic-api
"""

from mitmeter.usage.apis.chat import CHAT
from mitmeter.usage.apis.messages import MESSAGES
from mitmeter.usage.dialect import Provider

PROVIDER = Provider(
    name="minimax",
    hosts=(
        r"api\.minimax\.(io|chat)",
        r"api\.minimaxi\.com",
    ),
    dialects=(
        CHAT,
        MESSAGES,
    ),
)
