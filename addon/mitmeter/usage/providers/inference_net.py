"""Inference.net.

https://docs.inference.net/
"""

from mitmeter.usage.apis.chat import CHAT
from mitmeter.usage.apis.completions import COMPLETIONS
from mitmeter.usage.apis.embeddings import EMBEDDINGS
from mitmeter.usage.dialect import Provider

PROVIDER = Provider(
    name="inference_net",
    hosts=(r"api\.inference\.net",),
    dialects=(CHAT, COMPLETIONS, EMBEDDINGS),
)
