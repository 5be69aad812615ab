"""Baichuan.

https://platform.baichuan-ai.com/docs/api
"""

from mitmeter.usage.apis.chat import CHAT
from mitmeter.usage.apis.embeddings import EMBEDDINGS
from mitmeter.usage.dialect import Provider

PROVIDER = Provider(
    name="baichuan",
    hosts=(r"api\.baichuan-ai\.com",),
    dialects=(CHAT, EMBEDDINGS),
)
