"""Hyperbolic.

https://docs.hyperbolic.xyz/docs/inference-api
"""

from mitmeter.usage.apis.chat import CHAT
from mitmeter.usage.apis.completions import COMPLETIONS
from mitmeter.usage.dialect import Provider

PROVIDER = Provider(
    name="hyperbolic",
    hosts=(r"api\.hyperbolic\.xyz",),
    dialects=(
        CHAT,
        COMPLETIONS,
    ),
)
