"""NVIDIA NIM, hosted; the containers speak the same at any host.

https://docs.nvidia.com/nim/large-language-models/latest/api-reference.html
"""

from mitmeter.usage.apis.chat import CHAT
from mitmeter.usage.apis.completions import COMPLETIONS
from mitmeter.usage.apis.embeddings import EMBEDDINGS
from mitmeter.usage.apis.responses import RESPONSES
from mitmeter.usage.dialect import Provider

PROVIDER = Provider(
    name="nvidia",
    hosts=(r"(integrate|ai)\.api\.nvidia\.com",),
    dialects=(
        CHAT,
        COMPLETIONS,
        EMBEDDINGS,
        RESPONSES,
    ),
)
