"""Jina: embeddings, reranking and classification report a total, all of which is input; DeepSearch speaks chat.

https://api.jina.ai/redoc
https://jina.ai/deepsearch
"""

from mitmeter.usage.apis.chat import CHAT
from mitmeter.usage.apis.embeddings import EMBEDDINGS, RERANK
from mitmeter.usage.dialect import Provider

COUNTS = EMBEDDINGS.counts.also(input_tokens=("total_tokens",))

PROVIDER = Provider(
    name="jina",
    hosts=(r"(api|deepsearch)\.jina\.ai",),
    dialects=(
        EMBEDDINGS.but(counts=COUNTS),
        RERANK.but(counts=COUNTS),
        RERANK.but(api="classify", operation="classify", paths=(r"/v1/classify",), counts=COUNTS),
        CHAT,
    ),
)
