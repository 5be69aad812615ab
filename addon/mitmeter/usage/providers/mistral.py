"""Mistral: `num_cached_tokens`, and audio counted beside the prompt's text.

https://docs.mistral.ai/api/
"""

from mitmeter.usage.apis.chat import CHAT
from mitmeter.usage.apis.embeddings import EMBEDDINGS, MODERATIONS
from mitmeter.usage.apis.media import SPEECH, TRANSCRIPTIONS
from mitmeter.usage.dialect import Provider

PROVIDER = Provider(
    name="mistral",
    hosts=(r"(api|codestral)\.mistral\.ai",),
    dialects=(
        CHAT.but(counts=CHAT.counts.also(cache_read_tokens=("num_cached_tokens",))),
        EMBEDDINGS,
        MODERATIONS,
        TRANSCRIPTIONS,
        SPEECH,
    ),
)
