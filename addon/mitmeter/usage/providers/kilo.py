"""Kilo's gateway: the APIs that are known anywhere.

https://kilo.ai/docs/gateway
"""

from mitmeter.usage.dialect import Provider

PROVIDER = Provider(
    name="kilo",
    hosts=(r"api\.kilo\.ai", r"(api\.)?kilocode\.ai"),
)
