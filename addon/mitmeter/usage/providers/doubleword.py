"""Doubleword: cache counts under two names each; reasoning may exceed the completion.

https://docs.doubleword.ai
"""

from mitmeter.usage.apis.chat import CHAT
from mitmeter.usage.apis.completions import COMPLETIONS
from mitmeter.usage.apis.embeddings import EMBEDDINGS
from mitmeter.usage.apis.responses import RESPONSES
from mitmeter.usage.dialect import Provider

PROVIDER = Provider(
    name="doubleword",
    hosts=(r"api\.doubleword\.ai",),
    dialects=(
        CHAT,
        COMPLETIONS,
        EMBEDDINGS,
        RESPONSES,
    ),
)
