"""Crusoe Managed Inference.

https://docs.crusoecloud.com/managed-inference/overview
"""

from mitmeter.usage.apis.chat import CHAT
from mitmeter.usage.apis.completions import COMPLETIONS
from mitmeter.usage.dialect import Provider

PROVIDER = Provider(
    name="crusoe",
    hosts=(r".+\.crusoecloud\.com",),
    dialects=(
        CHAT,
        COMPLETIONS,
    ),
)
