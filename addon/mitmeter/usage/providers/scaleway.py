"""Scaleway Generative APIs.

https://www.scaleway.com/en/developers/api/generative-apis/
"""

from mitmeter.usage.apis.chat import CHAT
from mitmeter.usage.apis.embeddings import EMBEDDINGS
from mitmeter.usage.apis.responses import RESPONSES
from mitmeter.usage.dialect import Provider

PROVIDER = Provider(
    name="scaleway",
    hosts=(r"api\.scaleway\.ai",),
    dialects=(
        CHAT,
        EMBEDDINGS,
        RESPONSES,
    ),
)
