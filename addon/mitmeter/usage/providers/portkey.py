"""Portkey's gateway: the APIs that are known anywhere.

https://portkey.ai/docs/api-reference/inference-api/introduction
"""

from mitmeter.usage.dialect import Provider

PROVIDER = Provider(
    name="portkey",
    hosts=(r"api\.portkey\.ai",),
)
