"""Hugging Face's Text Embeddings Inference: its own paths, and the engine behind a compatible one, by its headers.

`/embed` and `/predict` could be anybody's, so that they are read only where the host tells.
https://huggingface.github.io/text-embeddings-inference/
https://github.com/huggingface/text-embeddings-inference/blob/main/router/src/http/server.rs
"""

from mitmeter.usage.apis.embed import EMBED_ALL, EMBED_SPARSE
from mitmeter.usage.dialect import Figure, Provider, Sign

PROVIDER = Provider(
    name="tei",
    dialects=(EMBED_ALL.but(anywhere=True), EMBED_SPARSE.but(anywhere=True)),
    signs=(Sign(header="x-compute-tokens"),),
    took=(Figure(header="x-total-time"),),
)
