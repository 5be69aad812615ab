"""Requesty's router: the APIs that are known anywhere.

https://docs.requesty.ai/
"""

from mitmeter.usage.dialect import Provider

PROVIDER = Provider(
    name="requesty",
    hosts=(r"router(\.[a-z]+)?\.requesty\.ai",),
)
