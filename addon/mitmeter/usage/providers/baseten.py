"""Baseten: one host for its own models, one for each deployed model.

https://docs.baseten.co/inference/model-apis/overview
"""

from mitmeter.usage.apis.chat import CHAT
from mitmeter.usage.apis.completions import COMPLETIONS
from mitmeter.usage.apis.embeddings import EMBEDDINGS
from mitmeter.usage.dialect import Provider

PROVIDER = Provider(
    name="baseten",
    hosts=(
        r"inference\.baseten\.co",
        r"model-[a-z0-9]+\.api\.baseten\.co",
    ),
    dialects=(
        CHAT,
        COMPLETIONS,
        EMBEDDINGS,
    ),
)
