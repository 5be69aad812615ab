"""Voyage: embeddings and reranking report a total only, all of which is input.

https://docs.voyageai.com/reference/embeddings-api
https://docs.voyageai.com/reference/multimodal-embeddings-api
https://docs.voyageai.com/reference/contextualized-embeddings-api
https://docs.voyageai.com/reference/reranker-api
"""

from mitmeter.usage.apis.embeddings import EMBEDDINGS, RERANK
from mitmeter.usage.dialect import Provider

COUNTS = EMBEDDINGS.counts.also(input_tokens=("total_tokens",))

PROVIDER = Provider(
    name="voyage",
    prices="voyageai",
    hosts=(r"api\.voyageai\.com", r"ai\.mongodb\.com"),
    dialects=(
        EMBEDDINGS.but(paths=(r"/v1/(multimodal|contextualized)?embeddings",), counts=COUNTS),
        RERANK.but(counts=COUNTS),
    ),
)
