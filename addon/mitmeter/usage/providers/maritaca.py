"""Maritaca: the compatible API below `/api`, and the one before it, `inference`.

https://docs.maritaca.ai/en/openai-compatibility
https://chat.maritaca.ai/docs
"""

from mitmeter.usage.apis.chat import CHAT
from mitmeter.usage.dialect import Part, Provider

PROVIDER = Provider(
    name="maritaca",
    hosts=(r"chat\.maritaca\.ai",),
    dialects=(
        CHAT,
        CHAT.but(
            api="chat_inference",
            paths=(r"/api/chat/inference",),
            parts=(Part("text", "text"),),
            reply=(Part("text", "answer"),),
            prompt=CHAT.prompt.but(answer=()),
        ),
    ),
)
