"""Novita.

https://novita.ai/docs/api-reference/model-apis-llm-create-chat-completion
"""

from mitmeter.usage.apis.chat import CHAT
from mitmeter.usage.apis.completions import COMPLETIONS
from mitmeter.usage.apis.embeddings import EMBEDDINGS, RERANK
from mitmeter.usage.apis.messages import MESSAGES
from mitmeter.usage.dialect import Provider

PROVIDER = Provider(
    name="novita",
    hosts=(r"api\.novita\.ai",),
    dialects=(
        CHAT,
        COMPLETIONS,
        EMBEDDINGS,
        RERANK,
        MESSAGES,
    ),
)
