"""Featherless.

https://featherless.ai/docs/completions
"""

from mitmeter.usage.apis.chat import CHAT
from mitmeter.usage.apis.completions import COMPLETIONS
from mitmeter.usage.dialect import Provider

PROVIDER = Provider(
    name="featherless",
    hosts=(r"api\.featherless\.ai",),
    dialects=(CHAT, COMPLETIONS),
)
