"""Friendli: serverless, dedicated and tools below a path each.

https://friendli.ai/docs/openapi/serverless/chat-completions
https://friendli.ai/docs/openapi/dedicated/inference/chat-completions
"""

from mitmeter.usage.apis.chat import CHAT
from mitmeter.usage.apis.completions import COMPLETIONS
from mitmeter.usage.apis.embeddings import EMBEDDINGS
from mitmeter.usage.dialect import Provider

PROVIDER = Provider(
    name="friendli",
    hosts=(r"api\.friendli\.ai",),
    dialects=(CHAT, COMPLETIONS, EMBEDDINGS),
)
