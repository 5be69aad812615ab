"""NVIDIA NIM, hosted; the containers speak the same at any host.

https://docs.nvidia.com/nim/large-language-models/latest/api-reference.html
https://docs.nvidia.com/nim/nemo-retriever/text-reranking/latest/reference.html
"""

from mitmeter.usage.apis.chat import CHAT
from mitmeter.usage.apis.completions import COMPLETIONS
from mitmeter.usage.apis.embeddings import EMBEDDINGS, RERANK
from mitmeter.usage.apis.responses import RESPONSES
from mitmeter.usage.dialect import Provider
from mitmeter.usage.prompt import texts

PROVIDER = Provider(
    name="nvidia",
    hosts=(r"(integrate|ai)\.api\.nvidia\.com",),
    dialects=(
        CHAT,
        COMPLETIONS,
        EMBEDDINGS,
        RERANK.but(
            paths=(r"/v1/ranking", r"/v1/retrieval/.+/reranking"), prompt=texts("query.text", "passages[].text")
        ),
        RESPONSES,
    ),
)
