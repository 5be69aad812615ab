"""GitHub Models, at its own host and at the one it had before.

https://docs.github.com/en/rest/models/inference
"""

from mitmeter.usage.apis.chat import CHAT
from mitmeter.usage.apis.embeddings import EMBEDDINGS
from mitmeter.usage.dialect import Provider

PROVIDER = Provider(
    name="github",
    convention="azure.ai.inference",
    hosts=(
        r"models\.github\.ai",
        r"models\.inference\.ai\.azure\.com",
    ),
    dialects=(
        CHAT,
        EMBEDDINGS,
    ),
)
