"""Morph: edits are asked for as chat.

https://docs.morphllm.com/quickstart
"""

from mitmeter.usage.apis.chat import CHAT
from mitmeter.usage.apis.embeddings import EMBEDDINGS, RERANK
from mitmeter.usage.dialect import Provider

PROVIDER = Provider(
    name="morph",
    hosts=(r"api\.morphllm\.com",),
    dialects=(CHAT, EMBEDDINGS, RERANK),
)
