"""SiliconFlow.

https://docs.siliconflow.cn/en/api-reference/chat-completions/chat-completions
"""

from mitmeter.usage.apis.chat import CHAT
from mitmeter.usage.apis.embeddings import EMBEDDINGS, RERANK
from mitmeter.usage.apis.messages import MESSAGES
from mitmeter.usage.dialect import Provider

PROVIDER = Provider(
    name="siliconflow",
    hosts=(r"api\.siliconflow\.(cn|com)",),
    dialects=(
        CHAT,
        EMBEDDINGS,
        RERANK,
        MESSAGES,
    ),
)
