"""Pydantic AI Gateway: hands on the APIs of the providers behind it, in their shape.

https://ai.pydantic.dev/gateway/
"""

from mitmeter.usage.dialect import Provider

PROVIDER = Provider(
    name="pydantic_gateway",
    hosts=(
        r"gateway\.pydantic\.dev",
        r"gateway(-[a-z]+)?\.pydantic\.dev",
    ),
)
