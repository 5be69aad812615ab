"""Nebius Token Factory, formerly AI Studio.

https://docs.tokenfactory.nebius.com/api-reference/introduction
"""

from mitmeter.usage.apis.chat import CHAT
from mitmeter.usage.apis.completions import COMPLETIONS
from mitmeter.usage.apis.embeddings import EMBEDDINGS
from mitmeter.usage.dialect import Provider

PROVIDER = Provider(
    name="nebius",
    hosts=(
        r"api\.studio\.nebius\.(ai|com)",
        r"api\.tokenfactory(\.[a-z0-9-]+)?\.nebius\.com",
    ),
    dialects=(
        CHAT,
        COMPLETIONS,
        EMBEDDINGS,
    ),
)
