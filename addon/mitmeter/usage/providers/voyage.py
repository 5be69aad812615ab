"""Voyage: embeddings and reranking report a total only, all of which is input.

https://docs.voyageai.com/reference/embeddings-api
"""

from mitmeter.usage.apis.embeddings import EMBEDDINGS, RERANK
from mitmeter.usage.dialect import Provider

COUNTS = EMBEDDINGS.counts.also(input_tokens=("total_tokens",))

PROVIDER = Provider(
    name="voyage",
    hosts=(r"api\.voyageai\.com",),
    dialects=(EMBEDDINGS.but(counts=COUNTS), RERANK.but(counts=COUNTS)),
)
