"""Z.ai and Zhipu: the model APIs below `/api/paas/v4` and `/api/coding/paas/v4`, Anthropic's below `/api/anthropic`.

https://docs.z.ai/api-reference/llm/chat-completion
"""

from mitmeter.usage.apis.chat import CHAT
from mitmeter.usage.apis.embeddings import EMBEDDINGS
from mitmeter.usage.apis.messages import MESSAGES
from mitmeter.usage.dialect import Provider

PROVIDER = Provider(
    name="zai",
    hosts=(
        r"api\.z\.ai",
        r"open\.bigmodel\.cn",
    ),
    dialects=(
        CHAT,
        EMBEDDINGS,
        MESSAGES,
    ),
)
