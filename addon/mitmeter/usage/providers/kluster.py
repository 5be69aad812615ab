"""kluster.ai.

https://docs.kluster.ai/
"""

from mitmeter.usage.apis.chat import CHAT
from mitmeter.usage.apis.embeddings import EMBEDDINGS
from mitmeter.usage.dialect import Provider

PROVIDER = Provider(
    name="kluster",
    hosts=(r"api\.kluster\.ai",),
    dialects=(CHAT, EMBEDDINGS),
)
