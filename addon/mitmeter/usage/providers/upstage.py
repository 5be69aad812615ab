"""Upstage.

https://console.upstage.ai/api/chat
"""

from mitmeter.usage.apis.chat import CHAT
from mitmeter.usage.apis.embeddings import EMBEDDINGS
from mitmeter.usage.dialect import Provider

PROVIDER = Provider(
    name="upstage",
    hosts=(r"api\.upstage\.ai",),
    dialects=(
        CHAT,
        EMBEDDINGS,
    ),
)
