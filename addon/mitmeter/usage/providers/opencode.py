"""OpenCode Zen: each model in the API of its vendor, below `/zen/v1`.

https://opencode.ai/docs/zen
"""

from mitmeter.usage.dialect import Provider

PROVIDER = Provider(
    name="opencode",
    hosts=(r"opencode\.ai",),
)
