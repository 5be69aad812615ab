"""Helicone's gateway and the proxies that it has for others, each speaking the APIs that are known anywhere.

https://docs.helicone.ai/gateway/overview
"""

from mitmeter.usage.dialect import Provider

PROVIDER = Provider(
    name="helicone",
    hosts=(r"([a-z0-9-]+\.)?helicone\.ai",),
)
