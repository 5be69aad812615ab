"""Chutes: one host for all models, one for each chute.

https://chutes.ai/docs
"""

from mitmeter.usage.apis.chat import CHAT
from mitmeter.usage.apis.completions import COMPLETIONS
from mitmeter.usage.apis.embeddings import EMBEDDINGS
from mitmeter.usage.apis.messages import MESSAGES
from mitmeter.usage.dialect import Provider

PROVIDER = Provider(
    name="chutes",
    hosts=(r"([a-z0-9-]+\.)?chutes\.ai",),
    dialects=(CHAT, COMPLETIONS, EMBEDDINGS, MESSAGES),
)
