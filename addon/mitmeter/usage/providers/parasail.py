"""Parasail.

https://docs.parasail.io/
"""

from mitmeter.usage.apis.chat import CHAT
from mitmeter.usage.apis.completions import COMPLETIONS
from mitmeter.usage.apis.embeddings import EMBEDDINGS
from mitmeter.usage.dialect import Provider

PROVIDER = Provider(
    name="parasail",
    hosts=(r"api\.parasail\.io",),
    dialects=(CHAT, COMPLETIONS, EMBEDDINGS),
)
