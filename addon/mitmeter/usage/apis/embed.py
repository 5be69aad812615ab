"""Embeddings and classifications of bare texts: arrays in return, the count of tokens in a header.

https://huggingface.github.io/text-embeddings-inference/
https://github.com/huggingface/text-embeddings-inference/blob/main/router/src/http/server.rs
"""

from mitmeter.usage.dialect import Counts, Dialect
from mitmeter.usage.prompt import texts

COMPUTED = (("x-compute-tokens", "prompt_tokens"),)

EMBED = Dialect(
    api="embed_texts",
    operation="embeddings",
    paths=(r"^/embed",),
    usage_headers=COMPUTED,
    counts=Counts(input_tokens=("prompt_tokens",)),
    response_id=(),
    prompt=texts("inputs"),
)
EMBED_ALL = EMBED.but(api="embed_all", paths=(r"^/embed_all",))
EMBED_SPARSE = EMBED.but(api="embed_sparse", paths=(r"^/embed_sparse",))
PREDICT = EMBED.but(api="predict_texts", operation="classify", paths=(r"^/predict",))
