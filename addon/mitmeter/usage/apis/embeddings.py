"""Embeddings, and what has the same form: moderations and rerankings.

https://platform.openai.com/docs/api-reference/embeddings/create
https://platform.openai.com/docs/api-reference/moderations/object
https://docs.jina.ai (rerank)
"""

from mitmeter.usage.apis.chat import COUNTS, PROMPT
from mitmeter.usage.apis.embed import COMPUTED
from mitmeter.usage.dialect import Dialect
from mitmeter.usage.prompt import Place, texts

EMBEDDINGS = Dialect(
    api="embeddings",
    operation="embeddings",
    paths=(r"(^|/)(v\d+[a-z]*|v|openai|inference|models|deployments/[^/]+)/embeddings", r"^/embeddings"),
    usage=("usage",),
    counts=COUNTS,
    prompt=texts("input"),
)

MODERATIONS = EMBEDDINGS.but(
    api="moderations",
    operation="moderation",
    paths=(r"/v\d+/moderations",),
    prompt=PROMPT.but(places=(Place("user", "input"),)),
)

RERANK = EMBEDDINGS.but(
    api="rerank",
    operation="rerank",
    paths=(r"(^|/)(v\d+|v)/rerank(ing)?", r"^/rerank(ing)?"),
    usage_headers=COMPUTED,
    prompt=texts("query", "documents", "texts"),
)
